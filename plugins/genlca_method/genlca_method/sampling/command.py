"""``genlca generate``: avatars from a prompt and pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class GenerateConfig:
    """Generate avatars of people who do not exist.

    They are bundles like those of `lca create`: `lca drive`, `lca view` and `lca export` take them.
    """

    pipeline: str
    """Folder of a training run (ns-train genlca), a saved GenLCAPipeline, or its name on the Hugging Face Hub."""
    output_dir: Path
    """Where NAME-000.avatar and so on go."""
    prompt: str = ""
    """What to make, in words like those of the training's captions; empty = anybody."""
    image: tuple[str, ...] = ()
    """Pictures of parts as PART=FILE: face, hair, upper, lower, shoes, whole."""
    scribble: tuple[str, ...] = ()
    """Line drawings of parts as PART=FILE, black on white."""
    num: int = 1
    """How many avatars."""
    seed: int = 0
    """The same seed gives the same people."""
    steps: int = 30
    """Of sampling."""
    guidance: float = 3.0
    """How closely prompt and pictures are followed; 1 = as learned."""
    scheduler: Literal["euler", "heun"] = "euler"
    """Of sampling; a step of heun looks twice."""
    name: str = "person"
    """Beginning of the bundles' names."""
    turntable: bool = False
    """Also write turntable.mp4 into each bundle."""
    overwrite: bool = False
    """Replace avatars of those names."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(config: GenerateConfig) -> None:
    """Make the avatars.

    Raises:
        UserError: the pipeline or a picture cannot be used, or the output cannot be written.
    """
    from genlca_method.sampling.generating import generate

    generate(config)
