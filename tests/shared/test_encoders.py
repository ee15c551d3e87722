"""Every encoder behind the protocol: real weights where there are, small look-alikes where not."""

import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, DINOv3ViTConfig, DINOv3ViTModel, Sapiens2Config, Sapiens2Model

from lca_shared.encoders import EncoderConfig, build_encoder
from lca_shared.encoders.sapiens import SapiensEncoder
from lca_shared.errors import MissingWeightsError, UserError

SMALL = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}


def saved_dinov2(folder):
    Dinov2Model(Dinov2Config(**SMALL, mlp_ratio=2)).save_pretrained(folder)


def saved_dinov3(folder):
    DINOv3ViTModel(DINOv3ViTConfig(**SMALL, intermediate_size=48, num_register_tokens=4)).save_pretrained(folder)


def saved_sapiens2(folder):
    Sapiens2Model(
        Sapiens2Config(**SMALL, intermediate_size=48, num_register_tokens=8, num_key_value_heads=2)
    ).save_pretrained(folder)


@pytest.mark.parametrize(
    ("name", "save", "prefix"),
    [("dinov2", saved_dinov2, 1), ("dinov3", saved_dinov3, 5), ("sapiens2", saved_sapiens2, 9)],
)
def test_transformers_backbones_give_their_patch_tokens(tmp_path, name, save, prefix):
    torch.manual_seed(0)
    save(tmp_path)
    encoder = build_encoder(EncoderConfig(name=name, source=str(tmp_path)))
    assert (encoder.patch_size, encoder.width, encoder.frozen, encoder.prefix_tokens) == (16, 24, True, prefix)
    images = torch.rand(2, 3, 3, 48, 32)
    found = encoder(images)
    assert found.shape == (2, 3, 6, 24) and encoder.grid(48, 32) == (3, 2)
    normalized = (images[1, 2][None] - encoder.mean) / encoder.deviation
    expected = encoder.backbone(pixel_values=normalized).last_hidden_state[0, prefix:]
    torch.testing.assert_close(found[1, 2], expected, atol=1e-5, rtol=1e-4)
    assert not any(p.requires_grad for p in encoder.parameters())


def test_real_dinov2_features_tell_pictures_apart_and_follow_a_shift(models):
    """A picture shifted by whole patches gives nearly the same features, shifted; another picture does not."""
    from PIL import Image

    encoder = build_encoder(EncoderConfig(name="dinov2", source=str(models / "dinov2-small")))
    assert (encoder.patch_size, encoder.width) == (14, 384)
    photo = Image.open(models.parent / "data" / "photos" / "000057.png").convert("RGB").resize((14 * 14, 14 * 14))
    pixels = torch.tensor(list(photo.getdata()), dtype=torch.float32).reshape(196, 196, 3).movedim(-1, 0) / 255
    with torch.no_grad():
        whole = encoder(pixels[None, :, :140, :140]).reshape(10, 10, 384)
        moved = encoder(pixels[None, :, 28:168, 28:168]).reshape(10, 10, 384)
    shifted = torch.cosine_similarity(whole[3:9, 3:9], moved[1:7, 1:7], dim=-1)
    unshifted = torch.cosine_similarity(whole[3:9, 3:9], moved[3:9, 3:9], dim=-1)
    assert shifted.mean() > unshifted.mean() + 0.1


class _Traced(torch.nn.Module):
    """Stands for a published Sapiens file: a tuple of one feature map."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 12, 16, stride=16)

    def forward(self, images):
        return (self.convolution(images),)


@pytest.fixture
def sapiens_file(tmp_path):
    path = tmp_path / "sapiens.pt2"
    torch.manual_seed(0)
    torch.jit.trace(_Traced(), torch.zeros(1, 3, 64, 64)).save(str(path))
    return path


def test_sapiens_reads_a_feature_map_row_by_row(sapiens_file):
    encoder = SapiensEncoder(EncoderConfig(name="sapiens", source=str(sapiens_file), width=12), traced_side=64)
    images = torch.rand(2, 1, 3, 64, 64)
    found = encoder(images)
    assert found.shape == (2, 1, 16, 12) and encoder.frozen
    # one changed patch changes one feature: row 1, column 2
    changed = images.clone()
    changed[..., 16:32, 32:48] = 0.0
    different = (encoder(changed) != found).any(dim=-1)[0, 0]
    assert different.nonzero().flatten().tolist() == [1 * 4 + 2]


def test_sapiens_refuses_other_sizes_and_widths(sapiens_file):
    encoder = SapiensEncoder(EncoderConfig(name="sapiens", source=str(sapiens_file), width=12), traced_side=64)
    with pytest.raises(UserError, match="64 x 64"):
        encoder(torch.rand(1, 3, 32, 32))
    wrong = SapiensEncoder(EncoderConfig(name="sapiens", source=str(sapiens_file)), traced_side=64)
    with pytest.raises(UserError, match="width 12"):
        wrong(torch.rand(1, 3, 64, 64))


@pytest.mark.parametrize("name", ["dinov2", "dinov3", "sapiens", "sapiens2"])
def test_missing_weights_are_named(name, tmp_path):
    with pytest.raises(MissingWeightsError, match="source"):
        build_encoder(EncoderConfig(name=name))
    nowhere = str(tmp_path / "nothing")
    with pytest.raises(MissingWeightsError, match="nothing"):
        build_encoder(EncoderConfig(name=name, source=nowhere))


def test_a_file_that_is_not_torchscript_is_named(tmp_path):
    path = tmp_path / "broken.pt2"
    path.write_bytes(b"not a model")
    with pytest.raises(MissingWeightsError, match=r"broken\.pt2"):
        build_encoder(EncoderConfig(name="sapiens", source=str(path)))


def test_the_patch_encoder_trains_and_knows_where_a_patch_is():
    torch.manual_seed(0)
    encoder = build_encoder(EncoderConfig(name="patch", patch_size=8, width=16))
    features = encoder(torch.full((2, 3, 3, 16, 24), 0.5))
    assert features.shape == (2, 3, 6, 16) and not encoder.frozen
    assert torch.cdist(features[0, 0], features[0, 0])[0, 1:].min() > 1e-3
    encoder(torch.rand(2, 3, 16, 24)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in encoder.parameters())


def test_sizes_that_are_no_multiple_of_the_patch_and_unknown_names():
    encoder = build_encoder(EncoderConfig(name="patch", patch_size=8, width=16))
    with pytest.raises(UserError, match="multiples of 8"):
        encoder(torch.rand(1, 3, 20, 16))
    with pytest.raises(UserError, match="no image encoder"):
        build_encoder(EncoderConfig(name="nothing"))
