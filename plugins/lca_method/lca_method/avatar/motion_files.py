"""Motions on disk: a subject of a dataset, an ``.npz`` (ours or AMASS's), or a ``.bvh``."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lca_method.avatar.bvh import Up, read_bvh_motion
from lca_method.avatar.motion import Motion, leg_length
from lca_method.avatar.smplx_motion import SMPLX_ARRAYS, is_smplx, smplx_motion
from lca_method.batch import DrivingSignal
from lca_shared.body import get_body_model
from lca_shared.body.model import BodyPose
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import Subject
    from lca_dataparsers.dataset.schema import DatasetInfo

NPZ_SCHEMA = 1
_POSE = tuple(f.name for f in fields(BodyPose))
_SHAPES = {
    "times": (None,),
    "joint_rotations": (None, "joints", 3),
    "root_rotation": (None, 3),
    "root_translation": (None, 3),
    "gaze": (None, 2, 2),
    "expression": (None, "expressions"),
}


def read_motion(path: Path, subject: str | None = None, up: Up | None = None) -> Motion:
    """A motion from disk.

    Args:
        path: a dataset folder, one person's folder in it, an ``.npz`` as :func:`write_motion` or AMASS makes it, or a
            ``.bvh``.
        subject: which person of a dataset; it may be left out if there is one.
        up: which axis of the file points upwards: y for ``.bvh`` and z for AMASS unless told otherwise.

    Raises:
        UserError: there is no such motion, or it is broken. SchemaError: another release wrote it.
    """
    path = Path(path)
    if path.suffix == ".npz":
        return _read_npz(path, up)
    if path.suffix.lower() == ".bvh":
        return read_bvh_motion(path, up or "y")
    if path.is_file():
        raise UserError(
            f"{path} is not a motion. Make one with `lca-data process {path} --output-dir D`, then give D; or give an "
            ".npz or .bvh file."
        )
    from lca_method.avatar.recorded import recorded  # readers of datasets load Arrow, which files need not wait for

    source = recorded(path, subject)
    return motion_of(source.person, source.dataset.info)


def motion_of(subject: "Subject", info: "DatasetInfo") -> Motion:
    """How a person of a dataset moved: of a studio capture each moment counts once.

    Raises:
        UserError: the person has no usable frame.
    """
    from lca_method.avatar.recorded import moments

    frames = subject.frames
    rows = moments(subject)
    if not rows:
        raise UserError(f"{subject.folder} has no usable frame to move by. See `lca-data inspect`.")
    motion = motion_of_rows(subject, info, rows)
    sizes = {*zip(frames["width"][rows], frames["height"][rows])}
    return replace(
        motion,
        times=torch.from_numpy(frames["time"][rows]).double(),
        cameras=frames.cameras(rows) if len(sizes) == 1 else None,
    )


def motion_of_rows(subject: "Subject", info: "DatasetInfo", rows: Sequence[int]) -> Motion:
    """How a person of a dataset stood in some frames, a second apart."""
    frames = subject.frames
    confidence = torch.from_numpy(frames["joint_confidence"][list(rows)]).float()
    body = get_body_model(info.body_model)
    rest = body.shaped(subject.shape).joints
    return Motion(
        DrivingSignal(frames.poses(rows), frames.expressions(rows), confidence),
        torch.arange(len(rows), dtype=torch.float64),
        tuple(info.driven_joints),
        tuple(info.expression_names),
        leg_length(body.joint_names, rest),
    )


def write_motion(motion: Motion, path: Path) -> None:
    """Write ``.npz``: the arrays of docs/avatars.md.

    Raises:
        UserError: it cannot be written.
    """
    signal = motion.signal
    arrays: dict[str, Any] = {name: getattr(signal.pose, name).numpy() for name in _POSE}
    if signal.joint_confidence is not None:
        arrays["joint_confidence"] = signal.joint_confidence.numpy()
    if motion.leg_length is not None:
        arrays["leg_length"] = np.float32(motion.leg_length)
    with atomic_path(path) as temporary:
        np.savez_compressed(
            temporary,
            schema_version=np.int64(NPZ_SCHEMA),
            times=motion.times.numpy(),
            expression=signal.expression.numpy(),
            joint_names=np.array(motion.joints),
            expression_names=np.array(motion.expressions),
            **arrays,
        )


def _read_npz(path: Path, up: Up | None) -> Motion:
    try:
        with np.load(path, allow_pickle=False) as file:
            others = is_smplx(set(file.files))
            arrays = {name: file[name] for name in file.files if not others or name in SMPLX_ARRAYS}
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.") from error
    except Exception as error:  # numpy raises many kinds for a file that is cut off or no archive
        raise UserError(f"{path} is not a readable .npz file ({error}).") from error
    if others:
        return smplx_motion(arrays, path, up or "z")
    if "times" not in arrays and "fps" in arrays and "root_rotation" in arrays:
        arrays["times"] = np.arange(len(arrays["root_rotation"])) / float(arrays["fps"])
    version = arrays.get("schema_version", NPZ_SCHEMA)
    if int(version) != NPZ_SCHEMA:
        raise UserError(f"{path} has motion schema version {version}; this release reads version {NPZ_SCHEMA}.")
    _check(path, arrays)
    frames = len(arrays["times"])

    def tensor(name: str, *shape: int) -> torch.Tensor:
        return torch.from_numpy(arrays[name]).float() if name in arrays else torch.zeros(frames, *shape)

    joints, expressions = _names(arrays, "joint_names"), _names(arrays, "expression_names")
    pose = BodyPose(
        tensor("joint_rotations"), tensor("root_rotation"), tensor("root_translation", 3), tensor("gaze", 2, 2)
    )
    confidence = tensor("joint_confidence") if "joint_confidence" in arrays else None
    length = float(arrays["leg_length"]) if "leg_length" in arrays else None
    signal = DrivingSignal(pose, tensor("expression", len(expressions)), confidence)
    return Motion(signal, torch.from_numpy(arrays["times"]).double(), joints, expressions, length)


def _names(arrays: dict[str, np.ndarray], name: str) -> tuple[str, ...]:
    return tuple(str(item) for item in arrays[name]) if name in arrays else ()


def _check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    missing = [name for name in ("times", "joint_rotations", "root_rotation", "joint_names") if name not in arrays]
    if missing:
        raise UserError(f"{path} lacks the arrays {', '.join(missing)} (times, or fps). See docs/avatars.md.")
    sizes = {"joints": len(arrays["joint_names"]), "expressions": len(arrays.get("expression_names", ()))}
    shapes = {**_SHAPES, "joint_confidence": (None, "joints")}
    for name, shape in shapes.items():
        if name not in arrays:
            continue
        wanted = tuple(len(arrays["times"]) if n is None else sizes.get(n, n) for n in shape)  # type: ignore[arg-type]
        value = arrays[name]
        if value.shape != wanted or value.dtype.kind not in "fiu":
            raise UserError(f"{path}: {name} is {value.dtype} {value.shape}, it should be numbers {wanted}.")
        if not np.isfinite(value).all():
            raise UserError(f"{path}: {name} holds values that are not finite.")
    if len(arrays["times"]) == 0 or (np.diff(arrays["times"]) <= 0).any():
        raise UserError(f"{path}: times must increase, and there must be some.")
