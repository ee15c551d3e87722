"""Checkpoints that are whole or absent, and that know the configuration of the network they hold."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lca_method.hub.kinds import CONFIG_FILE, MODEL, WEIGHTS_FILE, is_model_folder
from lca_method.hub.resolving import resolve
from lca_shared.errors import UserError

CHECKPOINT_FOLDER = "nerfstudio_models"
"""In the folder of a training run (nerfstudio's name)."""


def save_atomically(state: Mapping[str, Any], path: Path, scratch: Path) -> None:
    """Write a checkpoint so that ``path`` is the old file or the whole new one, even if the process is killed.

    Args:
        state: what ``torch.save`` shall write.
        path: the checkpoint.
        scratch: the file written first, on the same disk. nerfstudio reads step numbers from every file name beside
            a checkpoint, so it must lie in another folder.

    Raises:
        UserError: the file cannot be written (permissions, a full disk).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(scratch, "wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except (OSError, RuntimeError) as error:  # torch's zip writer raises RuntimeError on a full disk
        scratch.unlink(missing_ok=True)
        raise UserError(
            f"Cannot write the checkpoint {path} ({error}). Free space, or choose another folder."
        ) from error


def latest_checkpoint(folder: Path) -> Path:
    """The checkpoint of the highest step in a folder.

    Raises:
        UserError: the folder is missing or holds none.
    """
    found = sorted(folder.glob("step-*.ckpt")) if folder.is_dir() else []
    if not found:
        raise UserError(f"There is no checkpoint in {folder}. Train first, or name the folder with step-*.ckpt files.")
    return found[-1]


def check_checkpoint(folder: Path, step: int | None = None) -> None:
    """Find out cheaply, without reading the weights, whether a folder's last checkpoint (or that of ``step``) is whole.

    Raises:
        UserError: the folder or the checkpoint is missing, or the file is cut off.
    """
    if not folder.is_dir():
        raise UserError(
            f"There is no folder {folder.resolve()}. The run's config.yml has this path; if it is a relative one, "
            "run the command from the folder in which the training was started."
        )
    path = latest_checkpoint(folder) if step is None else folder / f"step-{step:09d}.ckpt"
    if not path.is_file():
        raise UserError(f"There is no {path}. The run's config.yml asks for this step: set its load_step to null.")
    if not zipfile.is_zipfile(path):  # torch's format; the table of contents stands at the end
        raise UserError(f"{path} is cut off or no checkpoint. Remove it, so that the one before is used.")


def find_checkpoint(place: str | Path) -> Path:
    """The checkpoint that a user means.

    Args:
        place: a checkpoint file; the folder of a training run, its ``config.yml`` or its folder of checkpoints (then
            the one of the highest step); a model's folder (``config.json`` and ``model.safetensors``); the name of a
            shipped model; or ``OWNER/NAME[@REVISION]`` on the Hugging Face Hub, which is fetched.

    Raises:
        UserError: there is none.
    """
    return _checkpoint_at(resolve(place, MODEL).path)


def _checkpoint_at(path: Path) -> Path:
    if path.name in ("config.yml", CONFIG_FILE) and path.is_file():
        path = path.parent
    if not path.is_dir():
        return path
    if is_model_folder(path):
        return path / WEIGHTS_FILE
    inner = path / CHECKPOINT_FOLDER
    return latest_checkpoint(inner if inner.is_dir() else path)


def model_state(checkpoint: Mapping[str, Any], averaged: bool = True) -> dict[str, Any]:
    """The state of the ``LCAModel`` in a checkpoint.

    Args:
        checkpoint: as :func:`load_checkpoint` returns it.
        averaged: with the averaged weights, if the checkpoint has them, instead of the last step's.
    """
    pipeline = checkpoint["pipeline"]
    prefixes = ("_model.module.", "_model.")  # the first where several processes trained
    state = {}
    for name, value in pipeline.items():
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        if prefix is not None:
            state[name.removeprefix(prefix)] = value
    if averaged:
        for name, value in pipeline.items():
            if name.startswith("average."):
                state["network." + name.removeprefix("average.").replace("/", ".")] = value
    return state


def fingerprint(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def trained_steps(checkpoint: Mapping[str, Any]) -> int:
    """Training steps behind a checkpoint, with those of the checkpoint it began from."""
    return int(checkpoint["step"]) + 1 + int(checkpoint["pipeline"].get("steps_before", 0))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, of a training run or of a model's folder: tensors and plain numbers only.

    Raises:
        UserError: the file is missing, broken or not a checkpoint.
    """
    if path.suffix == ".safetensors":
        from lca_method.hub.model_folder import as_checkpoint  # heavy, and methods' configs import this module

        return as_checkpoint(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.") from error
    except Exception as error:  # torch raises many kinds for a file that is cut off or no checkpoint
        raise UserError(f"{path} is not a readable checkpoint ({error}). Use an earlier one.") from error
    if not isinstance(state, dict) or "pipeline" not in state:
        raise UserError(f"{path} is not a checkpoint of a training run.")
    return state
