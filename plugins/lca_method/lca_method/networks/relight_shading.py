"""The deferred pass: shine per pixel from buffers of normal, roughness and visibility.

A pixel sends back ``(1 - F) diffuse + F shine visibility`` where F is what a rough surface mirrors: of even light of 1
never more than 1 comes back.
"""

import math
from dataclasses import dataclass

import torch

from lca_method.networks.relight_diffuse import CHANNELS
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.spherical_gaussian import gaussian_product, mirrored, normalized_value, reflection_sharpness
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor

_SEEN = 0.02
"""Pixels with less alpha are not shaded."""
_TURNING = 0.25
"""Cosine between a Gaussian's normal and the view direction at which it counts wholly; at minus that, not at all."""
_AWAY = 0.02
"""What a Gaussian counts that looks away: where there are no others, it is what is seen."""
_ABOVE = 4.0
"""Sharpness of the lobe about the normal that stands for the half space above a surface. A rough surface's lobe about
the mirrored direction reaches far below the horizon: without this, light from behind a person shines on their front."""


@dataclass(frozen=True)
class Shaded:
    """One picture's radiance and what it is made of; linear, not multiplied by alpha; 0 where nobody is."""

    radiance: Float[Tensor, "3 h w"]
    alpha: Float[Tensor, "1 h w"]
    diffuse: Float[Tensor, "3 h w"]
    """Albedo times light times shadow."""
    specular: Float[Tensor, "3 h w"]
    """What shine adds."""
    normal: Float[Tensor, "3 h w"]
    """Unit, world."""
    shadow: Float[Tensor, "1 h w"]
    """1 = all light arrives."""
    albedo: Float[Tensor, "3 h w"] | None = None
    """Where it was rasterized."""


def facing_camera(buffers: Gaussians, camera: Cameras) -> Gaussians:
    """The Gaussians as they are rasterized for :func:`shaded`: what looks away from the camera counts for little.

    Gaussians in front are never quite opaque. Without light what shows through them has nearly their own colour; the
    far side of a lit person is dark, and would make dark patches. Channels are multiplied by a weight, which is
    the last channel of the result; alpha stays as it is.

    Args:
        buffers: of ``lit_gaussians``, without batch axes.
        camera: without batch axes.
    """
    weights = facing_weights(buffers, camera)
    return buffers.with_colors(torch.cat([buffers.colors * weights, weights], dim=-1))


def facing_weights(buffers: Gaussians, camera: Cameras) -> Float[Tensor, "gaussians 1"]:
    """How much each Gaussian counts, up to 1. Args: as of :func:`facing_camera`."""
    start = CHANNELS["diffuse"]  # normals come next
    normals = buffers.colors[..., start : start + 3].detach()
    toward = torch.nn.functional.normalize(camera.world_centers().to(normals) - buffers.means.detach(), dim=-1)
    turned = (((normals * toward).sum(-1, keepdim=True) / _TURNING + 1) / 2).clamp(0, 1)
    return _AWAY + (1 - _AWAY) * turned.square() * (3 - 2 * turned)


