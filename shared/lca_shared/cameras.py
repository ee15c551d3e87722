"""Pinhole cameras in OpenCV's frame, and the border to nerfstudio's.

Inside the house a camera looks along +z, with x right and y down; ``camera_from_world`` is a rigid 4x4 matrix in
metres; intrinsics are in pixels with pixel centres at +0.5. nerfstudio keeps world-from-camera with OpenGL axes
(x right, y up, z back): the two functions at the end are the only place that knows.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch

from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Cameras:
    """A batch of pinhole cameras with one image size."""

    camera_from_world: Float[Tensor, "*batch 4 4"]
    """Rigid transforms, OpenCV axes, metres."""
    intrinsics: Float[Tensor, "*batch 3 3"]
    """Focal lengths and principal points in pixels; pixel centres at +0.5."""
    width: int
    """Image width in pixels."""
    height: int
    """Image height in pixels."""

    @property
    def batch_shape(self) -> torch.Size:
        """The leading axes."""
        return self.camera_from_world.shape[:-2]

    def __getitem__(self, index: Any) -> "Cameras":
        """Index the leading axes."""
        return replace(self, camera_from_world=self.camera_from_world[index], intrinsics=self.intrinsics[index])

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Cameras":
        """The same cameras on another device or in another precision."""
        return replace(
            self,
            camera_from_world=self.camera_from_world.to(device=device, dtype=dtype),
            intrinsics=self.intrinsics.to(device=device, dtype=dtype),
        )

    def world_centers(self) -> Float[Tensor, "*batch 3"]:
        """Positions of the cameras in the world, metres."""
        rotation, translation = self.camera_from_world[..., :3, :3], self.camera_from_world[..., :3, 3]
        return -(rotation.mT @ translation[..., None])[..., 0]

    def transformed(self, new_from_old: Float[Tensor, "4 4"]) -> "Cameras":
        """The cameras after the world (and they with it) moved by the rigid transform ``new_from_old``."""
        return replace(self, camera_from_world=self.camera_from_world @ torch.linalg.inv(new_from_old))

    def cropped(self, left: float, top: float, width: int, height: int) -> "Cameras":
        """The cameras of the picture cut out at ``(left, top)`` (pixels, may lie outside)."""
        shift = torch.zeros_like(self.intrinsics)
        shift[..., 0, 2], shift[..., 1, 2] = left, top
        return replace(self, intrinsics=self.intrinsics - shift, width=width, height=height)

    def resized(self, width: int, height: int) -> "Cameras":
        """The cameras of the picture resampled to ``width`` x ``height``."""
        factors = self.intrinsics.new_tensor([width / self.width, height / self.height, 1.0])
        return replace(self, intrinsics=self.intrinsics * factors[:, None], width=width, height=height)


def transform_points(
    a_from_b: Float[Tensor, "*#batch 4 4"], points: Float[Tensor, "*#batch points 3"]
) -> Float[Tensor, "*batch points 3"]:
    """Apply rigid or affine transforms to points. Leading axes broadcast."""
    return points @ a_from_b[..., :3, :3].mT + a_from_b[..., None, :3, 3]


def project(
    cameras: Cameras, points: Float[Tensor, "*batch points 3"]
) -> tuple[Float[Tensor, "*batch points 2"], Float[Tensor, "*batch points"]]:
    """Project world points.

    Returns:
        Pixel positions, and depths along the optical axis in metres (negative behind the camera).
    """
    in_camera = transform_points(cameras.camera_from_world, points)
    depth = in_camera[..., 2]
    homogeneous = in_camera @ cameras.intrinsics.mT
    return homogeneous[..., :2] / depth[..., None], depth


def unproject(
    cameras: Cameras, pixels: Float[Tensor, "*batch points 2"], depth: Float[Tensor, "*batch points"]
) -> Float[Tensor, "*batch points 3"]:
    """World points at ``depth`` metres along the optical axis under ``pixels``: the inverse of :func:`project`."""
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], dim=-1)
    in_camera = (homogeneous @ torch.linalg.inv(cameras.intrinsics).mT) * depth[..., None]
    return transform_points(torch.linalg.inv(cameras.camera_from_world), in_camera)


def look_at(
    eye: Float[Tensor, "*batch 3"],
    target: Float[Tensor, "*batch 3"],
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Float[Tensor, "*batch 4 4"]:
    """``camera_from_world`` of a camera at ``eye`` that looks at ``target`` with ``up`` upwards in the picture."""
    forward = torch.nn.functional.normalize(target - eye, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, eye.new_tensor(up).expand_as(forward)), dim=-1)
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)
    matrix = torch.zeros(*eye.shape[:-1], 4, 4, dtype=eye.dtype, device=eye.device)
    matrix[..., :3, :3] = rotation
    matrix[..., :3, 3] = -(rotation @ eye[..., None])[..., 0]
    matrix[..., 3, 3] = 1.0
    return matrix


def pinhole_intrinsics(focal: float, width: int, height: int) -> Float[Tensor, "3 3"]:
    """Intrinsics with one focal length (pixels) and the principal point in the middle of the picture."""
    return torch.tensor([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])


_OPENGL_FROM_OPENCV = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))


def from_nerfstudio(
    camera_to_worlds: Float[Tensor, "*batch 3 4"],
    fx: Float[Tensor, "*batch"],
    fy: Float[Tensor, "*batch"],
    cx: Float[Tensor, "*batch"],
    cy: Float[Tensor, "*batch"],
    width: int,
    height: int,
) -> Cameras:
    """Cameras from the fields of ``nerfstudio.cameras.cameras.Cameras`` (world-from-camera, OpenGL axes)."""
    bottom = camera_to_worlds.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*camera_to_worlds.shape[:-2], 1, 4)
    world_from_opengl = torch.cat([camera_to_worlds, bottom], dim=-2)
    world_from_camera = world_from_opengl @ _OPENGL_FROM_OPENCV.to(camera_to_worlds)
    intrinsics = torch.zeros(*camera_to_worlds.shape[:-2], 3, 3).to(camera_to_worlds)
    intrinsics[..., 0, 0], intrinsics[..., 1, 1] = fx, fy
    intrinsics[..., 0, 2], intrinsics[..., 1, 2] = cx, cy
    intrinsics[..., 2, 2] = 1.0
    return Cameras(torch.linalg.inv(world_from_camera), intrinsics, width, height)


def to_nerfstudio(cameras: Cameras) -> dict[str, Any]:
    """Keyword arguments for ``nerfstudio.cameras.cameras.Cameras``: the inverse of :func:`from_nerfstudio`."""
    world_from_opengl = torch.linalg.inv(cameras.camera_from_world) @ _OPENGL_FROM_OPENCV.to(cameras.intrinsics)
    return {
        "camera_to_worlds": world_from_opengl[..., :3, :4],
        "fx": cameras.intrinsics[..., 0, 0, None],
        "fy": cameras.intrinsics[..., 1, 1, None],
        "cx": cameras.intrinsics[..., 0, 2, None],
        "cy": cameras.intrinsics[..., 1, 2, None],
        "width": cameras.width,
        "height": cameras.height,
    }
