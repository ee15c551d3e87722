"""Laws of the transformer: what order, views and masks may and may not change."""

from dataclasses import replace

import pytest
import torch

from lca_method.networks.encoder import Encoder, TransformerConfig
from lca_method.networks.image_tokens import ImageTokenizer, ImageTokens, patch_means

CONFIG = TransformerConfig(layers=2, width=32, heads=2, mlp_ratio=2.0, gate_start=1.0)


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    encoder = Encoder(CONFIG)
    for layer in encoder.layers:  # start values hide the condition: make it count
        for block in (layer.face_attention, layer.body_attention):
            for stream in (block.geometric, block.image):
                torch.nn.init.normal_(stream.modulation.weight, std=0.05)
    return encoder


def pictures(views: int, patches: int = 6, batch: tuple[int, ...] = (), valid: bool = False) -> ImageTokens:
    return ImageTokens(
        torch.randn(*batch, views, patches, 32),
        torch.randint(0, 5, (*batch, views, patches, 2)).float(),
        torch.rand(*batch, views, patches) > 0.4 if valid else None,
        torch.rand(*batch, views, patches, 3),
    )


def viewed(images: ImageTokens, order: list[int]) -> ImageTokens:
    valid = None if images.valid is None else images.valid[order]
    return ImageTokens(images.tokens[order], images.positions[order], valid, images.colors[order])


@pytest.mark.parametrize("valid", [False, True])
def test_order_of_views_does_not_matter(encoder, valid):
    geometric, body, face = torch.randn(10, 32), pictures(4, valid=valid), pictures(4, 3, valid=valid)
    plain = encoder(geometric, body, face, 4)[0]
    shuffled = encoder(geometric, viewed(body, [2, 0, 3, 1]), viewed(face, [1, 3, 0, 2]), 4)[0]
    torch.testing.assert_close(plain, shuffled, atol=1e-5, rtol=1e-4)


def test_permuting_geometric_tokens_permutes_the_result(encoder):
    geometric, body, face = torch.randn(10, 32), pictures(2), pictures(2)
    order = [2, 0, 3, 1, 9, 5, 4, 6, 8, 7]  # within the face's four and within the rest
    plain, permuted = encoder(geometric, body, face, 4)[0], encoder(geometric[order], body, face, 4)[0]
    torch.testing.assert_close(plain[order], permuted, atol=1e-5, rtol=1e-4)


def test_hidden_tokens_change_nothing(encoder):
    geometric, body, face = torch.randn(10, 32), pictures(3, valid=True), pictures(3, valid=True)
    noisy = replace(body, tokens=torch.where(body.valid[..., None], body.tokens, 50 * torch.randn_like(body.tokens)))
    torch.testing.assert_close(encoder(geometric, body, face, 4)[0], encoder(geometric, noisy, face, 4)[0])


def test_a_person_without_any_face_picture_is_finite(encoder):
    body, face = pictures(2), pictures(2, valid=True)
    face = replace(face, valid=torch.zeros_like(face.valid))
    assert encoder(torch.randn(10, 32), body, face, 4)[0].isfinite().all()


def test_face_pictures_reach_body_tokens_only_through_face_tokens(encoder):
    """One layer: body tokens cannot see the face picture except through updated face tokens."""
    one = Encoder(replace(CONFIG, layers=1))
    geometric, body = torch.randn(10, 32), pictures(2)
    with_no_face_tokens = [one(geometric, body, pictures(2), 0)[0] for _ in range(2)]
    torch.testing.assert_close(*with_no_face_tokens)
    with_face_tokens = [one(geometric, body, pictures(2), 4)[0] for _ in range(2)]
    assert not torch.allclose(*with_face_tokens)


def test_adaln_zero_starts_as_if_there_were_no_pictures():
    zero = Encoder(replace(CONFIG, gate_start=0.0))
    geometric = torch.randn(10, 32)
    results = [zero(geometric, pictures(2), pictures(2), 4)[0] for _ in range(2)]
    torch.testing.assert_close(*results)


def test_batched_is_the_same_as_one_by_one(encoder):
    geometric, body, face = torch.randn(2, 3, 10, 32), pictures(2, batch=(2, 3)), pictures(2, batch=(2, 3))
    batched = encoder(geometric, body, face, 4)[0]

    def one(images):
        return ImageTokens(images.tokens[1, 2], images.positions[1, 2], None, images.colors[1, 2])

    single = encoder(geometric[1, 2], one(body), one(face), 4)[0]
    torch.testing.assert_close(batched[1, 2], single, atol=1e-5, rtol=1e-4)


def test_checkpointing_gives_the_same_gradients(encoder):
    geometric, body, face = torch.randn(10, 32), pictures(2), pictures(2)
    gradients = []
    for checkpointing in (False, True):
        encoder.config = replace(CONFIG, checkpointing=checkpointing)
        encoder.zero_grad()
        encoder(geometric, body, face, 4)[0].square().sum().backward()
        gradients.append([p.grad.clone() for p in encoder.parameters()])
    torch.testing.assert_close(*gradients)


def test_patch_means_of_a_half_covered_patch():
    images = torch.zeros(1, 3, 4, 8)
    images[..., :4] = torch.tensor([0.2, 0.4, 0.6])[:, None, None]
    masks = torch.zeros(1, 1, 4, 8)
    masks[..., :2, :4] = 1.0
    coverage, colors = patch_means(images, masks, (1, 2))
    torch.testing.assert_close(coverage, torch.tensor([[0.5, 0.0]]))
    torch.testing.assert_close(colors[0], torch.tensor([[0.2, 0.4, 0.6], [0.0, 0.0, 0.0]]))


def test_dropping_and_hiding_background_tokens_agree():
    torch.manual_seed(0)
    images, masks = torch.rand(3, 3, 16, 16), torch.zeros(3, 1, 16, 16)
    masks[0, :, :8, :4], masks[1, :, 4:, 4:], masks[2, :, 5, 5] = 1.0, 1.0, 1.0
    features, encoder = torch.randn(3, 16, 8), Encoder(CONFIG)
    results = []
    for background in ("mask", "drop"):
        torch.manual_seed(1)
        tokens = ImageTokenizer(8, 32, background, patch_colors=True)(features, (4, 4), images, masks)
        torch.manual_seed(2)
        results.append(encoder(torch.randn(10, 32), tokens, tokens, 4)[0])
    assert tokens.tokens.shape[-2] == 9
    torch.testing.assert_close(*results, atol=1e-5, rtol=1e-4)
