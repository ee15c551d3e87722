"""What can be shared, and which files belong to it: tensors, JSON, tables, pictures; never a pickle."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from lca_dataparsers.dataset.schema import DATASET_FILE, SHARDS_FILE
from lca_shared.errors import UserError
from lca_shared.storage import read_json

CONFIG_FILE, WEIGHTS_FILE, LAST_STEP_FILE, CARD_FILE = (
    "config.json",
    "model.safetensors",
    "last_step.safetensors",
    "README.md",
)
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
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (MODEL, AVATAR, DATASET)}

_BY_KIND_OF_FILE = {"lca-model": MODEL, "avatar": AVATAR}


def kind_of_folder(folder: Path) -> Kind:
    """What a folder holds, by its own files.

    Raises:
        UserError: none of the kinds.
    """
    if any((folder / name).is_file() for name in (DATASET_FILE, SHARDS_FILE)):
        return DATASET
    config = folder / CONFIG_FILE
    if config.is_file():
        kind = _BY_KIND_OF_FILE.get(str(read_json(config).get("kind_of_file")))
        if kind is not None:
            return kind
    raise UserError(f"{folder} holds no model, avatar or dataset of this project.")
