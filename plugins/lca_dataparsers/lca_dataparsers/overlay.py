"""Drawing what a frame knows over its picture: the mesh, the mask's outline, boxes, points."""

import cv2
import numpy as np

from lca_dataparsers.mesh_shading import shaded_mesh
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Int, Tensor

GREEN, YELLOW, RED, BLUE = (60, 220, 90), (250, 220, 60), (235, 70, 60), (80, 150, 255)
"""sRGB 0..255."""


def draw_mesh_overlay(
    image: np.ndarray,
    vertices_world: Float[Tensor, "vertices 3"],
    faces: Int[Tensor, "faces 3"],
    camera: Cameras,
    *,
    color: tuple[int, int, int] = BLUE,
    opacity: float = 0.6,
) -> np.ndarray:
    """The picture with the mesh shaded over it.

    Args:
        image: uint8 [h, w, 3] RGB of the camera's size; it is not changed.
        vertices_world: metres, world.
        faces: corners of the triangles.
        camera: one camera (no batch axes) of the picture.
        color: of the mesh, sRGB 0..255.
        opacity: 0 leaves the picture as it is, 1 hides it behind the mesh.

    Returns:
        uint8 [h, w, 3] RGB.

    Raises:
        ValueError: the picture has another size than the camera.
    """
    shading, covered = shaded_mesh(vertices_world, faces, camera)
    if image.shape[:2] != covered.shape:
        raise ValueError(f"the picture is {image.shape[:2]}, the camera's {covered.shape}")
    drawn = np.array(image)
    tint = shading[covered][:, None].astype(np.float32) * np.array(color, np.float32)
    drawn[covered] = np.clip(drawn[covered] * (1 - opacity) + opacity * tint + 0.5, 0, 255).astype(np.uint8)
    return drawn


def draw_mask_outline(
    image: np.ndarray, mask: np.ndarray, color: tuple[int, int, int] = GREEN, thickness: int = 1
) -> np.ndarray:
    """The picture (uint8 [h, w, 3] RGB) with the outline of a mask (uint8 [h, w], 255 = person)."""
    outlines, _ = cv2.findContours((mask > 127).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.ascontiguousarray(image).copy(), outlines, -1, color, thickness)


def draw_box(
    image: np.ndarray, box: np.ndarray, color: tuple[int, int, int] = YELLOW, thickness: int = 1
) -> np.ndarray:
    """The picture with a box [4] (left, top, right, bottom, pixels); a box of NaN draws nothing."""
    drawn = np.ascontiguousarray(image).copy()
    if np.isfinite(box).all():
        left, top, right, bottom = (round(float(value)) for value in box)
        cv2.rectangle(drawn, (left, top), (right, bottom), color, thickness)
    return drawn


def draw_points(
    image: np.ndarray, points: np.ndarray, color: tuple[int, int, int] = RED, radius: int = 1
) -> np.ndarray:
    """The picture with points [n, 2] (pixels, centres at +0.5); points of NaN are left out."""
    drawn = np.ascontiguousarray(image).copy()
    for x, y in points[np.isfinite(points).all(axis=1)]:
        cv2.circle(drawn, (int(np.floor(x)), int(np.floor(y))), radius, color, -1, cv2.LINE_AA)
    return drawn
