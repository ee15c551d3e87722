"""Nodes spread over a person, and which of them each Gaussian and each node lies near: computed once a person."""

from dataclasses import dataclass

import torch

from lca_shared.tensors import Float, Int, Tensor

LINKS = 6
"""Nearest other nodes of a node, whose distances the as-rigid-as-possible terms look at (our choice)."""


@dataclass(frozen=True)
class NodeGraph:
    """Nodes and neighbours in the rest pose; nothing here takes gradients."""

    places: Float[Tensor, "*b nodes 3"]
    """Metres."""
    neighbours: Int[Tensor, "*b gaussians near"]
    """The nearest nodes of each Gaussian, the nearest first."""
    influences: Float[Tensor, "*b gaussians near"]
    """How much each of them counts; at least 0, and they add up to one."""
    links: Int[Tensor, "*b nodes links"]
    """The nearest other nodes of each node."""


def node_graph(
    points: Float[Tensor, "*b gaussians 3"], count: int, near: int
) -> tuple[NodeGraph, Int[Tensor, "*b nodes"]]:
    """Choose nodes among points, and connect both.

    Args:
        points: Gaussians' centres at rest, metres.
        count: nodes wanted; more than ``near``.
        near: nodes that a point follows.

    Returns:
        The graph, and which of the points are its nodes.
    """
    points = points.detach()
    chosen = farthest_points(points, count)
    places = points.gather(-2, chosen[..., None].expand(*chosen.shape, 3))
    neighbours, influences = embedded_weights(points, places, near)
    apart = torch.cdist(places, places)
    apart.diagonal(dim1=-2, dim2=-1).fill_(torch.inf)
    links = apart.topk(min(LINKS, count - 1), dim=-1, largest=False).indices
    return NodeGraph(places, neighbours, influences, links), chosen


def farthest_points(points: Float[Tensor, "*b points 3"], count: int) -> Int[Tensor, "*b chosen"]:
    """Farthest-point sampling: the first point, then again and again the one farthest from all that are chosen.

    Raises:
        ValueError: there are fewer points than wanted.
    """
    if count > points.shape[-2]:
        raise ValueError(f"{count} nodes cannot be chosen among {points.shape[-2]} points")
    axes = points.movedim(-1, 0).contiguous()
    chosen = torch.zeros(*points.shape[:-2], count, dtype=torch.long, device=points.device)
    nearest = torch.full_like(axes[0], torch.inf)
    for index in range(1, count):
        last = axes.gather(-1, chosen[None, ..., index - 1, None].expand(3, *chosen.shape[:-1], 1))
        nearest = torch.minimum(nearest, (axes - last).square_().sum(dim=0))
        chosen[..., index] = nearest.argmax(dim=-1)
    return chosen


def embedded_weights(
    points: Float[Tensor, "*b points 3"], nodes: Float[Tensor, "*b nodes 3"], near: int
) -> tuple[Int[Tensor, "*b points near"], Float[Tensor, "*b points near"]]:
    """Nearest nodes and their weights ``(1 - distance / distance of the next node but these)^2``, made to add up to one
    (Sumner et al. 2007, "Embedded deformation for shape manipulation", eq. 5; reference [57] of the paper).

    A point whose next nodes are all equally far follows these equally.
    """
    found = torch.cdist(points, nodes).topk(near + 1, dim=-1, largest=False)
    distances = found.values
    raw = (1 - distances[..., :near] / distances[..., near:].clamp(min=1e-12)).square() + 1e-9
    return found.indices[..., :near], raw / raw.sum(dim=-1, keepdim=True)
