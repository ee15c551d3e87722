"""Colours of what no view shows: told by the mirror image and the other side, never against what is seen."""

import torch

from lca_method.networks.unseen_colors import filled_in, likeness
from lca_shared.body import get_body_model

GRID = torch.cartesian_prod(torch.linspace(-0.5, 0.5, 11), torch.tensor([-0.1, 0.1]), torch.linspace(0.0, 1.7, 18))
EACH = 3


def _told(seen: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
    """Filled-in colours [tokens 3] where tokens ``seen`` [tokens] have ``colors`` [tokens 3]; the fallback is 0.5."""
    weights = seen.repeat_interleave(EACH)
    weighted = colors.repeat_interleave(EACH, dim=0) * weights[:, None]
    filled = filled_in(weighted, weights, torch.full_like(weighted, 0.5), likeness(GRID, head_from=1.5))
    return filled[::EACH]


def test_likeness_is_mutual_and_the_same_for_the_mirror_image() -> None:
    found = likeness(GRID, head_from=1.5)
    torch.testing.assert_close(found.diagonal(), torch.ones(len(GRID)))
    torch.testing.assert_close(found, found.mT)
    torch.testing.assert_close(found, likeness(GRID * torch.tensor([-1.0, 1.0, 1.0]), head_from=1.5))


def test_one_colour_stays_that_colour() -> None:
    color = torch.tensor([0.2, 0.7, 0.9])
    seen = (torch.rand(len(GRID), generator=torch.Generator().manual_seed(0)) < 0.5).float()
    torch.testing.assert_close(_told(seen, color.expand(len(GRID), 3)), color.expand(len(GRID), 3), atol=0.02, rtol=0)


def test_a_hidden_side_looks_like_its_mirror_image() -> None:
    stripes = (GRID[:, 2:] > 0.8).float().expand(-1, 3)
    told = _told((GRID[:, 0] > 0).float(), stripes)
    left = GRID[:, 0] < -0.05
    assert (told - stripes)[left].abs().max() < 0.35 and (told - stripes)[left].abs().mean() < 0.06


def test_a_back_is_like_the_front_but_for_the_head() -> None:
    front, head = GRID[:, 1] < 0, GRID[:, 2] > 1.5
    stripes = (GRID[:, 2:] > 0.8).float().expand(-1, 3)
    assert (_told(front.float(), stripes) - stripes)[~front & ~head].abs().mean() < 0.08
    face = front & head & (GRID[:, 0].abs() < 0.15)
    told = _told((front & head).float(), (~face).float()[:, None].expand(-1, 3))[~front & head]
    body_like = _told((front & ~head).float(), (~face).float()[:, None].expand(-1, 3))
    assert told.mean() > 0.5 and body_like[~front & ~head].min() > 0.9


def test_nothing_seen_is_the_fallback() -> None:
    told = _told(torch.zeros(len(GRID)), torch.ones(len(GRID), 3))
    torch.testing.assert_close(told, torch.full_like(told, 0.5))


def test_the_body_model_stands_along_z_and_looks_along_minus_y() -> None:
    body = get_body_model("anny")
    face = body.template_vertices[body.regions["face"]].mean(dim=0)
    head = body.template_joints[body.joint_names.index("head")]
    assert body.template_vertices.amax(0).argmax() == 2 and face[1] < head[1] - 0.05
