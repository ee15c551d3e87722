"""``genlca encode``: photos of a person as an avatar that can be edited."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class EncodeConfig:
    """Make an avatar from photos, a video or a dataset as `lca create` does, with its tokens and what pictures showed.

    Such an avatar can be completed and edited by a pipeline that was trained on tokens of the same LCA model.
    """

    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """Photos of one person, or one video, or one folder of photos, or one dataset."""
    checkpoint: str
    """The LCA model behind the pipeline: folder of a training run, its config.yml, or a checkpoint inside it."""
    output: Path = Path("me.avatar")
    """NAME.avatar"""
    subject: str | None = None
    """Of a dataset with several people: whose avatar."""
    references: int = 4
    """Pictures that are shown to the model at most."""
    angle: float = 80.0
    """Degrees between an anchor's normal and the direction to the camera, at most, to count as seen."""
    licence: str = "unknown"
    """Of the pictures."""
    overwrite: bool = False
    """Replace an avatar of that name."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(config: EncodeConfig) -> None:
    """Make the avatar.

    Raises:
        UserError: the pictures or the checkpoint cannot be used, or the output cannot be written.
    """
    from genlca_method.editing.encoding import encode

    encode(config)
