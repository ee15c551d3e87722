"""Normals of the clothed person: of the body's surface after it was moved to where the Gaussians over it stand.

A coarse mesh of the body follows its Gaussians' offsets, each vertex the mean of those nearest to it; skirts, hair and
wide sleeves turn its triangles. It loses fine relief, which the body's own normals have: the mean of both is nearer to
the truth than either (our choice).
"""

from dataclasses import dataclass

import torch

from lca_method.networks.shadow_layout import coarse_mesh
from lca_shared.body.anchors import SIDE_LENGTH, SurfacePoints, face_normals, vertex_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Int, Tensor

FOLLOWED, READ = 16, 6
"""Gaussians that a vertex follows, and vertices whose normals a Gaussian reads."""
_NEAR = 0.01
"""Metres: neighbours nearer than this count alike."""
_AGREE = 0.5
"""Length of a mean of unit vectors below which they do not agree."""
_AT_ONCE = 2048


@dataclass(frozen=True)
class ClothedNormals:
    """What follows from the template and the sampled points, once a model."""

    vertices: Float[Tensor, "vertices 3"]
    """Of the coarse mesh, metres, rest."""
    faces: Int[Tensor, "faces 3"]
    followed: Int[Tensor, "vertices followed"]
    """Gaussians that each vertex follows."""
    pull: Float[Tensor, "vertices followed"]
    """By how much."""
    read: Int[Tensor, "gaussians read"]
    """Vertices whose normals each Gaussian reads."""
    shares: Float[Tensor, "gaussians read"]
    """Of each, sum 1."""
    bare: Float[Tensor, "gaussians 3"]
    """The body's normals: outward, unit."""

    @staticmethod
    def of_points(body: CompactBody, gaussians: SurfacePoints, cell: float) -> "ClothedNormals":
        """Args: the whole template; the Gaussians' points on it; metres, see ``RelightConfig.occluder_cell``."""
        template = body.template_vertices
        kept, faces = coarse_mesh(template, body.faces, cell)
        bare = gaussians.normals(template, body.faces)
        points = torch.cat([gaussians.read(template, body.faces), SIDE_LENGTH * bare], dim=-1)
        corners = torch.cat([template[kept], SIDE_LENGTH * vertex_normals(template, body.faces)[kept]], dim=-1)
        followed, pull = nearest_weights(corners, points, FOLLOWED)
        read, shares = nearest_weights(points, corners, READ)
        return ClothedNormals(template[kept], faces, followed, pull, read, shares, bare)

    @torch.no_grad()
    def of(
        self, offsets: Float[Tensor, "*b gaussians 3"], opacities: Float[Tensor, "*b gaussians"], share: float
    ) -> Float[Tensor, "*b gaussians 3"]:
        """Unit normals at rest.

        Args:
            offsets: of the Gaussians from their points, metres.
            opacities: what is seen counts.
            share: of the clothed surface, the rest is the bare body's.
        """
        if share == 0:
            return self.bare.expand(offsets.shape)
        weights = self.pull * opacities[..., self.followed]
        moved = (offsets[..., self.followed, :] * weights[..., None]).sum(-2)
        vertices = self.vertices + moved / weights.sum(-1, keepdim=True).clamp(min=1e-6)
        directions, areas = face_normals(vertices, self.faces)
        sums = torch.cat([directions * areas[..., None], areas[..., None]], dim=-1)
        around = sums.new_zeros(*vertices.shape[:-1], 4)
        for corner in range(3):
            around.index_add_(-2, self.faces[:, corner], sums)
        around = _unit(around[..., :3] / around[..., 3:].clamp(min=1e-12))
        clothed = _unit((around[..., self.read, :] * self.shares[..., None]).sum(-2))
        return torch.nn.functional.normalize(torch.lerp(self.bare.expand_as(clothed), clothed, share), dim=-1)


def _unit(means: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """Of means of unit vectors that agree; where they do not, as in folds, a short vector, which counts for little."""
    return means / torch.linalg.vector_norm(means, dim=-1, keepdim=True).clamp(min=_AGREE)


def nearest_weights(
    places: Float[Tensor, "n 6"], others: Float[Tensor, "m 6"], count: int
) -> tuple[Int[Tensor, "n count"], Float[Tensor, "n count"]]:
    """For each place the nearest others and their weights, sum 1."""
    parts = [torch.cdist(part, others).topk(min(count, len(others)), largest=False) for part in places.split(_AT_ONCE)]
    distances, index = (torch.cat(values) for values in zip(*parts))
    weights = 1 / (distances.square() + _NEAR**2)
    return index, weights / weights.sum(-1, keepdim=True)
