"""Albedo held to the reference pictures: a person, lit as in them, must look as they do.

Colours are read off pictures at one point a Gaussian, and the light taken out of them is that on the bare body. What is
seen of an avatar is many Gaussians mixed, each lit by its own normal and shadow. Where the avatar, relit as the
references were, differs from them, the difference is carried back to the Gaussians that each pixel mixes: steps of
least squares with the rasterizer's own weights. Not in the paper.
"""

from dataclasses import replace

import torch

from lca_method.batch import DrivingSignal, ReferenceViews
from lca_method.networks.lca import LCA
from lca_method.networks.pixel_mixtures import carried_back
from lca_method.networks.reference_light import upright_light
from lca_method.networks.relight import relit
from lca_method.networks.relight_shading import facing_weights
from lca_method.networks.relit_people import lit_people
from lca_method.networks.subject import SubjectCode
from lca_method.stage_light import lights_of, stage_lights
from lca_method.target_lights import TargetLights
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import to_linear
from lca_shared.rendering import Rendering, rasterize
from lca_shared.tensors import Float, Tensor

_INSIDE, _SOLID = 0.99, 0.9
"""Mask and alpha of pixels that count: at the outline the background shows through, in the picture or in ours."""
_BRIGHT = 0.97
"""sRGB above which a picture does not say how bright a place is."""
_HELD = 0.1
"""Pixels in light of 1 that what is known already weighs as much as."""
_DARK = 0.004
"""Albedo below which light is not asked what it was."""


def with_fitted_albedo(network: LCA, code: SubjectCode, references: ReferenceViews) -> SubjectCode:
    """People with the albedo that explains their references best, near that which they had. Pictures whose light is not
    known say nothing.

    Args:
        network: a relightable model; its ``RelightConfig.albedo_steps`` says how often.
        code: people, ``[*b]``, as made from ``references``.
        references: with fit.

    Raises:
        UserError: the references come without their fit.
    """
    steps, known = network.config.relight.albedo_steps, references.lights
    if network.relight is None or steps == 0 or known is None or not bool((known.controlled > 0).any()):
        return code
    fit = references.fit
    if fit is None:
        raise UserError("Albedo is held to pictures where the fitted body is: give ReferenceViews.fit.")
    expression = fit.expression
    if expression is None:
        expression = fit.pose.root_translation.new_zeros(*fit.cameras.batch_shape, len(network.body.expression_names))
    driving = DrivingSignal(fit.pose, expression)
    lights = _lights(known, fit.pose.root_translation, network.config.relight.reference_light)
    views = [
        (references.images, references.masks, fit.cameras),
        (references.face_images, references.face_masks, fit.face_cameras),  # else faces would lose their finer detail
    ]
    for _ in range(steps):
        assert code.relight is not None
        with torch.no_grad():
            buffers = lit_people(network, code, driving, lights, albedo=True)
        pulled = torch.zeros(*code.relight.albedo.shape[:-1], 4, device=buffers.means.device)
        for *person, view in torch.nonzero(known.controlled > 0).tolist():
            at = (*person, view)
            for images, masks, cameras in views:
                pulled[tuple(person)] += _pull(buffers[at], cameras[at], lights_of(lights, *at), images[at], masks[at])
        change = pulled[..., :3] / (pulled[..., 3:] + _HELD)
        albedo = (code.relight.albedo + change).clamp(0.002, 0.98)
        code = replace(code, relight=replace(code.relight, albedo=albedo))
    return code


def _pull(
    buffers: Gaussians,
    camera: Cameras,
    light: Lights,
    image: Float[Tensor, "3 h w"],
    mask: Float[Tensor, "1 h w"],
) -> Float[Tensor, "gaussians 4"]:
    """What a picture asks of each Gaussian's albedo: sums over pixels of difference times light, and of light squared,
    by how much of the pixel the Gaussian is."""
    with torch.no_grad():
        lit = relit(buffers, camera, light, _draw)
        assert lit.albedo is not None
        strength = (lit.diffuse / lit.albedo.clamp(min=_DARK)).mean(0, keepdim=True)
        counts = (mask > _INSIDE) & (lit.alpha > _SOLID) & (image.amax(0, keepdim=True) < _BRIGHT)
        difference = (to_linear(image) - lit.radiance) * strength
        asked = torch.cat([difference, strength.square()]) * counts
        return carried_back(buffers, facing_weights(buffers, camera), asked, camera)


def _draw(gaussians: Gaussians, camera: Cameras) -> Rendering:
    return rasterize(gaussians, camera)


def _lights(known: TargetLights, root: Float[Tensor, "*b views 3"], strength: float) -> Lights:
    """Of each view, so strong that upright white surfaces send back ``strength``; none where they were not controlled.

    Args: of the views; where people stand; see ``RelightConfig.reference_light``.
    """
    stage = stage_lights(replace(known, controlled=torch.ones_like(known.controlled)), 1.0)
    upright = upright_light(stage, root)
    scale = torch.where(known.controlled > 0, strength / upright.clamp(min=1e-6), 0.0)[..., None]
    return replace(stage, strengths=stage.strengths * scale[..., None], ambient=stage.ambient * scale)
