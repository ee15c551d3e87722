"""People of a batch under light: what training and evaluation draw in place of ``LCA.drive``'s colours."""

import torch

from lca_method.batch import DrivingSignal
from lca_method.networks.lca import LCA
from lca_method.networks.subject import SubjectCode
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor


def lit_people(
    network: LCA, code: SubjectCode, driving: DrivingSignal, lights: Lights, albedo: bool = False
) -> Gaussians:
    """Driven Gaussians ``[*b targets]`` whose channels the deferred pass shades.

    Args:
        network: a relightable model.
        code: people, ``[*b]``.
        driving: frames of each, ``[*b targets]``.
        lights: ``[*b targets]``, or without batch axes.
        albedo: with the channels of the albedo.

    Raises:
        UserError: the model is not relightable.
    """
    relight = network.relight
    if relight is None or code.relight is None:
        raise UserError(
            "This model is not relightable. Train one: ns-train lca-relight --pipeline.model.pretrained RUN."
        )
    frames = driving.expression.shape[-2]
    posed, turned, hidden = posed_people(network, code, driving)
    with torch.autocast(code.tokens.device.type, enabled=False):
        shift = relight.shadow_shift(network, code.offsets, code.canonical.opacities)
        return relight.per_frame.buffers_of(
            code.relight.of_frames(frames),
            posed,
            lights,
            relight.shadow_body(network),
            code.shape[..., None, :],
            driving.pose,
            hidden.float(),
            albedo,
            turned,
            None if shift is None else shift[..., None, :, :],
        )


def posed_people(
    network: LCA, code: SubjectCode, driving: DrivingSignal
) -> tuple[Gaussians, Float[Tensor, "*b gaussians 3 3"], Float[Tensor, "*b tokens hidden"]]:
    """Driven Gaussians ``[*b targets]``; the frames in which they keep directions, as rotations to the world; what the
    pose-dependent head's last layer reads.

    Args: as of :func:`lit_people`.
    """
    hidden = network.pose_head.hidden(code.token_half[..., None, :, :], network.driving_vector(driving))
    deltas = network.pose_head.of_hidden(hidden)
    with torch.autocast(code.tokens.device.type, enabled=False):
        frame = network.frame(code, driving)
        canonical = code.canonical_of_frames(driving.expression.shape[-2])
        posed = frame.carried(deltas.in_full().applied_to(canonical))
        return posed, quaternion_to_matrix(frame.carried(canonical).quaternions), hidden
