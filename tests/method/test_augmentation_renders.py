"""What is rendered for a changed picture is the changed picture of what was rendered."""

import math
from collections.abc import Callable

import pytest
import torch

from lca_method.augmentation import zoomed
from lca_method.mirroring import BodyMirror, mirrored_cameras
from lca_shared.body import CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Rendering, rasterize
from lca_shared.rotations import normalized

SIDE = 48


def camera(angle: float) -> Cameras:
    place = torch.tensor([3 * math.sin(angle), -3 * math.cos(angle), 0.4])
    intrinsics = pinhole_intrinsics(60.0, SIDE, SIDE)
    intrinsics[0, 2] += 3.0
    return Cameras(look_at(place, torch.zeros(3)), intrinsics, SIDE, SIDE)


def rendered(gaussians: Gaussians, seen_by: Cameras) -> Rendering:
    return rasterize(gaussians, seen_by, background=torch.tensor([0.2, 0.5, 0.9]), backend="torch")


def cloud(count: int = 60, smallest: float = 0.04) -> Gaussians:
    torch.manual_seed(0)
    return Gaussians(
        means=0.4 * torch.randn(count, 3),
        quaternions=normalized(torch.randn(count, 4)),
        scales=torch.rand(count, 3) * torch.tensor([0.2, 0.08, 0.04]) + smallest,
        opacities=torch.rand(count),
        colors=torch.rand(count, 3),
    )


def test_the_mirrored_world_renders_to_the_mirrored_picture() -> None:
    gaussians, seen_by = cloud(), camera(0.4)
    mirrored = Gaussians(
        gaussians.means * torch.tensor([-1.0, 1.0, 1.0]),
        gaussians.quaternions * torch.tensor([1.0, 1.0, -1.0, -1.0]),
        gaussians.scales,
        gaussians.opacities,
        gaussians.colors,
    )
    here, there = rendered(gaussians, seen_by), rendered(mirrored, mirrored_cameras(seen_by))
    assert float(here.colors.std()) > 0.05
    for one, other in ((here.colors, there.colors), (here.alpha, there.alpha), (here.depth, there.depth)):
        torch.testing.assert_close(one.flip(-1), other, atol=2e-4, rtol=1e-3)


def test_the_mirrored_body_renders_to_the_mirrored_picture(body: CompactBody, random_driving: Callable) -> None:
    """In a pose and with an expression of random sides; the template's own halves differ by millimetres."""
    driving, mirror = random_driving((1,)), BodyMirror.of(body)
    rest = body.template_vertices
    place = torch.stack([rest[:, 0].abs() * 2, (rest[:, 2] + 1) / 2, rest[:, 1] * 3 + 0.5], dim=-1)

    def picture(driving, seen_by: Cameras) -> torch.Tensor:
        shaped = body.shaped(torch.zeros(1, len(body.shape_names)), driving.expression)
        means = body.skinned(shaped, driving.pose)[0]
        count = len(means)
        upright = torch.tensor([1.0, 0, 0, 0]).expand(count, 4)
        look = place.clamp(0, 1)
        gaussians = Gaussians(means, upright, torch.full((count, 3), 0.015), torch.full((count,), 0.7), look)
        return rasterize(gaussians, seen_by, background=torch.ones(3), backend="numba").colors

    seen_by = camera(0.3)
    here, there = picture(driving, seen_by), picture(mirror.driving(driving), mirrored_cameras(seen_by))
    close = (here.flip(-1) - there).abs().mean()
    apart = (here.flip(-1) - picture(driving, mirrored_cameras(seen_by))).abs().mean()  # the pose not mirrored
    assert float(close) < 4e-3 and float(close) < 0.1 * float(apart)


@pytest.mark.parametrize("zoom", [(1.25, 0.1, -0.05), (0.85, -0.1, 0.12)])
def test_a_zoomed_camera_renders_the_zoomed_picture(zoom: tuple[float, float, float]) -> None:
    gaussians, seen_by = cloud(20, smallest=0.15), camera(-0.2)  # 3 pixels: what bilinear sampling follows
    before = rendered(gaussians, seen_by)
    single = Cameras(seen_by.camera_from_world[None], seen_by.intrinsics[None], SIDE, SIDE)
    images, masks, valid, moved = zoomed(before.colors[None], before.alpha[None], None, single, torch.tensor([zoom]))
    after = rendered(gaussians, moved[0])
    known = valid[0]
    assert 0.4 < float(known.mean()) <= 1
    for one, other in ((images[0], after.colors), (masks[0], after.alpha)):
        difference = (one - other).abs() * known
        assert float(difference.mean()) < 5e-3 and float(difference.max()) < 0.06
    assert float((before.colors - after.colors).abs().mean()) > 0.02
