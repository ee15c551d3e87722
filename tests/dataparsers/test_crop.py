"""Crops: the camera follows exactly, resampling is antialiased, what lies outside has mask 0."""

import pytest
import torch

from lca_dataparsers.dataset.crop import boxes_in_crop, crop_and_resize, square_box
from lca_dataparsers.dataset.frames import Frame, crop_camera
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project


def blob_frame(pixel: torch.Tensor, camera: Cameras, sigma: float = 1.6) -> Frame:
    """A frame with a round white blob at ``pixel``."""
    y, x = torch.meshgrid(torch.arange(camera.height) + 0.5, torch.arange(camera.width) + 0.5, indexing="ij")
    blob = torch.exp(-((x - pixel[0]) ** 2 + (y - pixel[1]) ** 2) / (2 * sigma**2))
    box = torch.tensor([10.0, 10, 50, 50])
    return Frame(
        image=blob.expand(3, -1, -1).clone(),
        mask=torch.ones(1, camera.height, camera.width),
        camera=camera,
        distortion=torch.zeros(4),
        pose=BodyPose.rest(2),
        expression=torch.zeros(2),
        joint_confidence=torch.ones(2),
        person_box=box,
        face_box=box,
        confidence_face=1.0,
        fit_quality=1.0,
        time=0.0,
        subject="ada",
        row=0,
    )


def centroid(image: torch.Tensor) -> torch.Tensor:
    height, width = image.shape
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack([(image * x).sum(), (image * y).sum()]) / image.sum()


@pytest.mark.parametrize("box", [(20.3, 11.7, 100.3, 91.7), (55.0, 30.0, 75.0, 50.0), (-30.0, -40.0, 140.0, 130.0)])
@pytest.mark.parametrize("size", [32, 97])
def test_a_projected_point_follows_the_crop(box: tuple[float, ...], size: int) -> None:
    camera = Cameras(
        look_at(torch.tensor([0.3, -3.0, 1.4]), torch.tensor([0.0, 0.0, 1.0])),
        pinhole_intrinsics(150.0, 128, 96),
        128,
        96,
    )
    point = torch.tensor([[0.05, 0.02, 1.1]])
    pixel = project(camera, point)[0][0]
    cropped = blob_frame(pixel, camera).cropped(torch.tensor(box), size)
    assert cropped.image.shape == (3, size, size) and cropped.mask.shape == (1, size, size)
    expected = project(cropped.camera, point)[0][0]
    torch.testing.assert_close(centroid(cropped.image[0]), expected, atol=0.05, rtol=0)


def test_the_whole_picture_at_its_size_is_unchanged() -> None:
    image = torch.rand(3, 40, 40)
    crop, coverage = crop_and_resize(image, torch.tensor([0.0, 0, 40, 40]), 40)
    torch.testing.assert_close(crop, image)
    torch.testing.assert_close(coverage, torch.ones(1, 40, 40))


def test_shrinking_is_antialiased() -> None:
    stripes = (torch.arange(128) % 2).float().expand(1, 128, 128)
    crop, _ = crop_and_resize(stripes, torch.tensor([0.0, 0, 128, 128]), 32)
    torch.testing.assert_close(crop[..., 1:-1], torch.full_like(crop[..., 1:-1], 0.5), atol=1e-3, rtol=0)


def test_outside_the_picture() -> None:
    image = torch.full((2, 20, 20), 0.7)
    crop, coverage = crop_and_resize(image, torch.tensor([-20.0, 0, 20, 40]), 40)
    assert float(crop[:, :, :19].abs().max()) == 0.0 and float(coverage[:, 21:].max()) == 0.0
    torch.testing.assert_close(crop[:, :20, 20:], image, atol=1e-5, rtol=0)
    beyond, nothing = crop_and_resize(image, torch.tensor([100.0, 100, 120, 120]), 8)
    assert float(beyond.abs().max()) == 0.0 and float(nothing.max()) == 0.0


def test_a_crop_of_a_crop_has_the_camera_of_one_crop() -> None:
    camera = Cameras(torch.eye(4), pinhole_intrinsics(100.0, 64, 64), 64, 64)
    outer, inner = torch.tensor([8.0, 8, 40, 40]), torch.tensor([10.0, 20, 42, 52])
    direct = crop_camera(camera, torch.tensor([13.0, 18, 29, 34]), 32)  # inner in pixels of the picture
    twice = crop_camera(crop_camera(camera, outer, 64), inner, 32)
    torch.testing.assert_close(twice.intrinsics, direct.intrinsics)
    torch.testing.assert_close(boxes_in_crop(outer, outer, 64), torch.tensor([0.0, 0, 64, 64]))


def test_square_box() -> None:
    torch.testing.assert_close(square_box(torch.tensor([10.0, 0, 20, 40]), 0.25), torch.tensor([-15.0, -10, 45, 50]))
    for bad in ([5.0, 5, 5, 9], [float("nan")] * 4):
        with pytest.raises(ValueError):
            square_box(torch.tensor(bad))
    with pytest.raises(ValueError, match="square"):
        blob_frame(torch.zeros(2), Cameras(torch.eye(4), torch.eye(3), 64, 64)).cropped(torch.tensor([0.0, 0, 9, 8]), 8)
