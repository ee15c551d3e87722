"""Which limbs a camera sees: a depth test of the posed body against itself."""

from functools import cached_property

import numpy as np

from lca_dataparsers.mesh_raster import nearest_faces
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import Cameras, project
from lca_shared.rendering.numba_kernel import kernel
from lca_shared.tensors import Float, Tensor

BEHIND = 0.03
"""A point this far behind the nearest surface is hidden, metres."""
NEAREST = 0.05
LEAST_POINTS = 12
"""Vertices that tell of a joint: those that follow it more than others, or the so many that follow it most."""


class LimbVisibility:
    """Tells of each driven joint of a body how much of what it moves a camera sees.

    Args:
        body: any body model of the package.
    """

    def __init__(self, body: CompactBody) -> None:
        self.body = body

    def seen(
        self, vertices: Float[Tensor, "vertices 3"], camera: Cameras, long_side: int
    ) -> Float[np.ndarray, "driven"]:
        """Share, 0..1, of each joint's surface towards the camera that lies in the picture and not behind other parts.

        Args:
            vertices: of the posed body, metres, world.
            camera: one camera.
            long_side: of the depth picture, pixels.
        """
        factor = min(1.0, long_side / max(camera.width, camera.height))
        width, height = max(1, round(camera.width * factor)), max(1, round(camera.height * factor))
        pixels, depth = project(camera.resized(width, height), vertices)
        faces = self._faces
        matrix = camera.camera_from_world
        centre = -matrix[:3, :3].mT @ matrix[:3, 3]
        towards = _towards(vertices.double().numpy(), faces, centre.double().numpy())
        places, far = pixels.double().numpy(), depth.double().numpy()
        _, nearest = nearest_faces(places, far, faces, height, width, NEAREST)
        column, row = (np.floor(np.nan_to_num(places[:, k], nan=-1.0).clip(-1, 1e6)).astype(int) for k in (0, 1))
        inside = (far > NEAREST) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = nearest[row.clip(0, height - 1), column.clip(0, width - 1)]
        open_view = inside & (far <= at + BEHIND)
        return np.array(
            [open_view[group[towards[group]]].mean() if towards[group].any() else 0.0 for group in self._groups]
        )

    @cached_property
    def _faces(self) -> np.ndarray:
        return self.body.faces.numpy()

    @cached_property
    def _groups(self) -> list[np.ndarray]:
        """Vertices of each driven joint."""
        body = self.body
        names = [body.joint_names[i] for i in body.active.joints.tolist()]
        weights = body.active_weights[:, [names.index(name) for name in body.driven_joints]].numpy()
        groups = []
        for column in weights.T:
            chosen = np.flatnonzero(column > 0.5)
            groups.append(chosen if len(chosen) >= LEAST_POINTS else np.argsort(-column, kind="stable")[:LEAST_POINTS])
        return groups


@kernel(nogil=True)
def _towards(vertices, faces, centre):
    """Whether the surface around each vertex faces a point: by its faces' normals, large ones counting more."""
    normals = np.zeros_like(vertices)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    towards = np.empty(len(vertices), np.bool_)
    for i in range(len(vertices)):
        facing = 0.0
        for k in range(3):
            facing += (centre[k] - vertices[i, k]) * normals[i, k]
        towards[i] = facing > 0.0
    return towards
