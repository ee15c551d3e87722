"""What a trained model makes of people it has not seen: rows of a contact sheet, frames of a video."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch

from lca_method.batch import DrivingSignal, SubjectBatch, stacked
from lca_method.demo.contact_sheet import Row, as_bytes
from lca_method.evaluation import Predictor, person_mask
from lca_method.networks.lca import LCA
from lca_method.networks.subject import SubjectCode
from lca_shared.body.model import BodyModel, BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor


class Renderer(Protocol):
    """A trained model, as :class:`lca_method.lca_model.LCAModel` is."""

    network: LCA
    body: BodyModel
    training_step: int | None
    background_color: Float[Tensor, "3"]

    def encode(self, batch: SubjectBatch, step: int | None) -> SubjectCode:
        """What is done once a person."""
        ...

    def render(self, gaussians: Gaussians, cameras: Cameras) -> Rendering:
        """Rasterize on the model's background."""
        ...


class KeptCode:
    """Makes a person once for all targets that share the references."""

    def __init__(self, model: Renderer) -> None:
        self._model = model
        self._kept: tuple[Tensor, SubjectCode] | None = None

    def __call__(self, batch: SubjectBatch) -> SubjectCode:
        """The person of a batch."""
        images = batch.references.images
        if self._kept is None or not torch.equal(self._kept[0], images):
            self._kept = (images, self._model.encode(batch, self._model.training_step))
        return self._kept[1]


def posed_predictor(model: Renderer, code: KeptCode, flat: bool = False) -> Predictor:
    """The model's render of a batch's first target; ``flat`` puts the mean of its Gaussians' colours on all of them."""

    def predict(batch: SubjectBatch) -> Tensor:
        _, posed = model.network.drive(code(batch), batch.targets.driving)
        gaussians = posed[0, 0]
        if flat:
            weight = gaussians.opacities[:, None]
            mean = (gaussians.colors * weight).sum(0) / weight.sum()
            gaussians = gaussians.with_colors(mean.expand_as(gaussians.colors))
        return model.render(gaussians, batch.targets.cameras[0, 0]).colors.clamp(0, 1)

    return predict


HEADINGS = ("reference views", "target", "canonical", "posed")


def sheet_row(model: Renderer, batch: SubjectBatch, caption: str, references: int = 4) -> Row:
    """Reference views | target | canonical avatar at rest, from the front | avatar in the target's pose."""
    code = model.encode(batch, model.training_step)
    background, mask = model.background_color[:, None, None], person_mask(batch)
    masks = batch.references.masks[0, :references]
    shown = batch.references.images[0, :references] * masks + background * (1 - masks)
    target = batch.targets.images[0, 0] * mask + background * (1 - mask)
    rest = _at_rest(model.body, target.device)
    canonical, _ = model.network.drive(code, rest)
    _, posed = model.network.drive(code, batch.targets.driving)
    front = front_camera(rest.pose.root_translation[0, 0], model, target.shape[-1])
    return Row(
        (
            tuple(shown),
            (target,),
            (model.render(canonical[0, 0], front).colors,),
            (model.render(posed[0, 0], batch.targets.cameras[0, 0]).colors,),
        ),
        caption,
    )


def driven_frames(
    model: Renderer, people: Sequence[SubjectBatch], driving: DrivingSignal, size: int
) -> Iterator[np.ndarray]:
    """Frames of a video: for each person one reference view and the avatar, all moving alike.

    Args:
        model: the trained model.
        people: one subject each; only references and shape matter.
        driving: ``[frames]``.
        size: side of a picture, pixels.
    """
    codes = [model.encode(person, model.training_step) for person in people]
    pictures = [person.references.images[0, 0] for person in people]
    camera = front_camera(driving.pose.root_translation[0], model, size)
    for frame in range(driving.expression.shape[0]):
        signal = stacked([stacked([_frame(driving, frame)])])
        row = []
        for code, picture in zip(codes, pictures):
            _, posed = model.network.drive(code, signal)
            row += [as_bytes(picture, size), as_bytes(model.render(posed[0, 0], camera).colors)]
        yield np.concatenate(row, axis=1)


def front_camera(root_translation: Float[Tensor, "3"], model: Renderer, size: int) -> Cameras:
    """A camera 3 m in front of a body that faces -Y, with the whole body in view."""
    vertices = model.body.template_vertices.to(root_translation)
    low, high = vertices.amin(0), vertices.amax(0)
    middle = (low + high) / 2 + root_translation
    eye = middle + middle.new_tensor([0.0, -3.0, 0.0])
    focal = 3.0 * size / (1.25 * float(high[2] - low[2]))
    return Cameras(look_at(eye, middle), pinhole_intrinsics(focal, size, size).to(middle), size, size)


def _frame(driving: DrivingSignal, index: int) -> DrivingSignal:
    confidence = driving.joint_confidence
    return replace(
        driving,
        pose=driving.pose[index],
        expression=driving.expression[index],
        joint_confidence=None if confidence is None else confidence[index],
    )


def _at_rest(body: BodyModel, device: torch.device) -> DrivingSignal:
    pose = BodyPose.rest(len(body.driven_joints), (1, 1)).to(device)
    return DrivingSignal(pose, torch.zeros(1, 1, len(body.expression_names), device=device))
