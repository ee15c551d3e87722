"""A batch's targets in the light in which they were filmed."""

from collections.abc import Callable

import torch

from lca_method.batch import TargetViews
from lca_method.networks.lca import LCA
from lca_method.networks.relight import in_training, relit
from lca_method.networks.relit_people import lit_people
from lca_method.networks.subject import SubjectCode
from lca_method.stage_light import lights_of, stage_lights
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor

Render = Callable[[Gaussians, Cameras, Tensor], Rendering]
"""Gaussians of any channels, cameras and what is behind -> pictures."""


def relit_targets(
    network: LCA,
    code: SubjectCode,
    targets: TargetViews,
    strength: float,
    render: Render,
    background: Float[Tensor, "3"],
) -> Rendering:
    """Pictures ``[people targets ...]``, sRGB on a background, slightly above 1 where overexposed; depth is left out.

    Args:
        network: a relightable model.
        code: people, ``[people]``.
        targets: of each, with their lights and with driving signals as the network takes them.
        strength: of the lights, see ``stage_lights``.
        render: draws Gaussians of any channels.
        background: sRGB.

    Raises:
        UserError: the light of some targets is not known.
    """
    if targets.lights is None:
        raise UserError("These targets come without their lights: set --pipeline.datamanager.target-lights.")
    lights = stage_lights(targets.lights, strength)
    buffers = lit_people(network, code, targets.driving, lights)
    people, frames = buffers.batch_shape

    def draw(gaussians: Gaussians, camera: Cameras) -> Rendering:
        return render(gaussians, camera, background.new_zeros(gaussians.colors.shape[-1]))

    pictures = []
    for person in range(people):
        for frame in range(frames):
            camera = targets.cameras[person, frame]
            light = lights_of(lights, person, frame)
            pictures.append(in_training(relit(buffers[person, frame], camera, light, draw), background))
    colors, alpha = (
        torch.stack([getattr(picture, name) for picture in pictures]).unflatten(0, (people, frames))
        for name in ("colors", "alpha")
    )
    return Rendering(colors, alpha, torch.zeros_like(alpha))


def relit_view(
    network: LCA,
    code: SubjectCode,
    targets: TargetViews,
    strength: float,
    render: Render,
    background: Float[Tensor, "3"],
) -> dict[str, Float[Tensor, "h w 3"]]:
    """``rgb`` of a batch's only target in its light; nothing for models that are not relightable, or without lights.

    Args: as of :func:`relit_targets`.
    """
    if network.relight is None or targets.lights is None:
        return {}
    picture = relit_targets(network, code, targets, strength, render, background)
    return {"rgb": picture.colors[0, 0].movedim(0, -1).clamp(0, 1)}
