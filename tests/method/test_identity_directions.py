"""What names a code's owner is found on some people and taken out of others' codes."""

import pytest
import torch

from lca_method.analysis.expression_probe import identity_probe
from lca_method.networks.expression_encoder import ExpressionEncoder, ExpressionEncoderConfig
from lca_method.networks.identity_directions import identity_directions

WIDTH = 12


def codes_of(people: int, frames: int, axes: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames that vary alike in all numbers, plus for each person one place along each of ``axes``."""
    generator = torch.Generator().manual_seed(seed)
    owner = torch.arange(people).repeat_interleave(frames)
    mixed = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(9)) / WIDTH**0.5 + torch.eye(WIDTH)
    places = torch.randn(people, len(axes), generator=generator)
    return torch.randn(people * frames, WIDTH, generator=generator) @ mixed.T + 4 * places[owner] @ axes, owner


def test_the_directions_are_found_and_others_are_no_longer_told_apart() -> None:
    axes = torch.nn.functional.normalize(torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1)), dim=-1)
    found = identity_directions(*codes_of(60, 6, axes, seed=2))
    assert found.taken == 2 and float(found.ratios[1]) > 3 and abs(float(found.ratios[2:].mean())) < 0.2
    torch.testing.assert_close(found.kept @ found.kept, found.kept, atol=1e-4, rtol=0)  # a projection
    others, owner = codes_of(30, 6, axes, seed=3)
    before, after = identity_probe(others, owner), identity_probe(others @ found.kept.T, owner)
    assert before.nearest_mean > 6 * before.chance and after.nearest_mean < 3 * after.chance


def test_codes_that_say_nothing_about_people_stay_as_they_are() -> None:
    found = identity_directions(*codes_of(60, 6, torch.zeros(0, WIDTH), seed=4))
    assert found.taken == 0
    torch.testing.assert_close(found.kept, torch.eye(WIDTH))


def test_what_is_independent_of_identity_within_people_is_left() -> None:
    """Oblique: a linear reader of the rest reads the same."""
    axis = torch.eye(WIDTH)[:1]
    codes, owner = codes_of(200, 8, axis, seed=5)
    found = identity_directions(codes, owner)
    assert found.taken == 1
    inside = codes - torch.stack([codes[owner == i].mean(dim=0) for i in range(200)])[owner]
    taken_out = inside @ (torch.eye(WIDTH) - found.kept).T
    left = inside @ found.kept.T
    assert float((taken_out.mT @ left / len(inside)).abs().max()) < 0.02


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="do not tell"):
        identity_directions(torch.randn(20, WIDTH), torch.arange(20) // 2)


def test_the_encoder_takes_them_out_and_older_weights_are_whole() -> None:
    torch.manual_seed(0)
    encoder = ExpressionEncoder(ExpressionEncoderConfig(width=WIDTH, picture=16, channels=(8, 16))).eval()
    pictures = (torch.rand(2, 3, 3, 16, 16), torch.ones(2, 3, 1, 16, 16), torch.ones(2, 3))
    whole = encoder(*pictures)
    encoder.kept[0] = 0
    torch.testing.assert_close(encoder(*pictures)[..., 1:], whole[..., 1:])
    assert float(encoder(*pictures)[..., 0].detach().abs().max()) == 0
    encoder.load_state_dict({name: value for name, value in encoder.state_dict().items() if name != "kept"})
    torch.testing.assert_close(encoder(*pictures), whole)
