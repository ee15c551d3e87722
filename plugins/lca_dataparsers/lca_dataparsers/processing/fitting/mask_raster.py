"""Which pixels a mesh covers: enough for an overlap measure, without a scene or a depth buffer."""

import numpy as np
import torch

from lca_shared.rendering.numba_kernel import kernel
from lca_shared.tensors import Bool, Float, Int, Tensor


def covered_pixels(
    pixels: Float[Tensor, "vertices 2"], faces: Int[Tensor, "faces 3"], height: int, width: int
) -> Bool[Tensor, "height width"]:
    """Pixels whose centre (at +0.5) lies in a projected triangle.

    Triangles with a corner that is not finite are left out.
    """
    corners = np.ascontiguousarray(pixels.detach().cpu().numpy(), np.float64)
    return torch.from_numpy(_fill(corners, faces.cpu().numpy(), height, width))


@kernel(nogil=True)
def _fill(corners: np.ndarray, faces: np.ndarray, height: int, width: int) -> np.ndarray:
    covered = np.zeros((height, width), np.bool_)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay = corners[a, 0] - 0.5, corners[a, 1] - 0.5
        bx, by = corners[b, 0] - 0.5, corners[b, 1] - 0.5
        cx, cy = corners[c, 0] - 0.5, corners[c, 1] - 0.5
        if not np.isfinite(ax + ay + bx + by + cx + cy):
            continue
        left = max(0, int(np.ceil(max(-1.0, min(ax, bx, cx)))))
        right = min(width - 1, int(np.floor(min(float(width), max(ax, bx, cx)))))
        top = max(0, int(np.ceil(max(-1.0, min(ay, by, cy)))))
        bottom = min(height - 1, int(np.floor(min(float(height), max(ay, by, cy)))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                ab = (bx - ax) * (y - ay) - (by - ay) * (x - ax)
                bc = (cx - bx) * (y - by) - (cy - by) * (x - bx)
                ca = (ax - cx) * (y - cy) - (ay - cy) * (x - cx)
                if (ab >= 0.0 and bc >= 0.0 and ca >= 0.0) or (ab <= 0.0 and bc <= 0.0 and ca <= 0.0):
                    covered[y, x] = True
    return covered