def shaded(buffers: Rendering, camera: Cameras, lights: Lights) -> Shaded:
    """Shade one picture.

    Args:
        buffers: of :func:`facing_camera`, over black, without batch axes.
        camera: that they were drawn for, without batch axes.
        lights: without batch axes.
    """
    seen = buffers.alpha[0] > _SEEN
    widths = [width for name, width in CHANNELS.items() if name != "albedo"]
    rest = len(buffers.colors) - 1 - sum(widths)
    values = buffers.colors[:-1, seen].mT / buffers.colors[-1, seen].clamp(min=_SEEN * _AWAY)[:, None]
    diffuse, normal, roughness, specular, shadow, albedo = values.split([*widths, rest], dim=-1)
    normal = torch.nn.functional.normalize(normal, dim=-1, eps=1e-6)
    ray = viewing_rays(camera).to(values)[seen]
    distance = torch.linalg.vector_norm(ray, dim=-1, keepdim=True)
    points = camera.world_centers().to(values) + ray * buffers.depth[0][seen].detach()[:, None]
    toward = -ray / distance
    cosine = (normal * toward).sum(-1)
    # A normal that looks away belongs to a blend of both sides of a thin part: shade it as seen at a grazing angle.
    facing = cosine.clamp(min=0.02)
    sharpness = reflection_sharpness(roughness[:, 0].clamp(0.2, 1.0), facing)
    axis, sharpness, _ = gaussian_product(
        mirrored(normal, toward), sharpness, normal, torch.full_like(sharpness, _ABOVE)
    )
    shine = _shine(axis, normal, sharpness, points, lights)
    mirror = mirrored_share(specular.clamp(0, 1), roughness.clamp(0.2, 1.0), facing[:, None])
    added = mirror * shine * shadow.clamp(0, 1)
    total = (1 - mirror) * diffuse + added

    def picture(part: Tensor) -> Tensor:
        empty = part.new_zeros(part.shape[-1], *seen.shape)
        return empty.masked_scatter(seen, part.mT)

    parts = (total, diffuse, added, normal, shadow)
    whole = [picture(part) for part in parts]
    return Shaded(whole[0], buffers.alpha, whole[1], whole[2], whole[3], whole[4], picture(albedo) if rest else None)


def mirrored_share(
    specular: Float[Tensor, "*#b"], roughness: Float[Tensor, "*#b"], cosine: Float[Tensor, "*#b"]
) -> Float[Tensor, "*b"]:
    """Share of even light that a rough surface mirrors, 0..1: more at grazing angles, the less the rougher it is.

    B. Karis's fit of the integral over a GGX lobe ("Physically based shading on mobile", 2014).

    Args:
        specular: share at right angles.
        roughness: 0..1.
        cosine: of the angle between normal and view direction.
    """
    first = 1 - roughness
    edge = torch.minimum(first.square(), 2 ** (-9.28 * cosine)) * first + 0.0425 - 0.0275 * roughness
    scale = -1.04 * edge + 1.04 - 0.572 * roughness
    return (specular * scale + 1.04 * edge - 0.04 + 0.022 * roughness).clamp(0, 1)


def _shine(
    axis: Float[Tensor, "pixels 3"],
    normals: Float[Tensor, "pixels 3"],
    sharpness: Float[Tensor, "pixels"],
    points: Float[Tensor, "pixels 3"],
    lights: Lights,
) -> Float[Tensor, "pixels 3"]:
    """All light under each pixel's lobe of integral 1."""
    total = lights.ambient.expand(len(axis), 3)
    if lights.environment is not None:
        total = total + lights.environment.shine(axis, sharpness)
    directions, strengths, _ = lights.arriving(points)
    if directions.shape[-2]:
        lobe = normalized_value(sharpness[:, None], (directions * axis[:, None]).sum(-1))
        above = (4 * (directions * normals[:, None]).sum(-1)).clamp(0, 1)
        total = total + math.pi * ((lobe * above)[:, None] @ strengths)[:, 0]
    return total


def viewing_rays(camera: Cameras, within: tuple[float, float] = (0.5, 0.5)) -> Float[Tensor, "h w 3"]:
    """World directions of a camera's pixels, of unit depth (not unit length). Args: no batch axes; place in a pixel."""
    k = camera.intrinsics
    x = (torch.arange(camera.width, device=k.device) + within[0] - k[0, 2]) / k[0, 0]
    y = (torch.arange(camera.height, device=k.device) + within[1] - k[1, 2]) / k[1, 1]
    rays = torch.stack(
        [x[None].expand(len(y), -1), y[:, None].expand(-1, len(x)), torch.ones(len(y), len(x)).to(x)], -1
    )
    return rays @ camera.camera_from_world[:3, :3]
