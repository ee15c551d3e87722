"""A mesh drawn on one core in a few milliseconds: flat shading of the nearest triangles."""

import numpy as np

from lca_dataparsers.mesh_raster import nearest_faces
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Float, Int, Tensor

NEAREST = 0.02
"""Metres before the camera; triangles with a corner nearer than this are left out."""
_DARKEST = 0.35


def shaded_mesh(
    vertices_world: Float[Tensor, "vertices 3"], faces: Int[Tensor, "faces 3"], camera: Cameras
) -> tuple[np.ndarray, np.ndarray]:
    """Brightness 0..1 (light from the camera) and which pixels the mesh covers; both [h, w].

    A pixel is covered if its centre (at +0.5) lies in a projected triangle.
    """
    pixels, depth = project(camera, vertices_world)
    rotation, shift = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    places = vertices_world.detach() @ rotation.to(vertices_world).mT + shift.to(vertices_world)
    triangles = faces.cpu().numpy()
    face, _ = nearest_faces(
        pixels.detach().cpu().numpy(), depth.detach().cpu().numpy(), triangles, camera.height, camera.width, NEAREST
    )
    covered = face >= 0
    shown, brightness = face[covered], np.zeros(face.shape)
    brightness[covered] = _DARKEST + (1 - _DARKEST) * _facing(places.cpu().numpy()[triangles])[shown]
    return brightness, covered


def _facing(corners: Float[np.ndarray, "faces 3 3"]) -> Float[np.ndarray, "faces"]:
    """|cosine| between normal and line of sight; corners in the camera's axes."""
    a, b, c = np.moveaxis(corners, 1, 0)
    normal, middle = np.cross(b - a, c - a), a + b + c  # triangles are small beside their distance
    lengths = np.linalg.norm(normal, axis=1) * np.linalg.norm(middle, axis=1)
    return np.minimum(np.abs((normal * middle).sum(axis=1)) / np.maximum(lengths, 1e-20), 1.0)
