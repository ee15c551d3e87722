"""Random crop, scale, horizontal flip and photometric change of a step's pictures (Section 4; amounts are our choice).

Everything that belongs to a picture follows it: mask, camera, and for a flip the pose, gaze and expression of the body,
so that what a camera sees of a body stays where the picture shows it. A person's pictures are flipped, and change
colour, together: an avatar must look like its references. Crop and scale are each picture's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch

from lca_method.batch import FaceViews, ReferenceFit, ReferenceViews, SubjectBatch, TargetViews, stacked
from lca_method.mirroring import BodyMirror, mirrored_cameras
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class AugmentationConfig:
    """How much pictures are changed in training; the defaults change nothing."""

    flip: float = 0.0
    """Probability that a person is mirrored."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Smallest and largest factor by which a picture is enlarged about its middle."""
    shift: float = 0.0
    """Largest shift of a picture along each axis, as a fraction of its side: with ``scale``, a random crop."""
    brightness: float = 0.0
    """Colours are multiplied by a factor up to this far from 1."""
    contrast: float = 0.0
    """Distances from middle grey are multiplied by a factor up to this far from 1."""
    saturation: float = 0.0
    """Distances from a pixel's own grey are multiplied by a factor up to this far from 1."""
    same_look: bool = True
    """References and targets of a person change colour alike; False draws the references' change apart, so that a
    network must tell the colour of a person from that of a camera."""

    @property
    def changes_references(self) -> bool:
        """Whether reference pictures differ from step to step."""
        return self != AugmentationConfig(same_look=self.same_look)


