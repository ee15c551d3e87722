"""What one training step sees: a subject's reference views, and target views to explain.

Every container takes any leading batch axes ``*b`` (none for one subject). Pictures are sRGB 0..1, masks 1 = person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar

import torch

from lca_method.target_lights import TargetLights
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Tensor

Container = TypeVar("Container")


@dataclass(frozen=True)
class ReferenceFit:
    """The body that processing fitted to each reference view; the paper's networks do not need it."""

    pose: BodyPose
    """Batch shape ``[*b views]``."""
    cameras: Cameras
    """Of ``ReferenceViews.images``, batch shape ``[*b views]``."""
    face_cameras: Cameras
    """Of ``ReferenceViews.face_images``, batch shape ``[*b views]``."""
    expression: Float[Tensor, "*b views expressions"] | None = None
    """Coefficients of each view; None = unknown, taken as neutral."""
    face_places: Float[Tensor, "*b views rows columns 2"] | None = None
    """As ``FaceViews.places``."""


@dataclass(frozen=True)
class ReferenceViews:
    """Pictures of a subject from which the avatar is made: square crops, in no particular order."""

    images: Float[Tensor, "*b views 3 h w"]
    """Whole body, sRGB 0..1."""
    masks: Float[Tensor, "*b views 1 h w"]
    """Person mask of ``images``."""
    face_images: Float[Tensor, "*b views 3 fh fw"]
    """Crops around the head; all zero (with zero mask) where the face was not seen."""
    face_masks: Float[Tensor, "*b views 1 fh fw"]
    """Person mask of ``face_images``."""
    fit: ReferenceFit | None = None
    """Needed by models with ``LCAConfig.projected_colors``."""
    lights: TargetLights | None = None
    """The light of each view, if ``CropSizes.target_lights`` asks for it: relightable models take it out of colours."""


@dataclass(frozen=True)
class DrivingSignal:
    """What animates the avatar, one element per target frame."""

    pose: BodyPose
    """Batch shape ``[*b targets]``: joints, root and gaze."""
    expression: Float[Tensor, "*b targets expressions"]
    """Coefficients named by ``BodyModel.expression_names`` (52)."""
    joint_confidence: Float[Tensor, "*b targets driven"] | None = None
    """0 = the joint was not seen, its rotation is a prior's guess and is hidden from the network; None = all seen."""
    code: Float[Tensor, "*b targets code"] | None = None
    """Learned expression code, for models with ``DrivingConfig.expression = "code"``; None = from ``expression``."""


@dataclass(frozen=True)
class FaceViews:
    """Square crops around the head of frames that drive or are to be explained."""

    images: Float[Tensor, "*b targets 3 fh fw"]
    """sRGB 0..1; all zero where the face was not seen."""
    masks: Float[Tensor, "*b targets 1 fh fw"]
    """Person mask; all zero where the face was not seen."""
    cameras: Cameras
    """Of ``images``, batch shape ``[*b targets]``."""
    seen: Float[Tensor, "*b targets"]
    """1 = the face was seen."""
    places: Float[Tensor, "*b targets rows columns 2"] | None = None
    """Where the parts of the face are in the crops (see :mod:`lca_method.face_places`); None = take them whole."""


@dataclass(frozen=True)
class TargetViews:
    """Pictures to be explained, with the camera and the driving signal of each."""

    images: Float[Tensor, "*b targets 3 H W"]
    masks: Float[Tensor, "*b targets 1 H W"]
    cameras: Cameras
    """Batch shape ``[*b targets]``, image size H x W."""
    driving: DrivingSignal
    weights: Float[Tensor, "*b targets"]
    """Weight of each target in the losses; 0 leaves it out."""
    valid: Float[Tensor, "*b targets 1 H W"] | None = None
    """1 = inside the picture, 0 = the crop leaves it and nobody knows what is there; None = all inside."""
    faces: FaceViews | None = None
    """The same frames' heads: what a learned expression code is read from, and what ``LossConfig.face`` compares."""
    lights: TargetLights | None = None
    """The light of each target, if ``CropSizes.target_lights`` asks for it."""
    garments: Float[Tensor, "*b targets 1 H W"] | None = None
    """1 = the person's loose garment, if ``CropSizes.target_garments`` asks for it and the dataset knows."""


@dataclass(frozen=True)
class SubjectBatch:
    """One step's subjects."""

    references: ReferenceViews
    targets: TargetViews
    shape: Float[Tensor, "*b coefficients"]
    """Shape coefficients of the body model, one set per person."""
    ids: tuple[str, ...] = ()
    """Subject ids in row-major order of ``*b``; empty when nobody needs them."""


def moved_to(container: Container, device: torch.device | str) -> Container:
    """The same container (any of the above, or ``BodyPose``, ``Cameras``) with every tensor on ``device``."""
    return _mapped(container, lambda tensor: tensor.to(device))


def stacked(batches: Sequence[Container]) -> Container:
    """Containers of the same shapes (e.g. ``SubjectBatch`` of one subject each) stacked along a new first axis.

    Raises:
        ValueError: the sequence is empty, or fields that are not tensors (image sizes) differ.
    """
    if not batches:
        raise ValueError("nothing to stack")
    return _stacked(batches)


def _mapped(value: Any, function: Any) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _mapped(getattr(value, f.name), function) for f in fields(value)})
    return value


def _stacked(values: Sequence[Any]) -> Any:
    first = values[0]
    if isinstance(first, Tensor):
        return torch.stack(list(values))
    if is_dataclass(first) and not isinstance(first, type):
        return type(first)(**{f.name: _stacked([getattr(v, f.name) for v in values]) for f in fields(first)})
    if isinstance(first, tuple):
        return tuple(item for value in values for item in value)
    if any(value != first for value in values):
        raise ValueError(f"cannot stack {first!r} with other values")
    return first
