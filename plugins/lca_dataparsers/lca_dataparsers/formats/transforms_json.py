"""nerfstudio's ``transforms.json`` with masks."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from lca_dataparsers.dataset.sources import PictureSource, safe_path
from lca_dataparsers.dataset.treatment import Treatment
from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView
from lca_dataparsers.formats.listing import matrix, number, read_json, require, stored_size, whole
from lca_shared.errors import UserError
from lca_shared.tensors import Float

FISHEYE = ("OPENCV_FISHEYE",)
PERSPECTIVE = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE")
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


def open_transforms(source: Path) -> Capture:
    """Read a folder with ``transforms.json``, or that file (see ``formats.capture.Importer``).

    ``transform_matrix`` is world-from-camera with OpenGL axes, Z up, in any unit. Intrinsics stand at the top or in
    each frame; principal points count from the corner of the picture, the first pixel centre at 0.5. Masks are 255
    where the person is. Frames may carry ``time``, ``timestamp`` or ``frame`` (an index or seconds), and ``camera`` or
    ``camera_name``. With times and no cameras they are moments of one moving camera; with neither the scene stands
    still, as nerfstudio's do, and every picture sees the same moment.
    """
    path = source / "transforms.json" if source.is_dir() else source
    content = read_json(path, "nerfstudio's cameras")
    rows = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} has no list of frames. Restore it.")
    moments, rate, timed = _moments(rows, path)
    rig = any("camera" in row or "camera_name" in row for row in rows)
    cameras, views = {}, []
    for index, row in enumerate(rows):
        if "file_path" not in row or "transform_matrix" not in row:
            raise UserError(f"{path}: frame {index} lacks file_path or transform_matrix. Restore it.")
        image = _source(path, row["file_path"])
        name = _name(row.get("camera", row.get("camera_name")), index) if rig else f"{index:06d}"
        camera = _camera(path, {**content, **row}, name, image, index)
        if name in cameras and not np.allclose(cameras[name].camera_from_world, camera.camera_from_world, atol=1e-4):
            raise UserError(f"{path}: camera {name} stands in several places. Give moving cameras no camera_name.")
        cameras[name] = camera
        mask = _source(path, row["mask_path"]) if row.get("mask_path") else None
        views.append(CaptureView(moments[index], name, image, mask))
    if len({(view.frame, view.camera) for view in views}) != len(views):
        raise UserError(f"{path}: two frames share a camera and a time. Give each its own.")
    root = path.parent
    return Capture(
        name=root.resolve().name,
        person=root.resolve().name,
        root=root,
        cameras=cameras,
        views=tuple(sorted(views, key=lambda view: (view.frame, view.camera))),
        rate=rate,
        licence="unknown",
        moving=timed and not rig,
        metric=False,
        world_from_capture=np.eye(4),
    )


def _name(given: Any, index: int) -> str:
    """A camera's name as a file's name can hold it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", str(given)).lstrip(".-") if given is not None else f"{index:06d}"


def _source(path: Path, name: Any) -> PictureSource:
    if not isinstance(name, str) or not name:
        raise UserError(f"{path}: {name!r} is no path of a picture. Restore the file.")
    plain = name.removeprefix("./")
    require(safe_path(path.parent, plain), f"a picture that {path.name} names")
    return PictureSource(plain)


def _moments(rows: list[dict], path: Path) -> tuple[list[int], float, bool]:
    """Index of the moment of each frame, moments a second, and whether the file says so."""
    key = next((key for key in ("time", "timestamp", "frame") if all(key in row for row in rows)), None)
    if key is None:
        return [0] * len(rows), 30.0, False
    values = [number(row[key], path, f"{key} of a frame") for row in rows]
    if all(value == int(value) and value >= 0 for value in values):
        return [int(value) for value in values], 30.0, True
    order = {value: index for index, value in enumerate(sorted(set(values)))}
    steps = np.diff(sorted(order))
    rate = float(1.0 / max(np.median(steps), 1e-6)) if len(steps) else 30.0
    return [order[value] for value in values], rate, True


def _camera(path: Path, row: dict, name: str, image: PictureSource, index: int) -> CaptureCamera:
    missing = [key for key in ("fl_x", "cx", "cy") if key not in row]
    if missing:
        raise UserError(f"{path}: frame {index} has no {', '.join(missing)}, and the file's top neither. Add them.")
    fx = number(row["fl_x"], path, f"fl_x of frame {index}")
    fy = number(row.get("fl_y", fx), path, f"fl_y of frame {index}")
    cx, cy = (number(row[key], path, f"{key} of frame {index}") for key in ("cx", "cy"))
    stored = stored_size(path.parent, image)
    listed = whole(row.get("w", stored[0]), path, "w"), whole(row.get("h", stored[1]), path, "h")
    if min(listed) < 1:
        raise UserError(f"{path}: w and h of frame {index} must be positive.")
    scale = np.array([stored[0] / listed[0], stored[1] / listed[1]])
    if abs(scale[0] / scale[1] - 1) > 0.02:
        raise UserError(f"{image.name(path.parent)} is {stored[0]} x {stored[1]}, but {path.name} says {listed}.")
    k: Float[np.ndarray, "3 3"] = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    k[:2] *= scale[:, None]
    model = str(row.get("camera_model", "OPENCV"))
    if model not in (*PERSPECTIVE, *FISHEYE):
        raise UserError(f"{path}: camera_model {model!r} is not one of {', '.join((*PERSPECTIVE, *FISHEYE))}.")
    fisheye = model in FISHEYE
    keys = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2", "k3")
    distortion = tuple(number(row.get(key, 0.0), path, key) for key in keys)
    world_from_camera = matrix(row["transform_matrix"], (4, 4), path, f"transform_matrix of frame {index}")
    if abs(np.linalg.det(world_from_camera)) < 1e-6:
        raise UserError(f"{path}: transform_matrix of frame {index} is no rigid motion. Restore it.")
    treatment = Treatment(
        intrinsics=(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
        distortion=distortion if any(distortion) else (),
        fisheye=fisheye,
    )
    pose = OPENCV_FROM_OPENGL @ np.linalg.inv(world_from_camera)
    return CaptureCamera(name, k, pose, *stored, treatment)
