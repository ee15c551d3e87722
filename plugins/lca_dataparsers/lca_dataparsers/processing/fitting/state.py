"""What the fit searches for, and what it predicts for the picture.

While fitting, the camera stands at the world's origin and looks along +Y, level: ``x_camera = (x, -z, y)``. A person
who faces it has the rest orientation. :mod:`.result` moves the origin to where the person is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

CAMERA_FROM_WORLD = ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0))
NEAREST = 0.1
"""Metres; points nearer to the camera are projected as if they were here."""


@dataclass(frozen=True)
class FitState:
    """One person over T frames."""

    shape: Float[Tensor, "coefficients"]
    log_focal: Float[Tensor, ""]
    """Logarithm of focal length over its prior."""
    root_start: Float[Tensor, "frames 3 3"]
    """Orientation of the root that the search starts from."""
    root_delta: Float[Tensor, "frames 3"]
    """Rotation vector applied after it."""
    translation: Float[Tensor, "frames 3"]
    """Added to the root joint's rest position, metres."""
    rotations: Float[Tensor, "frames driven 3"]
    """Rotation vectors of the driven joints."""

    @property
    def root(self) -> Float[Tensor, "frames 3 3"]:
        """Orientation of the root."""
        return rotation_vector_to_matrix(self.root_delta) @ self.root_start

    def __len__(self) -> int:
        return len(self.translation)

    def __getitem__(self, index: slice | Tensor) -> "FitState":
        """Some of the frames."""
        names = ("root_start", "root_delta", "translation", "rotations")
        return replace(self, **{name: getattr(self, name)[index] for name in names})

    def settled(self) -> "FitState":
        """The same without gradients and with ``root_delta`` folded into ``root_start``."""
        with torch.no_grad():
            return FitState(
                self.shape.detach().clone(),
                self.log_focal.detach().clone(),
                self.root.detach().clone(),
                torch.zeros_like(self.root_delta),
                self.translation.detach().clone(),
                self.rotations.detach().clone(),
            )


@dataclass(frozen=True)
class Prediction:
    """Where a state puts the body's points."""

    state: FitState
    body: PointBody
    points: Mapping[str, Float[Tensor, "frames _ 3"]]
    """World, metres, by group of ``PointBody``."""
    pixels: Mapping[str, Float[Tensor, "frames _ 2"]]
    joints: Float[Tensor, "frames active 3"]
    """World positions of the active joints."""


def rest_state(frames: int, coefficients: int, driven: int, like: Tensor) -> FitState:
    """The mean person at rest, at the camera: where :mod:`.start` begins."""
    return FitState(
        shape=like.new_zeros(coefficients),
        log_focal=like.new_zeros(()),
        root_start=torch.eye(3).to(like).repeat(frames, 1, 1),
        root_delta=like.new_zeros(frames, 3),
        translation=like.new_zeros(frames, 3),
        rotations=like.new_zeros(frames, driven, 3),
    )


def to_camera(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Points or directions of the fit's world in the camera's axes."""
    return torch.stack([points[..., 0], -points[..., 2], points[..., 1]], dim=-1)


def project(
    points: Float[Tensor, "*batch 3"], focal: Float[Tensor, ""], picture: Float[Tensor, "2"]
) -> Float[Tensor, "*batch 2"]:
    """Pixels of points in the fit's world; the principal point is the middle of the picture."""
    in_camera = to_camera(points)
    depth = in_camera[..., 2:].clamp(min=NEAREST)
    return in_camera[..., :2] / depth * focal + 0.5 * picture


def predict(
    state: FitState,
    body: PointBody,
    face_displacements: Float[Tensor, "frames face 3"],
    focal_prior: float,
    picture: Float[Tensor, "2"],
) -> Prediction:
    """Pose the points and project them."""
    rest_points, rest_joints = body.of_shape(state.shape)
    transforms = body.transforms(rest_joints, state.root, state.rotations, state.translation)
    points = body.posed(rest_points, transforms, face_displacements)
    joints = (transforms[..., :3] @ rest_joints[..., None])[..., 0] + transforms[..., 3]
    focal = focal_prior * torch.exp(state.log_focal)
    pixels = {name: project(group, focal, picture) for name, group in points.items()}
    return Prediction(state, body, points, pixels, joints)
