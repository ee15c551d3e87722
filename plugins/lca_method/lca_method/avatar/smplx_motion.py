"""Motions of SMPL-X, SMPL+H and SMPL as AMASS publishes them: ``.npz`` of ``poses``, ``trans``, ``mocap_frame_rate``.

``poses`` holds rotation vectors of 55 (SMPL-X), 52 (SMPL+H) or 24 (SMPL) joints, each about its parent's axes; the
model is Y up and faces +Z at rest, and AMASS's worlds are Z up (``root_orient`` turns one into the other).
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from lca_method.avatar.bvh import Up
from lca_method.avatar.motion import Motion
from lca_method.avatar.skeleton_motion import SkeletonMotion, below, carried_over
from lca_shared.body.smplx import JOINTS, OURS_FROM_SMPLX
from lca_shared.errors import UserError
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

_BODY = JOINTS[:22]
_HANDS = JOINTS[25:]
_LAYOUTS = {len(JOINTS): JOINTS, 52: (*_BODY, *_HANDS), 24: _BODY}
"""Names of the joints by how many there are; SMPL's two hands are left out."""
_PARENTS = {
    "left_hip": "pelvis", "right_hip": "pelvis", "spine1": "pelvis", "left_knee": "left_hip",
    "right_knee": "right_hip", "spine2": "spine1", "left_ankle": "left_knee", "right_ankle": "right_knee",
    "spine3": "spine2", "left_foot": "left_ankle", "right_foot": "right_ankle", "neck": "spine3",
    "left_collar": "spine3", "right_collar": "spine3", "head": "neck", "left_shoulder": "left_collar",
    "right_shoulder": "right_collar", "left_elbow": "left_shoulder", "right_elbow": "right_shoulder",
    "left_wrist": "left_elbow", "right_wrist": "right_elbow", "jaw": "head", "left_eye": "head", "right_eye": "head",
}  # fmt: skip
_REST_HALF = {
    "left_hip": (0.06, -0.45, -0.01), "left_knee": (0.11, -0.82, -0.02), "left_ankle": (0.08, -1.23, -0.05),
    "left_shoulder": (0.16, 0.08, -0.02), "left_elbow": (0.42, 0.03, -0.05), "left_wrist": (0.67, 0.04, -0.06),
}  # fmt: skip
REST: Mapping[str, tuple[float, float, float]] = {
    "pelvis": (0.0, -0.35, 0.01),
    **_REST_HALF,
    **{name.replace("left", "right"): (-x, y, z) for name, (x, y, z) in _REST_HALF.items()},
}
"""Joints of the average person at rest to the centimetre, metres, Y up: directions of the limbs in SMPL-X's T-pose, for
those who do not have the model."""
SMPLX_ARRAYS = (
    *("poses", "trans", "mocap_frame_rate", "mocap_framerate", "fps"),
    *("root_orient", "pose_body", "pose_hand", "pose_jaw", "pose_eye"),
)
"""Arrays that are read; files hold others, some of them pickled."""
JAW_OPEN = 0.5
"""Radians of the jaw that we call jawOpen = 1."""


def is_smplx(names: set[str]) -> bool:
    """Whether an ``.npz`` with these arrays is a motion of this kind."""
    return "trans" in names and ("poses" in names or {"root_orient", "pose_body"} <= names)


def smplx_motion(arrays: Mapping[str, np.ndarray], path: Path, up: Up = "z") -> Motion:
    """The motion in a file's arrays.

    Args:
        arrays: of the file.
        path: named in errors.
        up: which axis of its world points upwards.

    Raises:
        UserError: arrays are missing or have another shape.
    """
    poses, trans = _poses(arrays, path), np.asarray(arrays["trans"])
    frames = len(poses)
    names = _LAYOUTS.get(poses.shape[1] // 3)
    if names is None or poses.shape[1] % 3 or trans.shape != (frames, 3) or frames == 0:
        raise UserError(
            f"{path}: poses is {poses.shape} and trans {trans.shape}; they should be [frames, 165] (SMPL-X), 156 "
            "(SMPL+H) or 72 (SMPL), and [frames, 3]."
        )
    if not (np.isfinite(poses).all() and np.isfinite(trans).all()):
        raise UserError(f"{path}: poses or trans hold values that are not finite.")
    rate = next((float(arrays[name]) for name in ("mocap_frame_rate", "mocap_framerate", "fps") if name in arrays), 0.0)
    if not rate > 0:
        raise UserError(f"{path} lacks mocap_frame_rate (frames a second).")
    vectors = torch.from_numpy(poses).float().reshape(frames, -1, 3)[:, : len(names)]
    local = rotation_vector_to_matrix(vectors)
    rotations = below(names, [names.index(_parent(name)) if index else -1 for index, name in enumerate(names)], local)
    model = OURS_FROM_SMPLX
    source = SkeletonMotion(
        {name: torch.tensor(place) for name, place in REST.items()},
        rotations,
        torch.from_numpy(trans).float(),
        torch.arange(frames, dtype=torch.float64) / rate,
        model,
        torch.eye(3) if up == "z" else model,
    )
    gaze = expression = None
    if "jaw" in names:
        gaze = torch.stack([_looked(local[:, names.index(eye)]) for eye in ("left_eye", "right_eye")], dim=1)
        expression = {"jawOpen": (vectors[:, names.index("jaw"), 0] / JAW_OPEN).clamp(0, 1)}
    return carried_over(source, gaze=gaze, expression=expression)


def _poses(arrays: Mapping[str, np.ndarray], path: Path) -> np.ndarray:
    if "poses" in arrays:
        poses = np.asarray(arrays["poses"])
        return poses.reshape(len(poses), -1) if poses.ndim else poses.reshape(0, 0)
    parts = [np.asarray(arrays["root_orient"]), np.asarray(arrays["pose_body"])]
    frames = len(parts[0])
    sizes = {"pose_jaw": 3, "pose_eye": 6, "pose_hand": 90}
    parts += [np.asarray(arrays.get(name, np.zeros((frames, size)))) for name, size in sizes.items()]
    try:
        return np.concatenate(parts, axis=1)
    except ValueError as error:
        raise UserError(f"{path}: root_orient, pose_body and pose_hand do not fit together ({error}).") from error


def _parent(name: str) -> str:
    if name in _PARENTS:
        return _PARENTS[name]
    side, finger = name.split("_")
    part = int(finger[-1])
    return f"{side}_wrist" if part == 1 else f"{side}_{finger[:-1]}{part - 1}"


def _looked(rotation: Float[Tensor, "frames 3 3"]) -> Float[Tensor, "frames 2"]:
    """Yaw (to the left) and pitch (upwards) of an eye that looks along +Z at rest, radians."""
    x, y, z = rotation[..., 2].unbind(-1)
    return torch.stack([torch.atan2(x, z), torch.asin(y.clamp(-1, 1))], dim=-1)
