"""The one room through which weights from elsewhere come.

A file is looked for in the folder given (``--model-dir``), in ``LCA_MODEL_DIR``, in the user's cache; then it is
fetched into the cache, verified, and kept. Files in the first two folders are the user's own and are taken as they are.
"""

import hashlib
import os
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from lca_shared.errors import MissingWeightsError
from lca_shared.storage import atomic_path

MODEL_DIR_VARIABLE = "LCA_MODEL_DIR"


@dataclass(frozen=True)
class WeightFile:
    """One file that somebody else publishes."""

    path: str
    """Where it lies under a model folder."""
    url: str
    sha256: str
    """Of what ``url`` serves; the first digits where only those are published."""
    licence: str
    convert: Callable[[Path, Path], None] | None = None
    """Turns the fetched file into the one at ``path``; None = they are the same."""


def _convolutions_only(fetched: Path, wanted: Path) -> None:
    """torchvision's classifier checkpoint -> its ``features.*`` as safetensors."""
    import torch  # late: finding a file must not wait for torch
    from safetensors.torch import save_file

    state = torch.load(fetched, weights_only=True, map_location="cpu")
    save_file({name: value.contiguous() for name, value in state.items() if name.startswith("features.")}, wanted)


_MEDIAPIPE = "https://storage.googleapis.com/mediapipe-models"
_TORCHVISION = "https://download.pytorch.org/models"

WEIGHTS: dict[str, WeightFile] = {
    "mediapipe-face": WeightFile(
        "mediapipe/face_landmarker.task",
        f"{_MEDIAPIPE}/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
        "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
        "Apache-2.0",
    ),
    "mediapipe-hand": WeightFile(
        "mediapipe/hand_landmarker.task",
        f"{_MEDIAPIPE}/hand_landmarker/hand_landmarker/float16/1/hand_landmarker.task",
        "fbc2a30080c3c557093b5ddfc334698132eb341044ccee322ccf8bcf3607cde1",
        "Apache-2.0",
    ),
    "mediapipe-pose": WeightFile(
        "mediapipe/pose_landmarker_full.task",
        f"{_MEDIAPIPE}/pose_landmarker/pose_landmarker_full/float16/1/pose_landmarker_full.task",
        "4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
        "Apache-2.0",
    ),
    "mediapipe-selfie": WeightFile(
        "mediapipe/selfie_segmenter.tflite",
        f"{_MEDIAPIPE}/image_segmenter/selfie_segmenter/float16/1/selfie_segmenter.tflite",
        "191ac9529ae506ee0beefa6b2c945a172dab9d07d1e802a290a4e4038226658b",
        "Apache-2.0",
    ),
    # torchvision puts the first eight digits of the checksum into the name and publishes no more.
    "lpips-alexnet": WeightFile(
        "lpips/alexnet_features.safetensors",
        f"{_TORCHVISION}/alexnet-owt-7be5be79.pth",
        "7be5be79",
        "BSD-3-Clause (torchvision)",
        _convolutions_only,
    ),
    "lpips-vgg16": WeightFile(
        "lpips/vgg16_features.safetensors",
        f"{_TORCHVISION}/vgg16-397923af.pth",
        "397923af",
        "BSD-3-Clause (torchvision)",
        _convolutions_only,
    ),
}
"""Every file this project can fetch, by name."""


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return platformdirs.user_cache_path("lca") / "models"


def model_folders(model_dir: Path | None = None) -> list[Path]:
    """The folders that are looked through, in order."""
    named = [model_dir, os.environ.get(MODEL_DIR_VARIABLE)]
    return [Path(folder).expanduser() for folder in named if folder] + [cache_folder()]


def find_own(path: str, way_out: str) -> Path:
    """Path of a file that users must bring themselves, for its licence or its size.

    Args:
        path: under a model folder.
        way_out: where to get it, for the error; a sentence or more.

    Raises:
        MissingWeightsError: it is in none of the folders.
    """
    folders = model_folders()
    for folder in folders:
        if (folder / path).is_file():
            return folder / path
    raise MissingWeightsError(f"{path} is in none of {', '.join(map(str, folders))}. {way_out}")


def find_weight(name: str, model_dir: Path | None = None) -> Path:
    """Path of a weight file on this machine, fetched if need be.

    Args:
        name: a key of :data:`WEIGHTS`.
        model_dir: looked through first.

    Raises:
        MissingWeightsError: it is in none of the folders and cannot be fetched, or what was fetched is not it.
    """
    weight = WEIGHTS[name]
    for folder in model_folders(model_dir):
        if (folder / weight.path).is_file():
            return folder / weight.path
    return _fetch(weight, model_folders(model_dir))


def _fetch(weight: WeightFile, looked_in: list[Path]) -> Path:
    target = cache_folder() / weight.path
    try:
        with atomic_path(target) as converted, tempfile.TemporaryDirectory() as folder:
            fetched = Path(folder) / "fetched"
            digest = _download(weight.url, fetched)
            if not digest.startswith(weight.sha256):
                raise MissingWeightsError(
                    f"{weight.url} served a file with SHA-256 {digest}, not {weight.sha256}. Nothing was kept. "
                    f"Put {weight.path} into a folder and name it with --model-dir or {MODEL_DIR_VARIABLE}."
                )
            (weight.convert or shutil.copyfile)(fetched, converted)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise MissingWeightsError(
            f"{weight.path} is in none of {', '.join(map(str, looked_in))} and could not be fetched ({reason}). "
            f"Fetch {weight.url} on another machine, put it at <folder>/{weight.path}, and name that folder with "
            f"--model-dir or {MODEL_DIR_VARIABLE}."
        ) from error
    return target


def _download(url: str, target: Path) -> str:
    """Fetch ``url`` into ``target``; its SHA-256."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn  # only where something is fetched

    digest = hashlib.sha256()
    columns = (TextColumn("fetching {task.description}"), BarColumn(), DownloadColumn())
    with urllib.request.urlopen(url, timeout=30) as response, target.open("wb") as file, Progress(*columns) as bar:
        length = response.headers.get("Content-Length")
        task = bar.add_task(url.rsplit("/", 1)[-1], total=int(length) if length else None)
        while block := response.read(1 << 20):
            digest.update(block)
            file.write(block)
            bar.advance(task, len(block))
    return digest.hexdigest()
