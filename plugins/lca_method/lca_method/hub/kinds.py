"""What can be shared, and which files belong to it: tensors, JSON, tables, pictures; never a pickle."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

CONFIG_FILE, WEIGHTS_FILE, LAST_STEP_FILE, CARD_FILE = (
    "config.json",
    "model.safetensors",
    "last_step.safetensors",
    "README.md",
)
DATASET_MARKS = ("dataset.json", "shards.json")
"""Files of a dataset's folder and of shards (``lca_dataparsers.dataset.schema``, which is not for config modules)."""
_TEXT = ("README.md", "LICENSE", "LICENSE.txt")


@dataclass(frozen=True)
class Kind:
    """One kind of thing that can be pushed and pulled."""

    name: str
    """As users call it."""
    repository: Literal["model", "dataset"]
    """Kind of repository on the Hub."""
    suffixes: tuple[str, ...]
    """Of files that belong to it, besides a card and a licence."""
    needed: tuple[str, ...] | None = None
    """Files without which it cannot be used; None = all."""

    def owns(self, path: str) -> bool:
        """Whether a file, by its path in the folder, belongs to it."""
        parts = PurePosixPath(path).parts
        if any(part.startswith(".") for part in parts):
            return False
        return path in _TEXT or PurePosixPath(path).suffix.lower() in self.suffixes


MODEL = Kind("model", "model", (".safetensors", ".json", ".md", ".csv"), (CONFIG_FILE, WEIGHTS_FILE))
AVATAR = Kind("avatar", "model", (".safetensors", ".json", ".png", ".mp4"), (CONFIG_FILE, "avatar.safetensors"))
DATASET = Kind("dataset", "dataset", (".json", ".parquet", ".jpg", ".jpeg", ".png", ".tar", ".npy"))


def is_dataset(folder: Path) -> bool:
    """Whether a folder holds a dataset or shards."""
    return any((folder / name).is_file() for name in DATASET_MARKS)


def is_model_folder(folder: Path) -> bool:
    """Whether a folder holds a model as it is shared."""
    return (folder / CONFIG_FILE).is_file() and (folder / WEIGHTS_FILE).is_file()
