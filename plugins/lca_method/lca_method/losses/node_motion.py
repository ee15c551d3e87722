"""What the losses on garments' nodes look at."""

from dataclasses import dataclass

from lca_method.networks.node_skinning import NodeSkinning
from lca_shared.rotations import matrix_to_six_numbers, six_numbers_to_matrix
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Bool, Float, Tensor


@dataclass(frozen=True)
class NodeMotion:
    """People's nodes, and the frames that carry them."""

    nodes: NodeSkinning
    """Batch shape ``[*b]``."""
    transforms: Float[Tensor, "*b targets joints 3 4"]
    """Of the joints that move, from rest to world."""
    legs: Bool[Tensor, "joints"] | None = None
    """Which of them are those of legs; None = all, for whoever does not care."""

    def links(self) -> tuple[Float[Tensor, "*b nodes links 3"], Float[Tensor, "*b targets nodes links 3"]]:
        """From each node to its linked ones, metres: at rest, and in the frames, in axes that turn with the node.

        The turn is the linear part of the node's blended transform, its columns made orthonormal, as Gaussians turn.
        """
        graph = self.nodes.graph
        blended = blend_transforms(self.nodes.weights[..., None, :, :], self.transforms)
        moved = apply_blended(blended, graph.places[..., None, :, :])
        turn = six_numbers_to_matrix(matrix_to_six_numbers(blended[..., :3]))
        rest = _linked(graph.places, graph.links) - graph.places[..., None, :]
        frames = moved.shape[-3]
        index = graph.links[..., None, :, :].expand(*moved.shape[:-3], frames, *graph.links.shape[-2:])
        apart = _linked(moved, index) - moved[..., None, :]
        return rest, apart @ turn

    def acting(self) -> Float[Tensor, "*b nodes links"]:
        """How far the learned correction acts on each link, 0..1: without it, the template's skinning bends elbows and
        knees, which is none of its business. It takes no gradients: closing a gate is the sparsity's to pay for."""
        gates = self.nodes.gates.detach()
        return 0.5 * (gates[..., None] + _linked(gates[..., None], self.nodes.graph.links)[..., 0])


def _linked(values: Float[Tensor, "*b nodes channels"], links: Tensor) -> Float[Tensor, "*b nodes links channels"]:
    """Values of each node's linked nodes."""
    flat = links.flatten(-2)[..., None].expand(*links.shape[:-2], -1, values.shape[-1])
    return values.gather(-2, flat).unflatten(-2, links.shape[-2:])