@dataclass(frozen=True)
class Look:
    """A photometric change."""

    brightness: float
    contrast: float
    saturation: float

    def applied_to(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 3 h w"]:
        """The pictures in other colours, sRGB 0..1."""
        grey = images.mean(dim=-3, keepdim=True)
        colors = grey + self.saturation * (images - grey)
        return (0.5 + self.contrast * (self.brightness * colors - 0.5)).clamp(0.0, 1.0)


@dataclass(frozen=True)
class SubjectChange:
    """What happens to one person's pictures in one step."""

    flip: bool
    reference_look: Look
    target_look: Look
    references: Float[Tensor, "views 3"]
    """Scale, and shift in x and y as fractions of the side."""
    reference_faces: Float[Tensor, "views 3"]
    targets: Float[Tensor, "targets 3"]


def draw_change(config: AugmentationConfig, generator: np.random.Generator, views: int, targets: int) -> SubjectChange:
    """Draw a person's change, for numbers of reference views and targets."""

    def around_one(amount: float) -> float:
        return float(generator.uniform(1 - amount, 1 + amount))

    def look() -> Look:
        return Look(around_one(config.brightness), around_one(config.contrast), around_one(config.saturation))

    def zooms(count: int) -> Tensor:
        scales = np.exp(generator.uniform(*np.log(config.scale), size=(count, 1)))
        shifts = generator.uniform(-config.shift, config.shift, size=(count, 2))
        return torch.from_numpy(np.concatenate([scales, shifts], axis=1)).float()

    flip, first, second = bool(generator.random() < config.flip), look(), look()
    reference_look = first if config.same_look else second
    return SubjectChange(flip, reference_look, first, zooms(views), zooms(views), zooms(targets))


def augmented(
    batch: SubjectBatch, config: AugmentationConfig, mirror: BodyMirror, seed: int, step: int, first_slot: int = 0
) -> SubjectBatch:
    """The batch with every person changed at random.

    Args:
        batch: leading axis: people.
        config: how much.
        mirror: of the body model.
        seed: with step and slot it decides the change, whatever was drawn before.
        step: training step.
        first_slot: place of the first person among all people of the step, on all processes.
    """
    if not config.changes_references:
        return batch
    people = []
    for index in range(batch.shape.shape[0]):
        person = _person(batch, index)
        generator = np.random.default_rng([seed, step, first_slot + index, 0xA06])
        counts = person.references.images.shape[0], person.targets.images.shape[0]
        people.append(changed(person, draw_change(config, generator, *counts), mirror))
    return stacked(people)


def changed(person: SubjectBatch, change: SubjectChange, mirror: BodyMirror) -> SubjectBatch:
    """One person's part of a step (no batch axes), changed."""
    references, targets = person.references, person.targets
    if change.flip:
        references, targets = flipped_references(references, mirror), flipped_targets(targets, mirror)
    references = _zoomed_references(references, change)
    images, masks, valid, cameras = zoomed(
        targets.images, targets.masks, targets.valid, targets.cameras, change.targets
    )
    look = change.target_look.applied_to
    faces = None if targets.faces is None else replace(targets.faces, images=look(targets.faces.images))
    targets = replace(targets, images=look(images), masks=masks, valid=valid, cameras=cameras, faces=faces)
    look = change.reference_look.applied_to
    references = replace(references, images=look(references.images), face_images=look(references.face_images))
    return replace(person, references=references, targets=targets)


def zoomed(
    images: Float[Tensor, "n 3 h w"],
    masks: Float[Tensor, "n 1 h w"],
    valid: Float[Tensor, "n 1 h w"] | None,
    cameras: Cameras,
    zooms: Float[Tensor, "n 3"],
) -> tuple[Tensor, Tensor, Tensor, Cameras]:
    """Pictures enlarged about their middle and shifted, with what belongs to them.

    Args:
        images: pictures.
        masks: person masks.
        valid: 1 = inside the original picture; None = all.
        cameras: of the pictures, batch shape ``[n]``.
        zooms: scale, and shift in x and y as fractions of width and height.

    Returns:
        Images, masks, valid (0 where nothing is known) and cameras: a world point moves with its pixel.
    """
    height, width = images.shape[-2:]
    zooms = zooms.to(images)
    scale, shift = zooms[:, :1], zooms[:, 1:]
    valid = torch.ones_like(masks) if valid is None else valid
    if bool((scale == 1).all() and (shift == 0).all()):
        return images, masks, valid, cameras
    # in grid_sample's frame (-1..1 over the picture) old = (new - 2 shift) / scale
    matrix = torch.zeros(len(images), 2, 3, device=images.device)
    matrix[:, 0, 0] = matrix[:, 1, 1] = (1 / scale)[:, 0]
    matrix[:, :, 2] = -2 * shift / scale
    grid = torch.nn.functional.affine_grid(matrix, [len(images), 1, height, width], align_corners=False)
    sampled = torch.nn.functional.grid_sample(torch.cat([images, masks], dim=1), grid, align_corners=False)
    known = torch.nn.functional.grid_sample(valid, grid, align_corners=False)
    side = images.new_tensor([width, height])
    pixels = torch.eye(3, device=images.device).repeat(len(images), 1, 1)
    pixels[:, 0, 0] = pixels[:, 1, 1] = scale[:, 0]
    pixels[:, :2, 2] = (1 - scale) * side / 2 + shift * side
    cameras = replace(cameras, intrinsics=pixels @ cameras.intrinsics)
    return sampled[:, :3], sampled[:, 3:], (known > 0.999).to(valid), cameras


def flipped_references(views: ReferenceViews, mirror: BodyMirror) -> ReferenceViews:
    """Reference views of the mirrored person."""
    fit = views.fit
    if fit is not None:
        cameras, face_cameras = mirrored_cameras(fit.cameras), mirrored_cameras(fit.face_cameras)
        shown = fit.expression
        shown = None if shown is None else shown[..., list(mirror.expressions)]
        fit = ReferenceFit(mirror.pose(fit.pose), cameras, face_cameras, shown, _flipped_places(fit.face_places))
    return ReferenceViews(
        views.images.flip(-1), views.masks.flip(-1), views.face_images.flip(-1), views.face_masks.flip(-1), fit
    )


def flipped_targets(views: TargetViews, mirror: BodyMirror) -> TargetViews:
    """Target views of the mirrored person."""
    return replace(
        views,
        images=views.images.flip(-1),
        masks=views.masks.flip(-1),
        valid=None if views.valid is None else views.valid.flip(-1),
        cameras=mirrored_cameras(views.cameras),
        driving=mirror.driving(views.driving),
        faces=None if views.faces is None else _flipped_faces(views.faces),
    )


def _flipped_faces(faces: FaceViews) -> FaceViews:
    cameras = mirrored_cameras(faces.cameras)
    places = _flipped_places(faces.places)
    return replace(faces, images=faces.images.flip(-1), masks=faces.masks.flip(-1), cameras=cameras, places=places)


def _flipped_places(places: Tensor | None) -> Tensor | None:
    """Where the mirrored face is in the mirrored crop."""
    return None if places is None else places.flip(-2) * places.new_tensor([-1.0, 1.0])


def _zoomed_references(views: ReferenceViews, change: SubjectChange) -> ReferenceViews:
    fit = views.fit
    cameras = _some_cameras(views.images) if fit is None else fit.cameras
    face_cameras = _some_cameras(views.face_images) if fit is None else fit.face_cameras
    images, masks, _, cameras = zoomed(views.images, views.masks, None, cameras, change.references)
    faces, face_masks, _, face_cameras = zoomed(
        views.face_images, views.face_masks, None, face_cameras, change.reference_faces
    )
    if fit is not None:
        places = None if fit.face_places is None else zoomed_places(fit.face_places, change.reference_faces)
        fit = replace(fit, cameras=cameras, face_cameras=face_cameras, face_places=places)
    return replace(views, images=images, masks=masks, face_images=faces, face_masks=face_masks, fit=fit)


def zoomed_places(
    places: Float[Tensor, "n rows columns 2"], zooms: Float[Tensor, "n 3"]
) -> Float[Tensor, "n rows columns 2"]:
    """Where faces are in the crops after :func:`zoomed`."""
    zooms = zooms[:, None, None].to(places)
    return places * zooms[..., :1] + 2 * zooms[..., 1:]


def _some_cameras(images: Float[Tensor, "n 3 h w"]) -> Cameras:
    """Stand-ins for views of which no camera is known."""
    count, (height, width) = len(images), images.shape[-2:]
    poses, intrinsics = (torch.eye(size).to(images).expand(count, size, size) for size in (4, 3))
    return Cameras(poses, intrinsics, width, height)


def _person(value: Any, index: int) -> Any:
    """One person of a container with a leading axis."""
    if isinstance(value, Tensor):
        return value[index]
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: _person(getattr(value, f.name), index) for f in fields(value)})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(value[index : index + 1])
    return value
