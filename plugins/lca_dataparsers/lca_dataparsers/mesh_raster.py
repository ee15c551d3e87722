"""Which triangle of a mesh is nearest in each pixel: one compiled loop for masks, depth tests and shading."""

import numpy as np
import torch

from lca_shared.rendering.numba_kernel import kernel
from lca_shared.tensors import Bool, Float, Int, Tensor

_EDGE = 1e-6
"""Of a triangle's area, by which a pixel's centre may lie outside."""


def covered_pixels(
    pixels: Float[Tensor, "vertices 2"], faces: Int[Tensor, "faces 3"], height: int, width: int
) -> Bool[Tensor, "height width"]:
    """Pixels whose centre (at +0.5) lies in a projected triangle.

    Triangles with a corner that is not finite are left out.
    """
    places = pixels.detach().cpu().numpy()
    face, _ = nearest_faces(places, np.ones(len(places)), faces.cpu().numpy(), height, width, 0.0)
    return torch.from_numpy(face >= 0)


def nearest_faces(
    places: Float[np.ndarray, "vertices 2"],
    depth: Float[np.ndarray, "vertices"],
    faces: Int[np.ndarray, "faces 3"],
    height: int,
    width: int,
    nearest: float,
) -> tuple[Int[np.ndarray, "height width"], Float[np.ndarray, "height width"]]:
    """The nearest triangle in each pixel (-1: none) and its depth at the pixel's centre, at +0.5 (infinite: none).

    Args:
        places: pixels.
        depth: along the camera's axis, metres.
        faces: corners; both sides count.
        height: of the picture.
        width: of the picture.
        nearest: triangles with a corner that is no further away are left out, and so are those that are not finite.
    """
    places, depth = (np.ascontiguousarray(values, np.float64) for values in (places, depth))
    return _nearest_faces(places, depth, np.ascontiguousarray(faces), height, width, nearest, _EDGE)


@kernel(nogil=True)
def _nearest_faces(places, depth, faces, height, width, nearest, edge):
    face = np.full((height, width), np.int32(-1), np.int32)
    nearness = np.zeros((height, width))  # 1 / depth is linear in the picture
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if not min(depth[a], depth[b], depth[c]) > nearest:
            continue
        ax, ay = places[a, 0] - 0.5, places[a, 1] - 0.5
        bx, by = places[b, 0] - 0.5, places[b, 1] - 0.5
        cx, cy = places[c, 0] - 0.5, places[c, 1] - 0.5
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if not np.isfinite(area) or area == 0.0:
            continue
        left = max(0, int(np.ceil(max(-1.0, min(ax, bx, cx)))))
        right = min(width - 1, int(np.floor(min(float(width), max(ax, bx, cx)))))
        top = max(0, int(np.ceil(max(-1.0, min(ay, by, cy)))))
        bottom = min(height - 1, int(np.floor(min(float(height), max(ay, by, cy)))))
        if left > right or top > bottom:
            continue
        abx, aby, bcx, bcy = (bx - ax) / area, (by - ay) / area, (cx - bx) / area, (cy - by) / area
        near_a, near_b, near_c = 1.0 / depth[a], 1.0 / depth[b], 1.0 / depth[c]
        for y in range(top, bottom + 1):
            ab_row, bc_row = abx * (y - ay) + aby * ax, bcx * (y - by) + bcy * bx
            for x in range(left, right + 1):
                ab, bc = ab_row - aby * x, bc_row - bcy * x
                ca = 1.0 - ab - bc
                if ab >= -edge and bc >= -edge and ca >= -edge:
                    here = bc * near_a + ca * near_b + ab * near_c
                    if here > nearness[y, x]:
                        nearness[y, x] = here
                        face[y, x] = f
    return face, 1.0 / nearness
