"""Light on Gaussians: their diffuse transfer under any mix of lights, and what the deferred pass needs of them."""

import math
from dataclasses import dataclass

import torch

from lca_method.networks.transfer import BANDS, Transfer
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.zonal import legendre, zonal_response
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

CHANNELS = {"diffuse": 3, "normal": 3, "roughness": 1, "specular": 1, "shadow": 1, "albedo": 3}
"""What is rasterized for the deferred pass, in this order; the albedo is only shown."""


@dataclass(frozen=True)
class PoseChanges:
    """What driving changes in the transfer."""

    tilt: Float[Tensor, "*b gaussians 3"]
    """Added to normals, own frame."""
    opening: Float[Tensor, "*b gaussians"]
    """Factor on the openness."""


def world_normals(
    transfer: Transfer, frames: Float[Tensor, "*b gaussians 3 3"], changes: PoseChanges | None = None
) -> Float[Tensor, "*b gaussians 3"]:
    """Unit normals in a pose. Args: of the same people and frames; that its directions are kept in; what driving
    changes."""
    local = transfer.normals
    if changes is not None:
        local = torch.nn.functional.normalize(local + changes.tilt, dim=-1)
    return (frames @ local[..., None])[..., 0]


def lit_gaussians(
    transfer: Transfer,
    gaussians: Gaussians,
    lights: Lights,
    shadow: Float[Tensor, "*b gaussians"],
    tint: Float[Tensor, "*b gaussians 3"],
    changes: PoseChanges | None = None,
    albedo: bool = False,
    frames: Float[Tensor, "*b gaussians 3 3"] | None = None,
) -> Gaussians:
    """Gaussians whose channels are :data:`CHANNELS`.

    Args:
        transfer: of the same people and frames, ``[*b]``.
        gaussians: driven, world.
        lights: ``[*b]``, or without batch axes.
        shadow: how much of the light reaches each.
        tint: factor on that of red, green and blue; together they let no more through than 1.
        changes: what driving changes.
        albedo: with the channels of the albedo.
        frames: that the transfer's directions are kept in; None = the Gaussians' own. A pose-dependent head turns round
            Gaussians as it likes: people's frames leave that out.
    """
    frames = (quaternion_to_matrix(gaussians.quaternions) if frames is None else frames).detach()
    openness = transfer.openness if changes is None else transfer.openness * changes.opening
    normals = world_normals(transfer, frames, changes)
    axes = (transfer.lobe_axes @ frames.mT) if transfer.lobe_axes.shape[-2] else transfer.lobe_axes
    light = diffuse_light(normals, openness, axes, transfer.lobe_bands, gaussians.means.detach(), lights)
    radiance = transfer.albedo * light * (shadow[..., None] * tint).clamp(max=1)
    parts = [radiance, normals, transfer.roughness[..., None], transfer.specular[..., None], shadow[..., None]]
    parts += [transfer.albedo] if albedo else []
    batch = gaussians.means.shape[:-1]
    return gaussians.with_colors(torch.cat([part.expand(*batch, -1) for part in parts], dim=-1))


def diffuse_light(
    normals: Float[Tensor, "*b gaussians 3"],
    openness: Float[Tensor, "*b gaussians"],
    axes: Float[Tensor, "*b gaussians lobes 3"],
    bands: Float[Tensor, "*#b gaussians lobes bands"],
    points: Float[Tensor, "*b gaussians 3"],
    lights: Lights,
) -> Float[Tensor, "*b gaussians 3"]:
    """Radiance that Gaussians of albedo 1 send back; 0 or more.

    Args:
        normals, axes: unit, world.
        openness: of the clamped cosine about the normal.
        bands: zonal numbers of bands 1 to 3 about ``axes``.
        points: centres, metres, world.
        lights: ``[*b]``, or without batch axes.
    """
    total = openness[..., None] * lights.ambient[..., None, :]
    directions, strengths, _ = lights.arriving(points)
    if directions.shape[-2]:
        cosine = (directions @ normals[..., None])[..., 0].clamp(min=0)
        taken = openness[..., None] * cosine
        if bands.shape[-2]:
            taken = taken + _lobes(axes, bands, directions)
        total = total + (taken[..., None, :] @ strengths)[..., 0, :]
    if lights.environment is not None:
        total = total + openness[..., None] * lights.environment.matt_light(normals)
        if bands.shape[-2]:
            none = torch.zeros_like(bands[..., :1])
            numbers = torch.cat([none, bands], dim=-1)
            harmonics = lights.environment.world_harmonics()
            total = total + zonal_response(numbers, axes, harmonics).sum(-2) / math.pi
    return total.clamp(min=0)


def _lobes(
    axes: Float[Tensor, "*b gaussians lobes 3"],
    bands: Float[Tensor, "*#b gaussians lobes bands"],
    directions: Float[Tensor, "*#b gaussians lights 3"],
) -> Float[Tensor, "*b gaussians lights"]:
    """Sum of a Gaussian's lobes at the directions of lights."""
    cosine = axes @ directions.mT
    scales = bands.new_tensor([math.sqrt((2 * band + 1) / (4 * math.pi)) for band in range(1, BANDS + 1)])
    values = legendre(cosine, BANDS)[..., 1:]
    return (values * (bands * scales)[..., None, :]).sum(dim=(-1, -3))
