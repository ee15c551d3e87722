"""What an avatar carries to be relit: radiance transfer, the networks of light, and the body that throws shadows."""

from collections.abc import Mapping
from dataclasses import fields

import torch
from torch import nn

from lca_method.avatar.point_body import RigInfo, body_from_tensors, body_tensors
from lca_method.networks.relight import RelightPerFrame
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.shadow_body import ShadowBody
from lca_method.networks.transfer import Transfer
from lca_shared.tensors import Tensor

BODY_PREFIX = "relight_body."
"""Of the tensors of the shadows' body in a bundle; the others' begin with ``relight.``."""
_TRANSFER = tuple(f.name for f in fields(Transfer))
_LAYOUT = ("faces", "normals", "neighbours", "weights")


class AvatarRelight(nn.Module):
    """Buffers and networks without batch axes; takes no gradients."""

    def __init__(self, config: RelightConfig, pose_hidden: int, each: int, transfer: Transfer, body: ShadowBody):
        """Args: sizes; width of the pose-dependent head; Gaussians of a token; of the person, at rest; with the
        person's shape in it."""
        super().__init__()
        for name in _TRANSFER:
            self.register_buffer(f"transfer_{name}", getattr(transfer, name).detach().clone())
        for name in _LAYOUT:
            self.register_buffer(f"shadow_{name}", getattr(body, name).detach().clone())
        self._body = body
        self.config = config
        self.per_frame = RelightPerFrame(config, pose_hidden, each)

    @property
    def transfer(self) -> Transfer:
        """Of the Gaussians."""
        return Transfer(**{name: getattr(self, f"transfer_{name}") for name in _TRANSFER})

    @property
    def shadow_body(self) -> ShadowBody:
        """On the avatar's device."""
        device = self.get_buffer("shadow_faces").device
        if self._body.faces.device != device:
            self._body = self._body.to(device)
        return self._body

    def body_tensors(self) -> dict[str, Tensor]:
        """The shadows' body as a bundle keeps it."""
        return {BODY_PREFIX + name: value for name, value in body_tensors(self.shadow_body.body).items()}


def relight_from_tensors(
    tensors: Mapping[str, Tensor], config: RelightConfig, pose_hidden: int, each: int, rig: RigInfo
) -> AvatarRelight:
    """From the tensors of a bundle.

    Args:
        tensors: all of the bundle's.
        config, pose_hidden, each: as of :class:`AvatarRelight`.
        rig: of the avatar.

    Raises:
        KeyError: a tensor is missing.
    """
    transfer = Transfer(**{name: tensors[f"relight.transfer_{name}"] for name in _TRANSFER})
    body = {name.removeprefix(BODY_PREFIX): value for name, value in tensors.items() if name.startswith(BODY_PREFIX)}
    faces, normals, neighbours, weights = (tensors[f"relight.shadow_{name}"] for name in _LAYOUT)
    shadows = ShadowBody(body_from_tensors(body, rig), faces, normals, neighbours, weights)
    return AvatarRelight(config, pose_hidden, each, transfer, shadows)


def relight_of_gaussians(relight: AvatarRelight, points: Tensor, pose_hidden: int, each: int) -> AvatarRelight:
    """The same for some of the tokens and their Gaussians, or for repeated ones.

    Args:
        relight: of an avatar.
        points: indices of Gaussians; places that none of them reads are left out.
        pose_hidden, each: as of :class:`AvatarRelight`.
    """
    transfer = Transfer(**{name: getattr(relight.transfer, name)[points] for name in _TRANSFER})
    body = relight.shadow_body
    vertices = len(body.body.template_vertices) - len(body.normals)
    places, neighbours = body.neighbours[points].unique(return_inverse=True)
    kept = torch.cat([torch.arange(vertices, device=points.device), vertices + places])
    shadows = ShadowBody(body.body.subset(kept), body.faces, body.normals[places], neighbours, body.weights[points])
    other = AvatarRelight(relight.config, pose_hidden, each, transfer, shadows)
    other.per_frame.load_state_dict(relight.per_frame.state_dict())
    return other.to(points.device)
