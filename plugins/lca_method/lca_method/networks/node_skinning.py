"""Skinning weights that a garment's nodes correct, and Gaussians that follow their nodes (Section 3.4, eq. 14).

A node's weights are the template's at the node plus a learned correction. The correction is written as

    correction = gate * (wanted - template),   0 <= gate <= 1,   ``wanted`` a distribution over joints,

so that ``template + correction`` is a distribution whatever the network says, and gate 0 is the template exactly (how
the paper keeps its sums valid is not stated).

Gaussians follow their nearest nodes by embedded deformation. Node ``n`` moves points by the affine map
``A_n = sum_j w_nj T_j`` of its weights, and embedded deformation ``sum_n e_n (A_n (x - p_n) + A_n p_n)`` is then the
map ``sum_n e_n A_n``: linear blend skinning with the interpolated weights ``sum_n e_n w_n``. That alone would not be
the template's skinning where no node has a correction, since the template's weights at a Gaussian are not those
interpolated between nodes. So what is interpolated is what the nodes *change*:

    w = (1 - sum_n e_n gate_n) * template at the Gaussian + sum_n e_n gate_n * wanted_n.

With all gates 0 these are the template's weights to the bit, with all gates 1 it is embedded deformation by the nodes
alone, and they are a distribution always. The weights do not change with the pose: they are computed once a person, and
a frame costs what plain skinning costs.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from lca_method.networks.node_graph import NodeGraph
from lca_shared.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class NodeSkinning:
    """The nodes of one person, or of a batch, with their skinning weights."""

    graph: NodeGraph
    template: Float[Tensor, "*b nodes joints"]
    """The template's weights at the nodes, over the joints that move."""
    gates: Float[Tensor, "*b nodes"]
    """Share of the template's weights that is replaced; 0..1."""
    wanted: Float[Tensor, "*b nodes joints"]
    """What replaces them; rows add up to one."""

    @property
    def corrections(self) -> Float[Tensor, "*b nodes joints"]:
        """What is added to the template's weights; rows add up to zero."""
        return self.gates[..., None] * (self.wanted - self.template)

    @property
    def weights(self) -> Float[Tensor, "*b nodes joints"]:
        """Of the nodes; rows add up to one."""
        return self.template + self.corrections

    def share(self) -> Float[Tensor, "*b gaussians"]:
        """How much of each Gaussian's skinning its nodes have replaced; 0..1."""
        return interpolated(self.gates[..., None], self.graph)[..., 0]

    def followed(self, template: Float[Tensor, "gaussians joints"]) -> Float[Tensor, "*b gaussians joints"]:
        """Skinning weights of Gaussians that follow their nodes; rows add up to one.

        Args:
            template: the template's weights at the Gaussians.
        """
        replaced = interpolated(torch.cat([self.gates[..., None] * self.wanted, self.gates[..., None]], -1), self.graph)
        return (1 - replaced[..., -1:]) * template + replaced[..., :-1]

    def tensors(self) -> dict[str, Tensor]:
        """All numbers by name, as a bundle keeps them."""
        own = {name: getattr(self, name) for name in ("template", "gates", "wanted")}
        graph = {f.name: getattr(self.graph, f.name) for f in fields(NodeGraph)}
        return {k: v if v.is_floating_point() else v.to(torch.int32) for k, v in (own | graph).items()}

    @staticmethod
    def from_tensors(tensors: dict[str, Tensor]) -> "NodeSkinning":
        """The inverse of :meth:`tensors`.

        Raises:
            KeyError: one is missing.
        """
        values = {k: v if v.is_floating_point() else v.long() for k, v in tensors.items()}
        graph = NodeGraph(**{f.name: values[f.name] for f in fields(NodeGraph)})
        return NodeSkinning(graph, values["template"], values["gates"], values["wanted"])

    def of_gaussians(self, index: Int[Tensor, "kept"]) -> "NodeSkinning":
        """The same nodes, followed by some of the Gaussians; no leading axes."""
        graph = self.graph
        kept = replace(graph, neighbours=graph.neighbours[index], influences=graph.influences[index])
        return replace(self, graph=kept)

    def __getitem__(self, index: Any) -> "NodeSkinning":
        """Index the leading axes."""
        return NodeSkinning.from_tensors({name: value[index] for name, value in self.tensors().items()})

    def detached(self) -> "NodeSkinning":
        """Without gradients."""
        return NodeSkinning.from_tensors({name: value.detach() for name, value in self.tensors().items()})

    def to(self, device: torch.device | str) -> "NodeSkinning":
        """The same on another device."""
        return NodeSkinning.from_tensors({name: value.to(device) for name, value in self.tensors().items()})


def interpolated(
    values: Float[Tensor, "*b nodes channels"], graph: NodeGraph
) -> Float[Tensor, "*b gaussians channels"]:
    """Values of nodes, read at the Gaussians that follow them."""
    batch, (nodes, channels) = values.shape[:-2], values.shape[-2:]
    count, near = graph.neighbours.shape[-2:]
    people = batch.numel()
    first = nodes * torch.arange(people, device=values.device)[:, None]
    index = graph.neighbours.reshape(people, -1) + first
    read = torch.nn.functional.embedding_bag(
        index.reshape(-1, near),
        values.reshape(-1, channels),
        mode="sum",
        per_sample_weights=graph.influences.reshape(-1, near).to(values),
    )
    return read.reshape(*batch, count, channels)


def of_followers(
    values: Float[Tensor, "*b gaussians channels"], graph: NodeGraph
) -> Float[Tensor, "*b nodes channels"]:
    """Means of values over the Gaussians that follow each node, by how much they follow it."""
    nodes, (count, near) = graph.places.shape[-2], graph.neighbours.shape[-2:]
    index = graph.neighbours.flatten(-2)[..., None].expand(*values.shape[:-2], count * near, values.shape[-1])
    influence = graph.influences.flatten(-2)[..., None].to(values)
    weighted = influence * values.repeat_interleave(near, dim=-2)
    total = values.new_zeros(*values.shape[:-2], nodes, values.shape[-1])
    amount = torch.zeros_like(total).scatter_add(-2, index, influence.expand_as(weighted))
    return total.scatter_add(-2, index, weighted) / amount.clamp(min=1e-9)
