"""What a training step does with learned expression codes beyond driving each frame with its own."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from lca_method.batch import DrivingSignal, TargetViews
from lca_method.losses.code_losses import CodeViews
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.expression_encoder import BACKGROUND
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from lca_method.losses import LossConfig
    from lca_method.networks.lca import LCA
    from lca_method.networks.subject import SubjectCode
    from lca_shared.rendering import Rendering

    Render = Callable[[Gaussians, Cameras, Tensor], Rendering]


def coded_driving(network: "LCA", targets: TargetViews, losses: "LossConfig") -> tuple[DrivingSignal, CodeViews | None]:
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
    codes = expression.encoder(faces.images, faces.masks, faces.seen)
    twice = losses.code_agreement or losses.code_contrast
    again = expression.encoder(faces.images, faces.masks, faces.seen) if twice else None
    adapted = expression.adapter(targets.driving.expression)
    driving = replace(targets.driving, code=expression.encoder.disturbed(codes))
    return driving, CodeViews(codes, faces.seen, adapted, again)


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
    recoded = expression.encoder(pictures, torch.ones_like(pictures[..., :1, :, :]), torch.ones_like(views.seen))
    return replace(views, swapped=swapped, recoded=recoded, swap_seen=views.seen * other_seen)


def face_targets(targets: TargetViews) -> TargetViews | None:
    """The targets' face crops as targets of their own; None if there are none."""
    faces = targets.faces
    if faces is None:
        return None
    return TargetViews(faces.images, faces.masks, faces.cameras, targets.driving, targets.weights)
