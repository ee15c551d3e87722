"""Laws of cameras, and nerfstudio's own rays as the truth for the border."""

import math

import pytest
import torch

from lca_shared.cameras import (
    Cameras,
    from_nerfstudio,
    look_at,
    pinhole_intrinsics,
    project,
    to_nerfstudio,
    transform_points,
    unproject,
)


def random_cameras(*batch: int) -> Cameras:
    generator = torch.Generator().manual_seed(sum(batch))
    eye = 3.0 * torch.nn.functional.normalize(torch.randn(*batch, 3, generator=generator), dim=-1)
    target = 0.3 * torch.randn(*batch, 3, generator=generator)
    intrinsics = pinhole_intrinsics(500.0, 320, 240).expand(*batch, 3, 3).clone()
    intrinsics[..., 0, 0] += 20.0 * torch.rand(batch, generator=generator)
    intrinsics[..., :2, 2] += 5.0 * torch.randn(*batch, 2, generator=generator)
    return Cameras(look_at(eye, target), intrinsics, 320, 240).to(dtype=torch.float64)


def random_points(*batch: int) -> torch.Tensor:
    return 0.5 * torch.randn(*batch, 10, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_unproject_undoes_project(batch: tuple[int, ...]) -> None:
    cameras, points = random_cameras(*batch), random_points(*batch)
    pixels, depth = project(cameras, points)
    assert pixels.shape == (*batch, 10, 2) and depth.shape == (*batch, 10)
    torch.testing.assert_close(unproject(cameras, pixels, depth), points)


def test_a_camera_looks_at_its_target_with_up_upwards() -> None:
    eye, target = torch.tensor([1.0, -3.0, 0.5]), torch.tensor([0.0, 0.0, 0.2])
    cameras = Cameras(look_at(eye, target), pinhole_intrinsics(100.0, 64, 48), 64, 48)
    pixels, depth = project(cameras, torch.stack([target, target + torch.tensor([0.0, 0.0, 0.1])]))
    torch.testing.assert_close(pixels[0], torch.tensor([32.0, 24.0]))
    torch.testing.assert_close(depth[0], (eye - target).norm())
    assert pixels[1, 1] < 24.0  # y points down
    torch.testing.assert_close(cameras.world_centers(), eye)
    rotation = cameras.camera_from_world[:3, :3]
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3))
    assert torch.det(rotation) > 0


def test_right_in_the_world_is_right_in_the_picture() -> None:
    # From -Y, where people face, +X (a person's left) is at the right of the picture.
    cameras = Cameras(
        look_at(torch.tensor([0.0, -3.0, 0.0]), torch.zeros(3)), pinhole_intrinsics(100.0, 64, 48), 64, 48
    )
    assert project(cameras, torch.tensor([[0.1, 0.0, 0.0]]))[0][0, 0] > 32.0


def test_moving_cameras_with_the_world_changes_no_pixel() -> None:
    cameras, points = random_cameras(3), random_points(3)
    motion = random_cameras().camera_from_world
    moved = cameras.transformed(motion)
    before, after = project(cameras, points), project(moved, transform_points(motion, points))
    torch.testing.assert_close(after, before)
    torch.testing.assert_close(moved.transformed(torch.linalg.inv(motion)).camera_from_world, cameras.camera_from_world)


def test_crop_and_resize_follow_the_pixels() -> None:
    cameras, points = random_cameras(3), random_points(3)
    pixels, depth = project(cameras, points)
    changed = cameras.cropped(-10.0, 35.5, 200, 100).resized(50, 300)
    assert (changed.width, changed.height) == (50, 300)
    expected = (pixels - pixels.new_tensor([-10.0, 35.5])) * pixels.new_tensor([0.25, 3.0])
    torch.testing.assert_close(project(changed, points), (expected, depth))
    corners = cameras.resized(640, 480).resized(320, 240)
    torch.testing.assert_close(corners.intrinsics, cameras.intrinsics)


def test_indexing_and_moving_keep_the_rest() -> None:
    cameras = random_cameras(2, 3)
    assert cameras[1].batch_shape == (3,) and cameras[1, 2].batch_shape == ()
    assert cameras[:, None].batch_shape == (2, 1, 3)
    assert cameras.to(dtype=torch.float32).intrinsics.dtype == torch.float32


def test_nerfstudio_round_trip() -> None:
    cameras = random_cameras(4)
    fields = to_nerfstudio(cameras)
    flat = {name: fields[name][..., 0] for name in ("fx", "fy", "cx", "cy")}
    back = from_nerfstudio(fields["camera_to_worlds"], **flat, width=fields["width"], height=fields["height"])
    torch.testing.assert_close(back.camera_from_world, cameras.camera_from_world)
    torch.testing.assert_close(back.intrinsics, cameras.intrinsics)


def test_rays_are_nerfstudios_own() -> None:
    theirs = pytest.importorskip("nerfstudio.cameras.cameras")
    cameras = random_cameras(3).to(dtype=torch.float32)
    nerfstudio_cameras = theirs.Cameras(**to_nerfstudio(cameras), camera_type=theirs.CameraType.PERSPECTIVE)
    for index in range(3):
        bundle = nerfstudio_cameras.generate_rays(camera_indices=index)
        assert bundle.origins.shape == (240, 320, 3)
        for row, column in [(0, 0), (100, 37), (239, 319)]:
            # nerfstudio's coordinates are pixel centres, as ours: column + 0.5.
            pixel = torch.tensor([[column + 0.5, row + 0.5]])
            point = unproject(cameras[index], pixel, torch.tensor([2.0]))[0]
            origin, direction = bundle.origins[row, column], bundle.directions[row, column]
            torch.testing.assert_close(origin, cameras[index].world_centers(), atol=1e-5, rtol=0)
            ours = torch.nn.functional.normalize(point - origin, dim=-1)
            torch.testing.assert_close(direction, ours, atol=2e-5, rtol=0)


def test_project_has_right_derivatives() -> None:
    cameras, points = random_cameras(2), random_points(2).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: project(cameras, x), points)
    assert math.isfinite(project(cameras, points)[1].min().item())
