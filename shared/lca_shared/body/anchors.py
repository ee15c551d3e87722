"""Points on a body's surface, spread evenly, that follow any shape, expression and pose."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Bool, Float, Int, Tensor

CANDIDATES_PER_POINT = 12
SIDE_LENGTH = 0.01
"""Metres that a unit normal counts for, so that cells on fingers, ears and lips part by side before they part along."""


@dataclass(frozen=True)
class SurfacePoints:
    """Points on a triangle mesh, without the mesh."""

    faces: Int[Tensor, "points"]
    """Triangle of each point: an index into all faces of the mesh."""
    barycentric: Float[Tensor, "points 3"]
    """Weights of the triangle's corners; they add up to one."""

    def __len__(self) -> int:
        return len(self.faces)

    def read(
        self, values: Float[Tensor, "*batch vertices channels"], faces: Int[Tensor, "faces 3"]
    ) -> Float[Tensor, "*batch points channels"]:
        """Anything given at vertices (positions, displacements, skinning weights), read at the points."""
        corners, weights = faces[self.faces], self.barycentric.to(values)
        return sum((values[..., corners[:, i], :] * weights[:, i, None] for i in range(3)), values.new_zeros(()))

    def normals(
        self, vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"]
    ) -> Float[Tensor, "*batch points 3"]:
        """Outward unit normals of the points' triangles."""
        return face_normals(vertices, faces[self.faces])[0]


def face_normals(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"]
) -> tuple[Float[Tensor, "*batch faces 3"], Float[Tensor, "*batch faces"]]:
    """Outward unit normals and areas (square metres) of triangles."""
    a, b, c = (vertices[..., faces[:, i], :] for i in range(3))
    double = torch.linalg.cross(b - a, c - a)
    return torch.nn.functional.normalize(double, dim=-1, eps=1e-20), 0.5 * double.norm(dim=-1)


def vertex_normals(vertices: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"]) -> Float[Tensor, "vertices 3"]:
    """Outward unit normals of vertices: the mean of their triangles', by area."""
    directions, areas = face_normals(vertices, faces)
    around = torch.zeros_like(vertices)
    for corner in range(3):
        around.index_add_(0, faces[:, corner], directions * areas[:, None])
    return torch.nn.functional.normalize(around, dim=-1)


def sample_surface(
    vertices: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    count: int,
    *,
    face_mask: Bool[Tensor, "faces"] | None = None,
    seed: int = 0,
) -> SurfacePoints:
    """Spread ``count`` points so that each stands for the same area, neighbours evenly apart.

    Candidates drawn evenly by area are halved along their longest extent, again and again, into ``count`` compact cells
    of equally many candidates; each cell gives the candidate nearest to its middle. Thin parts (fingers, ears, lips)
    thereby get their share on both sides, which points kept apart by distance alone would not.

    Args:
        vertices: of the mesh, metres.
        faces: of the mesh.
        count: points wanted.
        face_mask: take points from these triangles only.
        seed: the same seed gives the same points.

    Raises:
        ValueError: ``face_mask`` leaves no area.
    """
    normals, areas = face_normals(vertices.double(), faces)
    if face_mask is not None:
        areas = areas * face_mask
    if count and not float(areas.sum()) > 0.0:
        raise ValueError("face_mask leaves no surface to put points on")
    candidates = _candidates(areas.cpu(), count * CANDIDATES_PER_POINT, seed)
    normal = normals.cpu()[candidates.faces]
    position = candidates.read(vertices.double().cpu(), faces.cpu())
    features = torch.cat([position, SIDE_LENGTH * normal], dim=-1).numpy()
    chosen = torch.from_numpy(_cell_middles(features, count))
    return SurfacePoints(
        candidates.faces[chosen].to(faces.device), candidates.barycentric[chosen].float().to(vertices.device)
    )


def _candidates(areas: Float[Tensor, "faces"], count: int, seed: int) -> SurfacePoints:
    """Stratified by area along the order of the faces, random inside each triangle."""
    random = np.random.default_rng(seed)
    ends = np.cumsum(areas.numpy())
    along = (np.arange(count) + random.random(count)) / max(count, 1) * ends[-1]
    chosen = np.searchsorted(ends, along, side="right").clip(max=len(ends) - 1)
    root, v = np.sqrt(random.random(count)), random.random(count)
    barycentric = np.stack([1.0 - root, root * (1.0 - v), root * v], axis=-1)
    return SurfacePoints(torch.from_numpy(chosen), torch.from_numpy(barycentric))


def _cell_middles(features: np.ndarray, cells: int) -> np.ndarray:
    """Index of the candidate nearest to the middle of each of ``cells`` cells of equally many candidates."""
    size = len(features) // max(cells, 1)
    pending = [np.arange(len(features))] if cells else []
    middles = []
    while pending:
        index = pending.pop()
        inside, count = features[index], len(index) // size
        if count == 1:
            middles.append(index[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()])
            continue
        order = index[np.argsort(inside[:, np.ptp(inside, axis=0).argmax()], kind="stable")]
        half = (count // 2) * size
        pending += [order[half:], order[:half]]
    return np.asarray(middles, dtype=np.int64)


def body_at(body: CompactBody, points: SurfacePoints) -> CompactBody:
    """The body whose vertices are the points: shape, expression and skinning weights read at them, no faces.

    A point is skinned with its own blended weights, as its Gaussian is. Its regions are those of its triangle.
    """
    displaced = torch.zeros(len(body.expression_names), *body.template_vertices.shape).to(body.template_vertices)
    displaced[:, body.expression_index] = body.expression_vertices
    expression = points.read(displaced, body.faces)
    moving = torch.nonzero((expression != 0).any(dim=-1).any(dim=0))[:, 0]
    return replace(
        body,
        faces=body.faces[:0],
        template_vertices=points.read(body.template_vertices, body.faces),
        skinning_weights=points.read(body.skinning_weights, body.faces),
        regions={name: mask[body.faces[points.faces]].all(dim=1) for name, mask in body.regions.items()},
        shape_vertices=points.read(body.shape_vertices, body.faces),
        expression_index=moving,
        expression_vertices=expression[:, moving],
        face_texture_coordinates=body.face_texture_coordinates[:0],
    )
