"""Relighting as a part of ``LCA``: what a token says of light, how driving changes it, and the shadows."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from lca_method.networks.clothed_normals import ClothedNormals
from lca_method.networks.clothed_shadows import ClothedShadows
from lca_method.networks.irradiance import irradiance
from lca_method.networks.normal_network import NormalNetwork
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.relight_diffuse import PoseChanges, lit_gaussians, world_normals
from lca_method.networks.relight_head import TransferDeltas, TransferHead
from lca_method.networks.relight_shading import Shaded, facing_camera, shaded
from lca_method.networks.shadow_body import ShadowBody
from lca_method.networks.shadow_layout import shadow_layout
from lca_method.networks.shadow_network import ShadowNetwork
from lca_method.networks.transfer import Transfer
from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import to_srgb
from lca_shared.rendering import Rendering
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA

Draw = Callable[[Gaussians, Cameras], Rendering]
"""Gaussians of any channels, over black."""
_OVEREXPOSED = 0.1
"""How fast training pictures go on brightening above white: a trace, so that there is a way back."""


class RelightPerFrame(nn.Module):
    """The networks that run for each frame: they travel with an avatar."""

    def __init__(self, config: RelightConfig, pose_hidden: int, gaussians_per_token: int):
        """Args: sizes; width of the pose-dependent head; K."""
        super().__init__()
        self.deltas = TransferDeltas(pose_hidden, gaussians_per_token, config.smooth)
        self.shadows = ShadowNetwork(config)

    def buffers_of(
        self,
        transfer: Transfer,
        gaussians: Gaussians,
        lights: Lights,
        body: ShadowBody,
        shape: Float[Tensor, "*#b coefficients"],
        pose: BodyPose,
        pose_hidden: Float[Tensor, "*b tokens hidden"] | None,
        albedo: bool = False,
        frames: Float[Tensor, "*b gaussians 3 3"] | None = None,
        shift: Float[Tensor, "*#b points 3"] | None = None,
    ) -> Gaussians:
        """Gaussians whose channels the deferred pass shades.

        Args:
            transfer, gaussians: of the same people and frames ``[*b]``; the Gaussians driven, world.
            lights: ``[*b]``, or without batch axes.
            body: that throws the shadows.
            shape: of the people; nothing for a body with a person's shape in it.
            pose: ``[*b]``.
            pose_hidden: what the pose-dependent head's last layer reads; None = as the person is at rest.
            albedo: with the channels of the albedo.
            frames: as of ``lit_gaussians``.
            shift: as of ``ShadowBody.visible``.
        """
        frames = (quaternion_to_matrix(gaussians.quaternions) if frames is None else frames).detach()
        changes = None if pose_hidden is None else PoseChanges(*self.deltas(pose_hidden))
        seen = body.spread(body.visible(shape, pose, lights, shift=shift))
        arriving = irradiance(world_normals(transfer, frames, changes), gaussians.means.detach(), seen, lights)
        shadow = self.shadows(arriving[..., :3], transfer.shadow_code)
        return lit_gaussians(transfer, gaussians, lights, shadow, arriving[..., 3:], changes, albedo, frames)


class Relight(nn.Module):
    """All that makes a model relightable."""

    def __init__(self, config: RelightConfig, width: int, pose_hidden: int, gaussians_per_token: int):
        """Args: sizes; token width; width of the pose-dependent head; K."""
        super().__init__()
        self.config = config
        self.normal_network = NormalNetwork(width, config.own_normals) if config.own_normals else None
        self.head = TransferHead(width, gaussians_per_token, config)
        self.per_frame = RelightPerFrame(config, pose_hidden, gaussians_per_token)
        self._shadow_body: tuple[CompactBody, ShadowBody] | None = None
        self._clothed_normals: tuple[CompactBody, ClothedNormals] | None = None
        self._clothed_shadows: tuple[CompactBody, ClothedShadows] | None = None

    def shadow_body(self, network: "LCA") -> ShadowBody:
        """The body that throws shadows, made when first asked for.

        Args:
            network: that this is a part of.
        """
        at_gaussians = network.point_body  # another object: points were loaded, or the device changed
        if self._shadow_body is None or self._shadow_body[0] is not at_gaussians:
            places, gaussians = self._places(network)
            layout = shadow_layout(network.body, places, gaussians, self.config.occluder_cell)
            self._shadow_body = (at_gaussians, ShadowBody.of(network.body, places, layout))
        return self._shadow_body[1]

    def shadow_shift(
        self, network: "LCA", offsets: Float[Tensor, "*b gaussians 3"], opacities: Float[Tensor, "*b gaussians"]
    ) -> Float[Tensor, "*b points 3"] | None:
        """Of the shadows' body with the clothes over it, as ``ShadowBody.visible`` takes it; None for the bare body.

        Args:
            network: that this is a part of.
            offsets: of the Gaussians from their points, metres.
            opacities: of the Gaussians.
        """
        if not self.config.clothed_shadows:
            return None
        if self._clothed_shadows is None or self._clothed_shadows[0] is not network.point_body:
            places, gaussians = self._places(network)
            found = ClothedShadows.of_points(network.body, gaussians, places, self.config.occluder_cell)
            self._clothed_shadows = (network.point_body, found)
        return self._clothed_shadows[1].shift(offsets, opacities)

    def _places(self, network: "LCA") -> tuple[SurfacePoints, SurfacePoints]:
        """Where shadows are asked for, and the Gaussians' points."""
        gaussians = SurfacePoints(network.gaussian_faces, network.gaussian_barycentric)
        every = self.config.shadow_places
        if every == 0:
            return SurfacePoints(network.token_faces, network.token_barycentric), gaussians
        inside = network.body.regions.get("mouth_interior")
        outside = torch.ones_like(gaussians.faces, dtype=torch.bool)
        if inside is not None:  # it shows as dark specks between the Gaussians of cheeks and chin: it takes their light
            outside = ~inside.to(outside.device)[network.body.faces[gaussians.faces]].any(dim=-1)
        chosen = outside.nonzero()[::every, 0]
        return SurfacePoints(gaussians.faces[chosen], gaussians.barycentric[chosen]), gaussians

    def transfer(self, network: "LCA", tokens: Float[Tensor, "*b tokens width"], relative: Gaussians) -> Transfer:
        """How people's Gaussians turn light into radiance.

        Args:
            network: that this is a part of.
            tokens: after the encoder.
            relative: canonical Gaussians whose means are offsets from their points, metres.
        """
        normals = self.start_normals(network, tokens, relative)
        return self.head(tokens, relative.colors, relative.quaternions, normals)

    def start_normals(
        self, network: "LCA", tokens: Float[Tensor, "*b tokens width"], relative: Gaussians
    ) -> Float[Tensor, "*b gaussians 3"]:
        """Unit normals at rest before the head tilts them. Args: as of :meth:`transfer`."""
        normals = self.normals(network, relative.means, relative.opacities)
        if self.normal_network is None:
            return normals
        clothed = self.normals(network, relative.means, relative.opacities, share=1.0)
        points = network.point_body.template_vertices
        return self.normal_network(normals, clothed, tokens, relative, network.normals, points)

    def normals(
        self,
        network: "LCA",
        offsets: Float[Tensor, "*b gaussians 3"],
        opacities: Float[Tensor, "*b gaussians"],
        share: float | None = None,
    ) -> Float[Tensor, "*b gaussians 3"]:
        """Normals of the clothed body at the Gaussians: at rest, outward, unit.

        Args:
            network: that this is a part of.
            offsets: of the Gaussians from their points, metres.
            opacities: of the Gaussians.
            share: of the clothed surface; None = the config's.
        """
        if self._clothed_normals is None or self._clothed_normals[0] is not network.point_body:
            gaussians = SurfacePoints(network.gaussian_faces, network.gaussian_barycentric)
            found = ClothedNormals.of_points(network.body, gaussians, self.config.occluder_cell)
            self._clothed_normals = (network.point_body, found)
        return self._clothed_normals[1].of(offsets, opacities, self.config.clothed_normals if share is None else share)


def relit(buffers: Gaussians, camera: Cameras, lights: Lights, draw: Draw) -> Shaded:
    """Draw and shade one picture (no batch axes). Args: of ``lit_gaussians``; the light; what rasterizes."""
    return shaded(draw(facing_camera(buffers, camera), camera), camera, lights)


def in_training(picture: Shaded, background: Float[Tensor, "3"]) -> Rendering:
    """A relit picture as losses compare it: sRGB on a background, nearly clipped at white."""
    light = picture.radiance
    light = torch.where(light > 1, 1 + _OVEREXPOSED * (light - 1), light)
    colors = to_srgb(light) * picture.alpha + background[:, None, None] * (1 - picture.alpha)
    return Rendering(colors, picture.alpha, torch.zeros_like(picture.alpha))
