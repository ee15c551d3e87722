"""Profiles along normals: what of the person lies beyond the body; nothing before training."""

import pytest
import torch
from torch.nn import functional as F

from lca_method.networks.projected_colors import on_picture, sampled
from lca_method.networks.projected_outline import (
    DISTANCES,
    FEATURES,
    ProjectedOutline,
    _along_on_pictures,
    outline_profile,
)
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project

SIDE, RADIUS = 128, 0.3
COUNT = len(DISTANCES)


def ring(views: int, focal: float = 1.5 * SIDE) -> Cameras:
    """Cameras around the origin at 2 m, in the plane z = 0."""
    angle = torch.arange(views) * (2 * torch.pi / views)
    eyes = 2 * torch.stack([angle.cos(), angle.sin(), 0 * angle], dim=-1)
    intrinsics = pinhole_intrinsics(focal, SIDE, SIDE).expand(views, 3, 3)
    return Cameras(look_at(eyes, torch.zeros(views, 3)), intrinsics, SIDE, SIDE)


def disk(radius: float, views: int, focal: float = 1.5 * SIDE) -> torch.Tensor:
    """The mask of a ball of ``radius`` metres at the origin, as every camera of the ring sees it."""
    place = torch.arange(SIDE) + 0.5 - SIDE / 2
    distance = (place[:, None] ** 2 + place[None, :] ** 2).sqrt()
    return (distance < focal * radius / (4 - radius**2) ** 0.5).float().expand(views, 1, SIDE, SIDE)


def ball(count: int = 4000) -> torch.Tensor:
    """Evenly spread unit normals."""
    index = torch.arange(count) + 0.5
    up, turn = 1 - 2 * index / count, index * torch.pi * (1 + 5**0.5)
    around = (1 - up**2).sqrt()
    return torch.stack([around * turn.cos(), around * turn.sin(), up], dim=-1)


def profile(mask_radius: float, views: int = 4, focal: float = 1.5 * SIDE) -> torch.Tensor:
    normals = ball().expand(views, -1, -1)
    return outline_profile(
        RADIUS * normals, normals, disk(mask_radius, views, focal), ring(views, focal), spacing=0.0168
    )


@pytest.mark.parametrize("beyond", [0.0, 0.08, 0.16])
def test_the_person_ends_where_the_mask_does(beyond: float) -> None:
    """Of a ball in a thicker ball, points that every view sees from the side or straight on find its thickness."""
    found = profile(RADIUS + beyond)
    person, _, cloth, never_empty, side = found.split([COUNT] * 4 + [1], dim=-1)
    edge = ball().abs().amax(dim=-1) > 0.99
    assert edge.sum() > 50 and (side[edge] > 0.4).all()
    distances = torch.tensor(DISTANCES)
    inside, outside = distances < beyond - 0.025, distances > beyond + 0.03
    assert (person[edge][:, inside] > 0.8).all()
    assert (never_empty[edge][:, inside] == 1).all()
    assert person[edge][:, outside].mean() < 0.05
    assert never_empty[edge][:, outside].max() < 0.05
    beside_body = inside & (distances > 0.06)
    assert (cloth[edge][:, beside_body] > 0.6).all()
    if beyond == 0:
        assert cloth[edge].mean() < 0.1


def test_places_along_normals_are_where_each_projects_by_itself() -> None:
    generator = torch.Generator().manual_seed(4)
    eyes = torch.randn(2, 3, 3, generator=generator, dtype=torch.float64) * 2
    intrinsics = pinhole_intrinsics(90.0, 80, 60).double()
    intrinsics[..., 0, 2] += 7.0
    cameras = Cameras(look_at(eyes, torch.zeros_like(eyes)), intrinsics.expand(2, 3, 3, 3), 80, 60)
    points, normals = (torch.randn(2, 3, 40, 3, generator=generator, dtype=torch.float64) for _ in range(2))
    grid, depth = _along_on_pictures(points, normals, cameras, DISTANCES)
    places = points[..., None, :] + torch.tensor(DISTANCES).double()[:, None] * normals[..., None, :]
    pixels, exact = project(cameras, places.flatten(-3, -2))
    wanted = on_picture(pixels / torch.tensor([80.0, 60.0]).double() * 2 - 1)
    assert (exact < 0).any() and (wanted.abs() < 1).any()
    torch.testing.assert_close(grid, wanted.unflatten(-2, (40, -1)))
    torch.testing.assert_close(depth, exact.unflatten(-1, (40, -1)))


