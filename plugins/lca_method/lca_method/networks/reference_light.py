"""How much light reached each point in reference pictures whose light is known, so that it can be taken out of colours.

Even a light stage with all lights on is not even: shoulders get twice as much as thighs, and one part of the body keeps
light from another. Left in the colours that albedo begins with, it is what limits a relit picture most (our choice; the
paper's model learns it).
"""

import math
from typing import TYPE_CHECKING

import torch

from lca_method.batch import ReferenceViews
from lca_method.stage_light import stage_lights
from lca_method.target_lights import TargetLights
from lca_shared.lighting.lights import Lights
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA

_LEAST, _MOST = 0.3, 3.0
"""Bounds of the result: what hardly any light reached is grain."""


@torch.no_grad()
def light_in_references(
    network: "LCA", references: ReferenceViews, shape: Float[Tensor, "*b coefficients"]
) -> Float[Tensor, "*b views gaussians"] | None:
    """Light that reached each Gaussian's place on the body, with the body's own shadows, over what an upright surface
    where the person stands gets (mean over the ways it may face); 1 in views whose light was not controlled. None for
    models that are not relightable, and where no view tells its light.

    Args:
        network: that will read the references.
        references: with fit.
        shape: of the people.
    """
    lights, fit = references.lights, references.fit
    if network.relight is None or lights is None or fit is None or not bool((lights.controlled > 0).any()):
        return None
    known = lights.controlled > 0
    body = network.relight.shadow_body(network)
    found = torch.ones(*known.shape, len(network.initial_scales), device=shape.device)
    for *person, view in torch.nonzero(known).tolist():
        at = (*person, slice(view, view + 1))
        light, pose = stage_lights(_some(lights, at), 1.0), fit.pose[at]
        shadowed = body.light(shape[tuple(person)], pose, light)
        share = shadowed.mean(-1) / upright_light(light, pose.root_translation)[:, None]
        found[at] = body.spread(share[..., None])[..., 0].clamp(_LEAST, _MOST)
    return found


def _some(lights: TargetLights, at: tuple[int | slice, ...]) -> TargetLights:
    return TargetLights(*(getattr(lights, name)[at] for name in lights.__dataclass_fields__))


def upright_light(light: Lights, root: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b"]:
    """Radiance that upright white surfaces send back, mean over the ways they may face; one metre above the floor.

    Args: lights ``[*b]`` without maps; where people stand, metres, world.
    """
    place = torch.cat([root[..., :2], torch.ones_like(root[..., :1])], dim=-1)
    directions, strengths, _ = light.arriving(place[..., None, :])
    flat = torch.linalg.vector_norm(directions[..., :2], dim=-1)
    return (flat * strengths.mean(-1)).sum(dim=(-2, -1)) / math.pi + light.ambient.mean(-1)
