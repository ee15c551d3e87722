"""Embedded deformation as it is written down, Gaussian by Gaussian and node by node: slow, to compare with.

What runs is :meth:`lca_method.networks.node_skinning.NodeSkinning.followed`, then plain skinning.
"""

import torch

from lca_method.networks.node_skinning import NodeSkinning
from lca_shared.skinning import blend_transforms
from lca_shared.tensors import Float, Tensor


def embedded(
    points: Float[Tensor, "gaussians 3"],
    template: Float[Tensor, "gaussians joints"],
    nodes: NodeSkinning,
    transforms: Float[Tensor, "joints 3 4"],
) -> tuple[Float[Tensor, "gaussians 3"], Float[Tensor, "gaussians 3 3"]]:
    """Where points go that follow their nodes, and the linear map around each (Sumner et al. 2007, eq. 1).

    Node ``n`` turns what is around it by ``R_n`` and moves from ``p_n`` to ``p_n + t_n``; a point ``x`` follows with
    ``R_n (x - p_n) + p_n + t_n``. The share of a point that no node has taken over is skinned by the template.

    Args:
        points: at rest, metres.
        template: the template's skinning weights at the points.
        nodes: of one person.
        transforms: of the joints, from rest to world.
    """
    graph = nodes.graph
    carried = blend_transforms(nodes.wanted, transforms)
    skinned = blend_transforms(template, transforms)
    moved, linear = torch.empty_like(points), points.new_empty(len(points), 3, 3)
    for g, x in enumerate(points):
        rest = 1.0 - sum(float(e) * float(nodes.gates[n]) for e, n in zip(graph.influences[g], graph.neighbours[g]))
        place = rest * (skinned[g, :, :3] @ x + skinned[g, :, 3])
        turn = rest * skinned[g, :, :3]
        for influence, n in zip(graph.influences[g], graph.neighbours[g]):
            p, share = graph.places[n], influence * nodes.gates[n]
            rotation = carried[n, :, :3]
            translation = rotation @ p + carried[n, :, 3] - p
            place = place + share * (rotation @ (x - p) + p + translation)
            turn = turn + share * rotation
        moved[g], linear[g] = place, turn
    return moved, linear


def farthest_points_slowly(points: Float[Tensor, "points 3"], count: int) -> list[int]:
    """Farthest-point sampling with the distances to all chosen points computed anew each time."""
    chosen = [0]
    while len(chosen) < count:
        apart = torch.stack([(points - points[index]).square().sum(dim=-1) for index in chosen]).amin(dim=0)
        chosen.append(int(apart.argmax()))
    return chosen
