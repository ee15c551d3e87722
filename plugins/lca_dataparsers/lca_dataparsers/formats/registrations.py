"""Bodies that come from elsewhere: parameters of SMPL-X or MHR in ``.npz`` files beside a capture.

SMPL-X: one file with ``betas``, ``expression``, ``fullpose`` [moments, 55, 3] and ``transl``, in the capture's world.

MHR: a file for each moment, named by its number, as SAM 3D Body writes them: ``mhr_model_params`` [204],
``shape_params`` [45], ``expr_params`` [72], and ``pred_cam_t`` [3] where the body is in the axes of a camera (its
results are: OpenCV's axes are MHR's with y and z reversed); without it the module's results, in metres, are in the
capture's world. Where the files hold ``pred_vertices`` and ``pred_joint_coords`` (metres, a camera's axes), the body's
surface is known without MHR's module.
"""

import zipfile
from pathlib import Path

import numpy as np

from lca_dataparsers.formats.capture import Capture, Registration
from lca_shared.errors import UserError
from lca_shared.tensors import Float

SMPLX_ARRAYS = ("betas", "expression", "fullpose", "transl")
MHR_SIZES = {"mhr_model_params": 204, "shape_params": 45, "expr_params": 72}
"""Numbers of a moment, by name."""
MHR_PLACE = "pred_cam_t"
MHR_SURFACE = ("pred_vertices", "pred_joint_coords")
_WAY_OUT = "Name a folder of SAM 3D Body's results (MHR), or an .npz with " + ", ".join(SMPLX_ARRAYS) + " (SMPL-X)."


def read_registration(path: Path, camera: str | None, capture: Capture) -> Registration:
    """What a user's files say of a capture's moments.

    Args:
        path: a folder of ``.npz`` files of MHR, named by moments; or one file of MHR or SMPL-X.
        camera: whose axes MHR's bodies are in, where they have ``pred_cam_t``; None = the only camera.
        capture: that they belong to.

    Raises:
        UserError: a file is missing or damaged, holds neither, or is of moments that the capture does not have.
    """
    if not path.exists():
        raise UserError(f"{path} is missing. {_WAY_OUT}")
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path} holds no .npz file. {_WAY_OUT}")
    first = _arrays(files[0])
    if set(SMPLX_ARRAYS) <= set(first):
        if len(files) > 1:
            raise UserError(f"{path} holds {len(files)} files of SMPL-X. Name one, with a row for each moment.")
        return _smplx(files[0], first, capture)
    if set(MHR_SIZES) <= set(first):
        return _mhr(files, camera, capture)
    raise UserError(f"{files[0]} has neither MHR's nor SMPL-X's parameters. {_WAY_OUT}")


def _smplx(path: Path, arrays: dict[str, np.ndarray], capture: Capture) -> Registration:
    rows = len(arrays["fullpose"])
    if arrays["fullpose"].shape[1:] not in ((55, 3), (165,)) or arrays["transl"].shape != (rows, 3):
        raise UserError(f"{path}: fullpose is not moments x 55 x 3, or transl not moments x 3. Write it anew.")
    if len(arrays["expression"]) != rows or arrays["expression"].ndim != 2:
        raise UserError(f"{path}: expression is not moments x components. Write it anew.")
    parameters = {name: arrays[name] for name in SMPLX_ARRAYS}
    parameters["fullpose"] = parameters["fullpose"].reshape(rows, 55, 3)
    if "frames" in arrays:
        frames = tuple(int(frame) for frame in arrays["frames"].ravel())
    else:
        frames = tuple(capture.frames())
    if len(frames) != rows:
        raise UserError(
            f"{path} has {rows} rows for {len(frames)} moments. Add an array `frames` with the number of each row's."
        )
    return Registration("smplx", parameters, frames)


def _mhr(files: list[Path], camera: str | None, capture: Capture) -> Registration:
    frames = capture.frames()
    if len(files) > 1 or files[0].stem.isdigit():
        odd = [file.name for file in files if not file.stem.isdigit()]
        if odd:
            raise UserError(f"{files[0].parent}: {odd[0]} is not named by the number of a moment, like 000012.npz.")
        frames = [int(file.stem) for file in files]
    elif len(frames) != 1:
        raise UserError(f"{files[0]} is one body for {len(frames)} moments. Name files by moments, like 000012.npz.")
    moments = [_arrays(file) for file in files]
    known = set.intersection(*(set(moment) for moment in moments))
    missing = set(MHR_SIZES) - known
    if missing:
        raise UserError(f"{files[0].parent}: not every file has {sorted(missing)[0]}. {_WAY_OUT}")
    parameters = {name: _stacked(files, moments, name, (size,)) for name, size in MHR_SIZES.items()}
    if MHR_PLACE in known:
        parameters[MHR_PLACE] = _stacked(files, moments, MHR_PLACE, (3,))
        if camera is None and len(capture.cameras) > 1:
            raise UserError(
                f"{files[0]} is in a camera's axes ({MHR_PLACE}), and there are {len(capture.cameras)}. Name it with "
                "--registration-camera."
            )
        camera = camera or next(iter(capture.cameras))
        if camera not in capture.cameras:
            raise UserError(f"{capture.name} has no camera {camera!r}: {', '.join(list(capture.cameras)[:8])} ...")
    if set(MHR_SURFACE) <= known:
        for name in MHR_SURFACE:
            parameters[name] = _stacked(files, moments, name, (moments[0][name].shape[0], 3))
    return Registration("mhr", parameters, tuple(frames), camera if MHR_PLACE in known else None)


def _stacked(
    files: list[Path], moments: list[dict[str, np.ndarray]], name: str, shape: tuple[int, ...]
) -> Float[np.ndarray, "moments ..."]:
    for file, moment in zip(files, moments, strict=True):
        if moment[name].size != np.prod(shape):
            raise UserError(f"{file}: {name} has {moment[name].size} numbers, not {int(np.prod(shape))}.")
    return np.stack([moment[name].reshape(shape) for moment in moments])


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The numbers in an ``.npz`` file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.asarray(file[name]) for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} is not a readable .npz file of numbers ({error}). Restore it.") from error
    numbers = {name: array.astype(float) for name, array in found.items() if array.dtype.kind in "fiu"}
    wanted = {*SMPLX_ARRAYS, *MHR_SIZES, MHR_PLACE, *MHR_SURFACE, "frames"}
    bad = [name for name in wanted & set(numbers) if not np.isfinite(numbers[name]).all() or not numbers[name].ndim]
    if bad:
        raise UserError(f"{path}: {sorted(bad)[0]} holds numbers that are not finite, or no array. Restore it.")
    return numbers
