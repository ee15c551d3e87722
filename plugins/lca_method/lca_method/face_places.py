"""Where the parts of the face are in a head crop: what the encoder of expressions looks at.

In a head crop faces are tilted, off the middle, near or far, and everybody's has other proportions. The fitted body
knows all that. So the face is laid out as on the template: the eyes of everybody in one place, their mouths in another.
What moves away from there is expression. Left in the picture, head pose and proportions would have to be unlearned, and
would tell people apart. Not in the paper, which says "face crop".
"""

from dataclasses import dataclass
from functools import cache

import torch

from lca_shared.body import get_body_model
from lca_shared.body.anchors import vertex_normals
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Float, Tensor

POINTS = 160
"""Vertices of the face that hold the layout, at most."""
GRID = 16
"""Rows and columns of the layout; between them it is linear."""
_HALF = 0.095
"""Half the layout's side on the template, metres."""
_MIDDLE = 0.021
"""How far its middle lies below that of the face: there has to be room for the chin of an open mouth."""
_FACING = 0.25
"""Least cosine between normal and view from the front of a vertex that counts."""
_STIFFNESS = 1e-3
"""Of the spline: a fitted body's face is wrong by millimetres."""


@dataclass(frozen=True)
class FaceMarks:
    """The vertices of a body that tell where its face is, and what follows from where they are."""

    body: CompactBody
    """Of the vertices alone."""
    spline: Float[Tensor, "nodes points"]
    """From values at the vertices to those at the layout's nodes, row by row."""

    @staticmethod
    @cache
    def of(name: str) -> "FaceMarks":
        """Of a body model by its name."""
        body = get_body_model(name)
        normals = vertex_normals(body.template_vertices, body.faces)
        shown = (body.regions["face"] & ~body.regions["hidden"] & (normals[:, 1] < -_FACING)).nonzero()[:, 0]
        flat = body.template_vertices[shown][:, [0, 2]]  # seen from the front: x to the right, z up
        low, high = flat.amin(dim=0), flat.amax(dim=0)
        middle = torch.stack([torch.zeros(()), (low[1] + high[1]) / 2 - _MIDDLE])
        flat = (flat - middle) / _HALF * torch.tensor([1.0, -1.0])
        chosen = _both_sides(flat, POINTS)
        return FaceMarks(body.subset(shown[chosen]), _thin_plate(flat[chosen], _nodes()))

    def places(
        self, shape: Float[Tensor, "coefficients"], pose: BodyPose, cameras: Cameras
    ) -> Float[Tensor, "frames rows columns 2"]:
        """Where each node of the layout is in the crops of ``cameras``: x to the right and y down, -1..1 over the crop,
        as ``torch.nn.functional.grid_sample`` wants it. The first and last rows and columns are the layout's border.

        Expression has no part in it.

        Args:
            shape: of the person.
            pose: of the frames.
            cameras: of the head crops.
        """
        points = self.body.skinned(self.body.shaped(shape), pose)
        pixels = project(cameras, points)[0]
        seen = 2 * pixels / pixels.new_tensor([cameras.width, cameras.height]) - 1
        return (self.spline.to(seen) @ seen).unflatten(-2, (GRID, GRID)).nan_to_num()


def _nodes() -> Float[Tensor, "nodes 2"]:
    line = torch.linspace(-1, 1, GRID)
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1)


def _both_sides(points: Float[Tensor, "n 2"], count: int) -> list[int]:
    """Some of the points, evenly over the right half, and those nearest to their mirror images."""
    right = (points[:, 0] >= 0).nonzero()[:, 0]
    half = right[_spread(points[right], count // 2)]
    mirrored = torch.cdist(points[half] * torch.tensor([-1.0, 1.0]), points).argmin(dim=1)
    return torch.cat([half, mirrored]).unique().tolist()


def _spread(points: Float[Tensor, "n 2"], count: int) -> list[int]:
    """Some of the points, each as far from those before it as can be."""
    chosen = [int(points.norm(dim=-1).argmin())]
    distances = (points - points[chosen[0]]).norm(dim=-1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distances.argmax()))
        distances = torch.minimum(distances, (points - points[chosen[-1]]).norm(dim=-1))
    return chosen


def _thin_plate(points: Float[Tensor, "points 2"], nodes: Float[Tensor, "nodes 2"]) -> Float[Tensor, "nodes points"]:
    """What a smoothing thin-plate spline through values at ``points`` has at ``nodes``: linear in the values."""
    at, points = nodes.double(), points.double()
    count = len(points)

    def bending(first: Tensor, second: Tensor) -> Tensor:
        square = (first[:, None] - second).square().sum(dim=-1)
        return torch.where(square > 0, 0.5 * square * square.clamp(min=1e-12).log(), 0.0)

    affine = torch.cat([points.new_ones(count, 1), points], dim=1)
    stiff = bending(points, points) + _STIFFNESS * torch.eye(count, dtype=points.dtype)
    system = torch.cat([torch.cat([stiff, affine], dim=1), torch.cat([affine.mT, affine.new_zeros(3, 3)], dim=1)])
    solved = torch.linalg.inv(system)[:, :count]
    return (torch.cat([bending(at, points), at.new_ones(len(at), 1), at], dim=1) @ solved).float()