def test_places_out_of_every_picture_say_nothing() -> None:
    """Zoomed in until the ball fills the pictures and more, its sides are unknown rather than empty."""
    found = profile(RADIUS, focal=12.0 * SIDE)
    unseen = found[..., 4 * COUNT] == 0
    assert unseen.any()
    assert (found[unseen][:, : 3 * COUNT] == 0).all()
    assert (found[unseen][:, 3 * COUNT : 4 * COUNT] == 1).any(dim=-1).all()


@pytest.mark.parametrize("depth", [1e-6, -1e-6, 0.0, 1e-30])
def test_points_in_the_plane_of_a_camera_are_unknown(depth: float) -> None:
    """Close-ups have them: their pixels are numbers that no picture's index holds, or none."""
    cameras = Cameras(torch.eye(4)[None], pinhole_intrinsics(1.5 * SIDE, SIDE, SIDE)[None], SIDE, SIDE)
    points = torch.tensor([[0.3, 0.2, depth], [0.0, 0.0, 2.0], [7.0, 0.2, depth]])
    normals = torch.tensor([1.0, 0.0, 0.0]).expand(1, 3, 3)
    found = outline_profile(points[None], normals, torch.ones(1, 1, SIDE, SIDE), cameras, spacing=0.02)
    assert found.isfinite().all()
    colors, seen = sampled(
        points[None], -normals, torch.rand(1, 3, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE), cameras, 0.02
    )
    assert colors.isfinite().all() and seen.isfinite().all() and float(seen[0, 0]) == 0


def test_order_of_views_does_not_matter_and_batches_are_loops() -> None:
    views, order = 4, torch.tensor([2, 0, 3, 1])
    normals, masks, cameras = ball(500).expand(views, -1, -1), disk(RADIUS + 0.1, views), ring(views)
    masks = masks * (torch.rand(views, 1, SIDE, SIDE) > 0.1)
    one = outline_profile(RADIUS * normals, normals, masks, cameras, 0.05)
    turned = Cameras(cameras.camera_from_world[order], cameras.intrinsics[order], SIDE, SIDE)
    torch.testing.assert_close(outline_profile(RADIUS * normals, normals, masks[order], turned, 0.05), one)
    stack = [torch.stack([value, value.flip(0)]) for value in (masks, cameras.camera_from_world, cameras.intrinsics)]
    both = outline_profile(
        RADIUS * normals.expand(2, -1, -1, -1),
        normals.expand(2, -1, -1, -1),
        stack[0],
        Cameras(*stack[1:], SIDE, SIDE),
        0.05,
    )
    torch.testing.assert_close(both, torch.stack([one, one]))


def test_nothing_is_added_before_training_and_everything_learns() -> None:
    torch.manual_seed(0)
    network = ProjectedOutline(position_code=5)
    inputs = (torch.rand(2, 7, FEATURES), torch.rand(7, 5), torch.rand(2, 7, 3), F.normalize(torch.randn(7, 3), dim=-1))
    start = network(*inputs)
    for name in ("offsets", "opacities", "log_scales", "colors"):
        assert getattr(start, name).abs().max() == 0, name
    (start.offsets.sum() + start.opacities.sum() + start.log_scales.sum() + start.colors.sum()).backward()
    assert (network.last.weight.grad.abs().sum(dim=-1) > 0).all()


def test_offsets_stay_within_reach() -> None:
    network = ProjectedOutline(position_code=5)
    torch.nn.init.constant_(network.last.bias, 100.0)
    normals = F.normalize(torch.randn(7, 3), dim=-1)
    offsets = network(torch.rand(7, FEATURES), torch.rand(7, 5), torch.rand(7, 3), normals).offsets
    torch.testing.assert_close(offsets, 0.3 * (normals + 1))
