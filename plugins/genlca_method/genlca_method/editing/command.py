"""``genlca edit``: change an avatar, keep what is to be kept."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class EditConfig:
    """Change parts of an avatar by a prompt or pictures, or complete what no picture showed.

    The avatar must hold its tokens: `genlca generate`, `encode` (from photos) and `decode` write such avatars. Tokens
    that are kept are kept exactly, and so is the body's shape unless --new-shape is given. Parts are face, hair, upper,
    lower, shoes and hands; without --keep, --change, --complete and pictures, everything may change.
    """

    avatar: tyro.conf.Positional[Path]
    """NAME.avatar"""
    pipeline: str
    """Folder of a training run (ns-train genlca), a saved GenLCAPipeline, or its name on the Hugging Face Hub."""
    output: Path = Path("edited.avatar")
    """NAME.avatar"""
    prompt: str = ""
    """What the person should look like, in words like those of the training's captions."""
    image: tuple[str, ...] = ()
    """Pictures of parts as PART=FILE; without --keep and --change, these parts change and the rest is kept."""
    scribble: tuple[str, ...] = ()
    """Line drawings of parts as PART=FILE, black on white; what they change and keep as of --image."""
    keep: str = ""
    """Parts to keep, e.g. face,hair: the others change."""
    change: str = ""
    """Parts to change, e.g. upper: the others are kept."""
    complete: bool = False
    """Make anew what no picture of the person showed, and keep the rest (but for --change)."""
    draws: int = 8
    """With --complete: the mean of so many completions, which has fewer blotches and is nearer the truth; 1 = one as it
    comes."""
    new_shape: bool = False
    """The body's shape may change too."""
    strength: float = 1.0
    """1 = what changes is forgotten; small values change it little."""
    seed: int = 0
    """The same seed gives the same change."""
    steps: int = 30
    """Of sampling from noise."""
    guidance: float = 2.0
    """How closely prompt and pictures are followed; 1 = as learned."""
    scheduler: Literal["euler", "heun"] = "euler"
    """Of sampling; a step of heun looks twice."""
    overwrite: bool = False
    """Replace an avatar of that name."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(config: EditConfig) -> None:
    """Write the changed avatar.

    Raises:
        UserError: avatar, pipeline or a picture cannot be used, or the output cannot be written.
    """
    from genlca_method.editing.editing import edit

    edit(config)
