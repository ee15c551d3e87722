"""The body that throws and takes shadows, moved to the clothes over it: skirts shade legs, sleeves are wide."""

from dataclasses import dataclass

import torch

from lca_method.networks.clothed_normals import FOLLOWED, nearest_weights
from lca_method.networks.shadow_layout import coarse_mesh
from lca_shared.body.anchors import SIDE_LENGTH, SurfacePoints, vertex_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class ClothedShadows:
    """Which Gaussians each point of a ``ShadowBody`` follows; once a model."""

    followed: Int[Tensor, "points followed"]
    """Points: vertices of the coarse mesh, then places."""
    pull: Float[Tensor, "points followed"]
    """By how much, sum 1."""

    @staticmethod
    def of_points(body: CompactBody, gaussians: SurfacePoints, places: SurfacePoints, cell: float) -> "ClothedShadows":
        """Args: the whole template; the Gaussians' points on it; places of the ``ShadowBody``; its cells, metres."""
        template = body.template_vertices
        kept, _ = coarse_mesh(template, body.faces, cell)
        at_vertices = torch.cat([template[kept], SIDE_LENGTH * vertex_normals(template, body.faces)[kept]], dim=-1)
        at_places, points = (
            torch.cat([on.read(template, body.faces), SIDE_LENGTH * on.normals(template, body.faces)], dim=-1)
            for on in (places, gaussians)
        )
        return ClothedShadows(*nearest_weights(torch.cat([at_vertices, at_places]), points, FOLLOWED))

    @torch.no_grad()
    def shift(
        self, offsets: Float[Tensor, "*b gaussians 3"], opacities: Float[Tensor, "*b gaussians"]
    ) -> Float[Tensor, "*b points 3"]:
        """How far the points stand off the body at rest, metres. Args: of the Gaussians; what is seen counts."""
        weights = self.pull * opacities[..., self.followed]
        moved = (offsets[..., self.followed, :] * weights[..., None]).sum(-2)
        return moved / weights.sum(-1, keepdim=True).clamp(min=1e-6)
