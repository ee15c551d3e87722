"""What a training step does with learned expression codes beyond driving each frame with its own."""

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from lca_method.batch import DrivingSignal, FaceViews, SubjectBatch, TargetViews
from lca_method.losses.code_losses import CodeViews
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.expression_encoder import BACKGROUND
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from lca_method.losses import LossConfig
    from lca_method.networks.lca import LCA
    from lca_method.networks.subject import SubjectCode
    from lca_shared.rendering import Rendering

    Render = Callable[[Gaussians, Cameras, Tensor], Rendering]


def coded_driving(
    network: "LCA", shape: Float[Tensor, "*b coefficients"], targets: TargetViews, losses: "LossConfig"
) -> tuple[DrivingSignal, CodeViews | None]:
    """The targets' driving signal with codes of their faces (through the bottleneck), and the codes for the losses;
    the signal as it is and None for models that are driven by coefficients.

    Raises:
        UserError: the targets come without face crops.
    """
    expression, faces = network.driving_vector.expression, targets.faces
    if not isinstance(expression, LearnedExpression):
        return targets.driving, None
    if faces is None:
        raise UserError(
            "A learned expression code is read from face crops: set --pipeline.datamanager.target-faces True."
        )
    codes = expression.encoder.of(faces)
    twice = losses.code_agreement or losses.code_contrast
    again = expression.encoder.of(faces) if twice else None
    adapted = expression.adapted(targets.driving.expression)
    driving = replace(targets.driving, code=expression.encoder.disturbed(codes))
    template = expression.readout(expression.encoder.noisy(codes)) if network.config.template_expression else None
    texture = texture_seen = None
    if losses.code_texture and template is not None:
        with torch.autocast(
            codes.device.type, enabled=False
        ):  # pixels of a large picture need more than half precision
            read = network.face_surface.read
            texture, texture_seen = read(shape, targets.driving.pose, template.float(), faces)
    return driving, CodeViews(codes, faces.seen, adapted, template, texture, texture_seen, again)


def of_all_processes(views: CodeViews) -> CodeViews:
    """The codes of every process's people, in the order of ranks, so that losses which compare people are those of one
    process that has them all.

    All processes then have the same loss, and each gradients to its own people alone: these count as often as there are
    processes, for the gradients of processes are averaged.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return views
    given = {f.name: getattr(views, f.name) for f in fields(views)}
    return replace(views, **{name: _gathered(value) for name, value in given.items() if value is not None})


def _gathered(own: Tensor) -> Tensor:
    rank, world = dist.get_rank(), dist.get_world_size()
    parts = [torch.empty_like(own, requires_grad=False).contiguous() for _ in range(world)]
    dist.all_gather(parts, own.detach().contiguous())
    parts[rank] = world * own - (world - 1) * own.detach()  # the same number, with ``world`` times its gradient
    return torch.cat(parts)


def with_reference_faces(batch: SubjectBatch) -> TargetViews:
    """The targets, with the reference views as further frames of which nothing but the face is known.

    References whose fit is not known are left out.
    """
    targets, references = batch.targets, batch.references
    fit, faces = references.fit, targets.faces
    if fit is None or fit.expression is None or faces is None:
        return targets
    seen = (references.face_masks.amax(dim=(-3, -2, -1)) > 0).to(faces.seen)
    others = FaceViews(references.face_images, references.face_masks, fit.face_cameras, seen, fit.face_places)
    driving = DrivingSignal(targets.driving.pose, targets.driving.expression)
    axis = targets.weights.dim() - 1
    return replace(
        targets,
        faces=_in_a_row(faces, others, axis),
        driving=_in_a_row(driving, DrivingSignal(fit.pose, fit.expression), axis),
    )


def _in_a_row(first: Any, second: Any, axis: int) -> Any:
    """Two containers of the same kind joined along an axis of frames."""
    if isinstance(first, Tensor):
        return torch.cat([first, second], dim=axis)
    if is_dataclass(first) and not isinstance(first, type):
        parts = {f.name: _in_a_row(getattr(first, f.name), getattr(second, f.name), axis) for f in fields(first)}
        return replace(first, **parts)
    return first


def with_swap(
    network: "LCA",
    person: "SubjectCode",
    targets: TargetViews,
    views: CodeViews,
    render: "Render",
) -> CodeViews:
    """Drive every frame again with another frame's code and read the code of the rendered face.

    Frames swap between people if there are several, else among one person's.

    Args:
        network: with a learned code.
        person: whom to drive, batch shape ``[*b]``.
        targets: poses, gaze and face cameras of the frames.
        views: their codes.
        render: of Gaussians, cameras and background colour.
    """
    expression, faces = network.driving_vector.expression, targets.faces
    if not isinstance(expression, LearnedExpression) or faces is None:
        raise ValueError("only learned codes of face crops can be swapped")
    axis = 0 if views.codes.dim() > 2 and views.codes.shape[0] > 1 else views.codes.dim() - 2
    swapped, other_seen = views.codes.detach().roll(1, axis), views.seen.roll(1, axis)
    _, posed = network.drive(person, replace(targets.driving, code=swapped))
    pictures = render(posed, faces.cameras, torch.full((3,), BACKGROUND, device=swapped.device)).colors
    shown = torch.ones_like(pictures[..., :1, :, :])
    recoded = expression.encoder(pictures, shown, torch.ones_like(views.seen), faces.places)
    return replace(views, swapped=swapped, recoded=recoded, swap_seen=views.seen * other_seen)


def face_targets(targets: TargetViews) -> TargetViews | None:
    """The targets' face crops as targets of their own; None if there are none."""
    faces = targets.faces
    if faces is None:
        return None
    return TargetViews(faces.images, faces.masks, faces.cameras, targets.driving, targets.weights)
