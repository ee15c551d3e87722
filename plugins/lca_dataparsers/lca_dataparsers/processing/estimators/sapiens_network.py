"""Sapiens and Sapiens2 as published: where their files are, how a picture goes in.

Sapiens (2024, CC-BY-NC 4.0) is read from its TorchScript files, Sapiens2 (2026, its own licence) through transformers.
Nothing is fetched: licences are for the user to accept. Both take the person, 3 wide by 4 high, on 768 x 1024 pixels,
normalised with ImageNet's mean and deviation, rounded.
"""

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch

from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.tensors import Float, Tensor, UInt8
from lca_shared.weights import MODEL_DIR_VARIABLE, model_folders

WIDTH, HEIGHT = 768, 1024
ROOM = 1.25
"""Of the crop over the person's box."""
MEAN, DEVIATION = (123.5, 116.5, 103.5), (58.5, 57.0, 57.5)

Task = Literal["seg", "pose", "matting"]
FILES: dict[str, str] = {
    "seg": "sapiens_{}_goliath_best_goliath_mIoU_*_torchscript.pt2",
    "pose": "sapiens_{}_goliath_best_goliath_AP_*_torchscript.pt2",
}
"""Published files of Sapiens, of facebook/sapiens-{seg,pose}-SIZE-torchscript; their scores changed over time."""
FILE_SIZES = ("1b", "0.6b", "0.3b")
"""Of Sapiens, best first."""
SIZES = ("5b", "1b", "0.8b", "0.4b")
"""Of Sapiens2, best first: facebook/sapiens2-{seg,pose,matting}-SIZE."""


class SapiensNetwork:
    """One network for one task.

    Args:
        kind: ``sapiens`` or ``sapiens2``.
        task: what it is for.
        model_dir: looked through first, then LCA_MODEL_DIR and the cache, for ``sapiens/FILE`` or
            ``sapiens2-TASK-SIZE/`` (with ``config.json`` and ``model.safetensors``).
        device: ``auto`` = the GPU.

    Raises:
        MissingWeightsError: no file, or it is not such a model.
        UserError: no GPU, and the processor was not asked for.
    """

    def __init__(self, kind: str, task: Task, model_dir: Path | None, device: str) -> None:
        path = _found(kind, task, model_dir)
        self.device = _chosen_device(kind, device)
        self.name = f"{kind} {path.name}"
        self._network = _torchscript(path) if kind == "sapiens" else _transformers(path, task)
        self._network.to(self.device).eval()

    def __call__(self, crop: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "channels rows columns"]:
        """The network's maps (logits, heat maps, or an alpha matte) of a crop of :data:`WIDTH` x :data:`HEIGHT`."""
        pixels = (crop.astype(np.float32) - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
        with torch.inference_mode():
            found = self._network(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()).to(self.device))
        for field in ("logits", "heatmaps", "alphas"):
            found = getattr(found, field, found)
        while isinstance(found, tuple | list):
            found = found[-1]
        return found[0].float().cpu()


class PersonCrop:
    """The part of a picture that a network sees.

    Args:
        box: left, top, right, bottom of the person, pixels.
    """

    def __init__(self, box: Float[np.ndarray, "4"]) -> None:
        width, height = np.maximum(box[2:] - box[:2], 8.0) * ROOM
        self.width = float(max(width, height * WIDTH / HEIGHT))
        self.height = self.width * HEIGHT / WIDTH
        self.left, self.top = (float(value) for value in (box[:2] + box[2:] - (self.width, self.height)) / 2)

    def cut(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "ch cw 3"]:
        """Resampled to :data:`WIDTH` x :data:`HEIGHT`; black outside the picture."""
        step = self.width / WIDTH
        if step > 1:  # averaged first: sampling alone would skip pixels
            image = cv2.blur(image, (max(1, round(step)),) * 2)
        matrix = np.array([[step, 0, self.left + 0.5 * step - 0.5], [0, step, self.top + 0.5 * step - 0.5]])
        return cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)

    def back(self, values: Float[np.ndarray, "rows columns"], size: tuple[int, int]) -> Float[np.ndarray, "h w"]:
        """A map of the crop on the picture's pixels (width, height); 0 outside the crop."""
        across, along = self.width / values.shape[1], self.height / values.shape[0]
        matrix = np.array(
            [[1 / across, 0, (0.5 - self.left) / across - 0.5], [0, 1 / along, (0.5 - self.top) / along - 0.5]]
        )
        return cv2.warpAffine(values, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _found(kind: str, task: Task, model_dir: Path | None) -> Path:
    folders = model_folders(model_dir)
    if kind == "sapiens":
        patterns = [f"sapiens/{FILES[task].format(size)}" for size in FILE_SIZES]
        wanted, source = patterns[0], f"facebook/sapiens-{task}-1b-torchscript"
    else:
        patterns = [f"sapiens2-{task}-{size}/config.json" for size in SIZES]
        wanted = f"sapiens2-{task}-1b/ (config.json and model.safetensors)"
        source = f"facebook/sapiens2-{task}-1b"
    for pattern in patterns:
        for folder in folders:
            for file in sorted(folder.glob(pattern), reverse=True):
                return file if kind == "sapiens" else file.parent
    raise MissingWeightsError(
        f"{wanted} is in none of {', '.join(map(str, folders))}. Accept the licence of {source} on Hugging Face, put "
        f"it there, and name the folder with --model-dir or {MODEL_DIR_VARIABLE}."
    )


def _chosen_device(kind: str, device: str) -> str:
    if device != "cpu" and not torch.cuda.is_available():
        raise UserError(
            f"{kind} needs a GPU that torch can use, and there is none. Leave it out, or add --estimators.device cpu "
            "and wait many seconds for each picture."
        )
    return "cpu" if device == "cpu" else "cuda"


def _torchscript(path: Path) -> Any:
    try:
        return torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise MissingWeightsError(f"{path} is not a TorchScript file. Download it again.") from error


def _transformers(path: Path, task: Task) -> Any:
    from transformers import Sapiens2ForImageMatting, Sapiens2ForPoseEstimation, Sapiens2ForSemanticSegmentation

    classes = {
        "seg": Sapiens2ForSemanticSegmentation,
        "pose": Sapiens2ForPoseEstimation,
        "matting": Sapiens2ForImageMatting,
    }
    try:
        return classes[task].from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise MissingWeightsError(
            f"{path} does not hold a Sapiens2 model for {task} ({said}). Download it again."
        ) from error
