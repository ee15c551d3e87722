"""A posed person that rays are cast at with Embree. Arrays along rays are float32, as Embree's are."""

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from lca_dataparsers.synthetic.person import PersonMesh


@dataclass(frozen=True)
class Hits:
    """Where rays met a person, one row each."""

    face: np.ndarray
    """[n] index of the face."""
    point: np.ndarray
    """[n, 3] metres, world."""
    flat: np.ndarray
    """[n, 3] unit normal of the face."""
    normal: np.ndarray
    """[n, 3] unit normal interpolated from the vertices."""
    paint: np.ndarray
    """[n, 5] see ``person.PersonMesh``."""


class Scene:
    """A posed person ready for rays.

    Args:
        mesh: faces, materials and paint.
        vertices: [vertices, 3] posed, metres, world.
    """

    def __init__(self, mesh: PersonMesh, vertices: np.ndarray) -> None:
        self.mesh, self.vertices = mesh, np.ascontiguousarray(vertices, np.float32)
        used = self.vertices[mesh.used]
        self.low, self.high = used.min(axis=0), used.max(axis=0)
        corners = [self.vertices[mesh.faces[:, k]] for k in range(3)]
        across = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        self._flat = unit(across)
        normals = unit(mesh.faces_around @ across)  # areas as weights
        self._attributes = np.concatenate([self.vertices, normals, mesh.paint], axis=1, dtype=np.float32)
        self._embree = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._embree.add_triangles(
            o3d.core.Tensor.from_numpy(self.vertices), o3d.core.Tensor.from_numpy(mesh.faces.astype(np.uint32))
        )

    def first_hits(self, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, Hits]:
        """Which rays from ``origin`` [3] along ``directions`` [n, 3] hit, [n] bool; and what those do hit."""
        result = self._embree.cast_rays(_rays(np.broadcast_to(origin, directions.shape), directions), nthreads=1)
        hit = np.isfinite(result["t_hit"].numpy())
        uv = result["primitive_uvs"].numpy()[hit]
        face = result["primitive_ids"].numpy()[hit].astype(np.int64)
        corners = self.mesh.faces[face]
        values = self._attributes[corners[:, 0]] * (1 - uv[:, :1] - uv[:, 1:])
        values += self._attributes[corners[:, 1]] * uv[:, :1]
        values += self._attributes[corners[:, 2]] * uv[:, 1:]
        return hit, Hits(face, values[:, :3], self._flat[face], unit(values[:, 3:6]), values[:, 6:])

    def occluded(self, start: np.ndarray, directions: np.ndarray, far: float) -> np.ndarray:
        """Which rays meet something nearer than ``far`` metres, [n] bool."""
        return self._embree.test_occlusions(_rays(start, directions), tnear=0.0, tfar=far, nthreads=1).numpy()


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Products [n] of the rows of [n, 3] with those of [n, 3]."""
    return np.einsum("ij,ij->i", first, second)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length one; zero rows stay."""
    return vectors / np.maximum(np.sqrt(dot(vectors, vectors)), 1e-12)[:, None]


def _rays(start: np.ndarray, directions: np.ndarray) -> o3d.core.Tensor:
    return o3d.core.Tensor.from_numpy(np.concatenate([start, directions], axis=1, dtype=np.float32))
