"""``camera_calibration.json`` as Goliath and Ava-256 keep it.

``{"KRT": [{"cameraId", "K", "T"}]}``: K and T are stored transposed; ``T`` transposed is camera-from-world in
millimetres; K is for the full-size sensor, with the first pixel's centre at 0.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lca_dataparsers.formats.listing import matrix, read_json, whole
from lca_shared.errors import UserError
from lca_shared.tensors import Float


@dataclass(frozen=True)
class StoredCamera:
    """One camera as the file has it, with the transposes undone."""

    intrinsics: Float[np.ndarray, "3 3"]
    """Pixels of the full-size sensor, first pixel centre at 0."""
    camera_from_world: Float[np.ndarray, "4 4"]
    """Metres."""
    full_size: tuple[int, int] | None
    """Width and height that the intrinsics are for, where the file says."""
    distortion: tuple[float, ...]
    """OpenCV's coefficients; empty = none."""


def read_krt(path: Path) -> dict[str, StoredCamera]:
    """All cameras of a ``camera_calibration.json``.

    Raises:
        UserError: it is missing or damaged.
    """
    content = read_json(path, "the cameras of the capture")
    rows = content.get("KRT") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows:
        raise UserError(f"{path} has no list KRT of cameras. Restore it.")
    cameras = {}
    for row in rows:
        if not isinstance(row, dict) or not {"cameraId", "K", "T"} <= row.keys():
            raise UserError(f"{path}: a camera lacks cameraId, K or T. Restore it.")
        name = str(row["cameraId"])
        k = matrix(row["K"], (3, 3), path, f"K of camera {name}").T
        t = matrix(row["T"], (4, 4), path, f"T of camera {name}").T
        pose = np.eye(4)
        pose[:3] = t[:3]
        pose[:3, 3] /= 1000.0
        size = None
        if "width" in row and "height" in row:
            size = whole(row["width"], path, f"width of camera {name}"), whole(row["height"], path, f"height of {name}")
        cameras[name] = StoredCamera(k, pose, size, _distortion(row, path, name))
    return cameras


def scaled_intrinsics(camera: StoredCamera, stored: tuple[int, int], path: Path, name: str) -> Float[np.ndarray, "3 3"]:
    """Intrinsics for pictures of ``stored`` (width, height) pixels, pixel centres at +0.5.

    The formats' loaders divide by a whole number: ``c' = (c + 0.5) / d - 0.5``; with centres at +0.5 that is
    ``c / d``. Where the file does not say what size K is for, it is the whole multiple of the picture in whose middle
    the principal point lies.

    Raises:
        UserError: no whole multiple fits.
    """
    if camera.full_size is not None:
        factors = camera.full_size[0] / stored[0], camera.full_size[1] / stored[1]
    else:
        factors = (2 * camera.intrinsics[0, 2] + 1) / stored[0], (2 * camera.intrinsics[1, 2] + 1) / stored[1]
    down = max(1, round((factors[0] + factors[1]) / 2))
    if max(abs(factor / down - 1) for factor in factors) > (0.02 if camera.full_size else 0.25):
        raise UserError(
            f"{path}: the calibration of camera {name} is for pictures {factors[0]:.2f} x {factors[1]:.2f} times as "
            "large as those stored; it should be the same whole multiple in both. Check that they belong together."
        )
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] += 0.5
    intrinsics[:2] /= down
    return intrinsics


def _distortion(row: dict, path: Path, name: str) -> tuple[float, ...]:
    values = row.get("distortion") or []
    if row.get("distortionModel", "radial-tangential") in ("none", None) or not isinstance(values, list) or not values:
        return ()
    if len(values) not in (4, 5, 8):
        raise UserError(f"{path}: camera {name} has {len(values)} coefficients of distortion; 4, 5 or 8 are known.")
    return tuple(matrix(values, (len(values),), path, f"distortion of camera {name}").tolist())
