"""Which joints carry which Gaussians, and the nodes of loose garments."""

from dataclasses import fields, replace

import torch

from lca_method.avatar.avatar import Avatar
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor

DOT = 0.007
"""Metres: deviation of the dot that shows a node."""
SEEN_THROUGH = 0.3
"""Opacity that Gaussians keep where there are nodes, which lie among them."""
_GOLDEN = 0.618034


class SkinningView:
    """Recolours an avatar's Gaussians: a colour for each joint, mixed by the skinning weights. Nodes are dots, black
    where the template's weights stand and white where the learned correction has replaced them.

    Args:
        avatar: who is shown.
    """

    def __init__(self, avatar: Avatar) -> None:
        colors = joint_colors(avatar.skinning_weights.shape[1]).to(avatar.device)
        self._colors = avatar.skinning_weights @ colors
        self._at: Tensor | None = None
        nodes = avatar.nodes
        if nodes is not None:
            self._at = torch.cdist(nodes.graph.places, avatar.canonical.means).argmin(dim=1)
            self._dots = nodes.gates[:, None].expand(-1, 3)

    def shown(self, gaussians: Gaussians) -> Gaussians:
        """The avatar's Gaussians, driven, no batch axes; with one more for each node."""
        shown = gaussians.with_colors(self._colors)
        if self._at is None:
            return shown
        dots = shown[self._at]
        full = torch.ones_like(dots.opacities)
        dots = replace(dots, scales=torch.full_like(dots.scales, DOT), opacities=full, colors=self._dots)
        return _together(replace(shown, opacities=SEEN_THROUGH * shown.opacities), dots)


def joint_colors(count: int) -> Float[Tensor, "joints 3"]:
    """Bright colours, neighbours far apart in hue; sRGB."""
    hue = 6 * (_GOLDEN * torch.arange(count) % 1)
    offset = torch.tensor([0.0, 4.0, 2.0])
    return ((((hue[:, None] + offset) % 6) - 3).abs() - 1).clamp(0, 1) * 0.85 + 0.1


def _together(one: Gaussians, other: Gaussians) -> Gaussians:
    return Gaussians(**{f.name: torch.cat([getattr(one, f.name), getattr(other, f.name)]) for f in fields(Gaussians)})
