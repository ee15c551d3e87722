"""The coarse body that throws shadows, the places on it where light is measured, and who reads which place."""

from dataclasses import dataclass

import numpy as np
import torch

from lca_shared.body.anchors import SIDE_LENGTH, SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Int, Tensor

NEIGHBOURS = 4
"""Places that a Gaussian reads."""


@dataclass(frozen=True)
class ShadowLayout:
    """What follows from the template and the sampled points."""

    occluder: Int[Tensor, "vertices"]
    """Vertices of the template that are the coarse mesh's."""
    faces: Int[Tensor, "faces 3"]
    """Of the coarse mesh, into ``occluder``."""
    neighbours: Int[Tensor, "gaussians neighbours"]
    """Places that each Gaussian reads."""
    weights: Float[Tensor, "gaussians neighbours"]
    """Of each, sum 1."""


def shadow_layout(body: CompactBody, places: SurfacePoints, gaussians: SurfacePoints, cell: float) -> ShadowLayout:
    """Coarsen the body and find each Gaussian's nearest places on its side of the surface, at rest.

    Args:
        body: the whole template.
        places, gaussians: on it.
        cell: metres, see ``RelightConfig.occluder_cell``.
    """
    occluder, faces = coarse_mesh(body.template_vertices, body.faces, cell)
    at_places, points = (
        torch.cat(
            [
                on.read(body.template_vertices, body.faces),
                SIDE_LENGTH * on.normals(body.template_vertices, body.faces),
            ],
            dim=-1,
        )
        for on in (places, gaussians)
    )
    count = min(NEIGHBOURS, len(at_places))
    parts = [torch.cdist(part, at_places).topk(count, largest=False) for part in points.split(4096)]
    distances, index = (torch.cat(values) for values in zip(*parts))
    # The last neighbour's weight falls to zero, so that shading has no step where neighbours change.
    weights = (distances[:, -1:] * 1.001 + 1e-6 - distances).clamp(min=1e-9)
    return ShadowLayout(occluder, faces, index, weights / weights.sum(-1, keepdim=True))


def coarse_mesh(
    vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], cell: float
) -> tuple[Int[Tensor, "kept"], Int[Tensor, "coarse 3"]]:
    """Vertices that stand for all in their cell, and the triangles left between them.

    Args:
        vertices: metres.
        faces: triangles.
        cell: metres.

    Returns:
        Indices into ``vertices``, and faces into those indices.
    """
    place = vertices.double().cpu().numpy()
    _, group = np.unique(np.floor(place / cell).astype(np.int64), axis=0, return_inverse=True)
    size = np.bincount(group)
    middle = np.stack([np.bincount(group, place[:, k]) for k in range(3)], axis=-1) / size[:, None]
    distance = np.square(place - middle[group]).sum(-1)
    order = np.lexsort((distance, group))
    kept = order[np.searchsorted(group[order], np.arange(len(size)))]
    coarse = group[faces.cpu().numpy()]
    whole = (coarse[:, 0] != coarse[:, 1]) & (coarse[:, 1] != coarse[:, 2]) & (coarse[:, 0] != coarse[:, 2])
    coarse = np.unique(coarse[whole], axis=0)
    return torch.from_numpy(kept).to(faces.device), torch.from_numpy(coarse).to(faces.device)
