"""H_skin: from the nodes' tokens to corrections of their skinning weights (Section 3.4, eq. 14)."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from lca_method.networks.cloth_surface import ClothSurface
from lca_method.networks.fourier import fourier_features, fourier_width
from lca_method.networks.gaussian_heads import GaussianHeadsConfig
from lca_method.networks.node_graph import node_graph
from lca_method.networks.node_skinning import NodeSkinning, of_followers
from lca_method.networks.own_heads import OwnHeads
from lca_shared.body.kinematics import ActiveRig
from lca_shared.tensors import Bool, Float, Tensor


@dataclass(frozen=True)
class DeformerConfig:
    """Nodes that carry loose garments; the paper states 4 neighbours and that H_skin is an MLP, the rest is ours."""

    nodes: int = 0
    """Nodes of a person; 0 = none: Gaussians are skinned with the template's weights."""
    neighbours: int = 4
    """Nodes that a Gaussian follows."""
    hidden: int = 128
    """Width of H_skin."""
    layers: int = 3
    """Its linear layers."""
    node_places: bool = True
    """H_skin also sees where a node is at rest, and how far the Gaussians that follow it stand off the body: cloth."""
    reach: float = 0.3
    """Metres: what a node may be carried by instead starts as the template's weights, averaged with a Gaussian of this
    deviation over the nodes around it."""
    joint_steps: int = 4
    """Only joints so many steps along the skeleton from a node's own may carry it: a hem hangs beside hands."""
    cloth_surface: bool = False
    """Start the Gaussians that nodes carry where the reference views' masks say that a skirt is (not in the paper;
    needs ``LCAConfig.projected_outline``)."""
    ask_outline: bool = False
    """Shut gates where reference views show background between the legs (``joined_legs``; not in the paper; needs
    ``LCAConfig.projected_colors``)."""
    own_heads: bool = False
    """What nodes carry has heads of its own, which are added where nodes act (``OwnHeads``; not in the paper)."""
    alone: bool = False
    """Learn nodes and their own heads only: whoever wears no loose garment stays as they were."""


_FREQUENCIES = 4
_LEAST = 1e-3
"""A joint with less of the averaged template weights does not carry a node."""
_OWN = 0.05
"""A joint with more of a node's template weights is its own."""


class NodeHead(nn.Module):
    """Canonical Gaussians and tokens of people -> their nodes and what carries them.

    The last layer starts at zero: so do the gates, and every Gaussian has the template's skinning weights to the bit.
    """

    def __init__(
        self,
        width: int,
        gaussians_per_token: int,
        rig: ActiveRig,
        config: DeformerConfig,
        heads: GaussianHeadsConfig,
        position_code: int,
    ):
        """Args: token width; K; the joints that move; sizes; those of the heads; length of the points' position
        code."""
        super().__init__()
        self.config = config
        self.register_buffer("steps", joint_steps(rig), persistent=False)
        inputs = width + (fourier_width(_FREQUENCIES) + 4 if config.node_places else 0)
        parts: list[nn.Module] = []
        for index in range(config.layers - 1):
            parts += [nn.Linear(inputs if index == 0 else config.hidden, config.hidden), nn.LeakyReLU()]
        self.layers = nn.Sequential(*parts)
        self.last = nn.Linear(config.hidden if parts else inputs, 1 + len(rig.joints))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        self.surface = ClothSurface(position_code) if config.cloth_surface else None
        self.own = OwnHeads(width, gaussians_per_token, heads) if config.own_heads else None

    steps: Tensor

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        means: Float[Tensor, "*b gaussians 3"],
        offsets: Float[Tensor, "*b gaussians 3"],
        template: Float[Tensor, "gaussians joints"],
        joined: Float[Tensor, "*b gaussians"] | None = None,
    ) -> NodeSkinning:
        """Nodes of people.

        Args:
            tokens: geometric tokens after the encoder; as many Gaussians of each in a row as there are to a token.
            means: of the canonical Gaussians, metres; they get no gradients from here.
            offsets: of these from their points of the body.
            template: skinning weights at the Gaussians over the joints that move.
            joined: where gates may be open, 0..1 (``TokenCode.joined``); None = everywhere.
        """
        with torch.no_grad():
            graph, chosen = node_graph(means, self.config.nodes, self.config.neighbours)
            own = template[chosen]
            likely = around(own, graph.places, self.config.reach, self.steps <= self.config.joint_steps)
        each = means.shape[-2] // tokens.shape[-2]
        seen = _rows(tokens, chosen // each)
        if self.config.node_places:
            off = 10 * offsets.detach()  # of one Gaussian it is too rough to tell cloth from trousers
            off = of_followers(torch.cat([off, off.norm(dim=-1)[..., None]], dim=-1), graph)
            seen = torch.cat([seen, fourier_features(graph.places, _FREQUENCIES), off], -1)
        raw = self.last(self.layers(seen))
        wanted = (raw[..., 1:] + likely.log()).softmax(dim=-1)
        gates: Tensor = ClampedInwards.apply(raw[..., 0])  # type: ignore[assignment]
        if joined is not None:
            gates = gates * _rows(joined[..., None], chosen)[..., 0]
        return NodeSkinning(graph, own, gates, wanted)


def around(
    weights: Float[Tensor, "*b nodes joints"],
    places: Float[Tensor, "*b nodes 3"],
    reach: float,
    near: Bool[Tensor, "joints joints"],
) -> Float[Tensor, "*b nodes joints"]:
    """Skinning weights averaged over the nodes within about ``reach`` metres, of joints ``near`` a node's own (see
    :class:`DeformerConfig`); rows add up to one."""
    kernel = torch.exp(-0.5 * (torch.cdist(places, places) / reach).square())
    mean = kernel @ weights / kernel.sum(dim=-1, keepdim=True)
    allowed = (weights > _OWN).to(mean) @ near.to(mean) > 0
    mean = torch.where(allowed & (mean > _LEAST), mean, 0.0)
    return mean / mean.sum(dim=-1, keepdim=True)


def joint_steps(rig: ActiveRig) -> Float[Tensor, "active active"]:
    """Bones between each two of the joints that move."""
    parents = rig.parents.tolist()
    count = len(parents)
    steps = torch.full((count, count), torch.inf).fill_diagonal_(0.0)
    for joint in range(1, count):  # parents come first
        steps[joint, :joint] = steps[:joint, joint] = steps[parents[joint], :joint] + 1
    return steps


class ClampedInwards(torch.autograd.Function):
    """Clamp to 0..1 whose gradient, outside, is kept where it leads back in: a gate that closed can open again."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # type: ignore[override]
        """Clamped."""
        ctx.save_for_backward(value)
        return value.clamp(0.0, 1.0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """The gradient, where it may pass."""
        (value,) = ctx.saved_tensors
        outwards = ((value < 0) & (gradient > 0)) | ((value > 1) & (gradient < 0))
        return torch.where(outwards, 0.0, gradient)


def _rows(values: Float[Tensor, "*b rows channels"], index: Tensor) -> Tensor:
    return values.gather(-2, index[..., None].expand(*index.shape, values.shape[-1]))
