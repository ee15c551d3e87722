"""Where the fitted body has a token in each reference view, and whether attention goes there."""

import torch

from lca_method.batch import ReferenceViews
from lca_method.networks.image_tokens import patch_means
from lca_method.networks.lca import LCA
from lca_method.networks.projected_colors import sampled
from lca_shared.body.anchors import SurfacePoints, face_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import project
from lca_shared.tensors import Float, Tensor

AROUND = 1.5
"""Patches: what is nearer than this to a place belongs to it."""


def places_in_views(
    network: LCA, body: CompactBody, references: ReferenceViews, shape: Float[Tensor, "coefficients"], tokens: list[int]
) -> tuple[Float[Tensor, "points views 2"], Float[Tensor, "points views"]]:
    """Pixels of the whole-body pictures, and how well each view sees the place (0 = hidden, turned away, or outside).

    Args:
        network: whose tokens.
        body: on the network's device.
        references: of one person, without batch axes, with their fit.
        shape: of the person.
        tokens: indices of geometric tokens.
    """
    assert references.fit is not None, "the places come from the fitted body"
    cameras = references.fit.cameras
    with torch.no_grad():
        vertices = body.skinned(body.shaped(shape), references.fit.pose)
        points = SurfacePoints(network.token_faces[tokens], network.token_barycentric[tokens])
        places, _ = project(cameras, points.read(vertices, body.faces))
        normals, areas = face_normals(vertices, body.faces)
        middles = vertices[..., body.faces, :].mean(dim=-2)
        spacing = float(areas.mean().sqrt())
        _, seen = sampled(middles, normals, references.images, references.masks, cameras, spacing)
    return places.movedim(0, 1), seen[:, points.faces].mT


def focus(
    maps: Float[Tensor, "points views rows columns"],
    masks: Float[Tensor, "views 1 h w"],
    places: Float[Tensor, "points views 2"],
    visible: Float[Tensor, "points views"],
) -> Float[Tensor, "points"]:
    """Attention on an average patch within :data:`AROUND` of the place, over that on an average patch of the person, in
    the views that see the place; 1 = attention does not know the place, NaN = no view sees it.

    Args:
        maps: attention of each point.
        masks: of the pictures, 1 = person.
        places: pixels of the pictures.
        visible: > 0 where a view sees the place.
    """
    rows, columns = maps.shape[-2:]
    person = patch_means(masks.expand(-1, 3, -1, -1), masks, (rows, columns))[0].unflatten(-1, (rows, columns)) > 0
    patch = masks.new_tensor([masks.shape[-1] / columns, masks.shape[-2] / rows])
    down, right = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    centers = torch.stack([right, down], dim=-1).to(places) + 0.5
    near = (centers - (places / patch)[..., None, None, :]).norm(dim=-1) < AROUND
    counted = (person & (visible > 0)[..., None, None]).to(maps)
    around = counted * near

    def average(weights: Tensor) -> Tensor:
        return (maps * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3))

    return average(around) / average(counted)
