"""``lca create``: photos or a video of a person into an avatar."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lca_method.hub.shipped import DEFAULT_MODEL


@dataclass(frozen=True)
class CreateConfig:
    """Make an avatar of a person from 1 to 16 photos or a video of them, or of somebody in a dataset.

    Works right after installation: without --model, a small model that comes with the package makes it.

    Pictures go through `lca-data process` first; a dataset is taken as it is.
    """

    photos: tyro.conf.Positional[tuple[Path, ...]] = ()
    """Photos of one person, or one video, or one folder of photos, or one dataset."""
    images: tuple[Path, ...] = ()
    """The same, where other options come first."""
    output: Annotated[Path, tyro.conf.arg(aliases=["--output-dir"])] = Path("me.avatar")
    """NAME.avatar"""
    model: Annotated[str, tyro.conf.arg(aliases=["--checkpoint"])] = DEFAULT_MODEL
    """Who makes it: a training run (its folder, config.yml or a checkpoint inside), a model's folder, OWNER/NAME or
    OWNER/NAME@REVISION on the Hugging Face Hub, or a shipped model's name."""
    subject: str | None = None
    """Of a dataset with several people: whose avatar."""
    references: int = 8
    """Pictures that are shown to the model at most, spread over a video, the best-seen ones."""
    person: int | None = None
    """Which of several people in the pictures, counted from 0 at the left; by default the largest."""
    licence: str = "unknown"
    """Of the pictures; goes onto the card."""
    work_dir: Path | None = None
    """Keep the processed pictures (a dataset) here; by default they are dropped."""
    turntable: bool = True
    """Also write turntable.mp4 into the bundle."""
    overwrite: bool = False
    """Replace an avatar of that name."""
    model_dir: Path | None = None
    """Looked through first for weights; then LCA_MODEL_DIR, then the user's cache, then they are fetched."""
    device: str = "auto"
    """auto, cpu or cuda."""

    @property
    def pictures(self) -> tuple[Path, ...]:
        """All that were given."""
        return (*self.photos, *self.images)


def run(config: CreateConfig) -> None:
    """Make the avatar.

    Raises:
        UserError: the pictures or the checkpoint cannot be used, or the output cannot be written.
    """
    from lca_method.avatar.creating import create

    create(config)
