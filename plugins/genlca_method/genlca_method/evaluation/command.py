"""``genlca eval``: whether prompts are followed, and how generated people compare with real ones."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class EvalConfig:
    """Generate people from the captions of held-out ones and measure them, from renders.

    Attributes (synthetic people, where they are known exactly) are read off renders by small judges that learn from
    avatars of the training people's own tokens; beside it stands what the same judges make of held-out people's own
    avatars (a generator may look clearer than those: they are no bound). A stopped run goes on where it was.
    """

    pipeline: str
    """Folder of a training run (ns-train genlca), a saved GenLCAPipeline, or its name on the Hugging Face Hub."""
    tokens: Path
    """Folder of token shards with a test split."""
    output_dir: Path
    """Where eval.json, eval.md, sheet.png and the generated latents go."""
    people: int = 40
    """Held-out people whose captions are prompts, at most."""
    judged: int = 300
    """Training people that the judges learn from, at most."""
    seeds: int = 2
    """People generated from each caption."""
    steps: int = 20
    """Of sampling."""
    guidance: float = 3.0
    """Of sampling."""
    size: int = 128
    """Pixels of the renders."""
    features: str = "dinov2"
    """Image encoder behind FID and KID: one of lca_shared.encoders, pixels (32 x 32, no weights), or none."""
    features_source: str = ""
    """Its weights: a folder or a Hugging Face id."""
    clip: str = ""
    """A CLIP model (folder or Hugging Face id) for the CLIP score; empty = no such score."""
    rows: int = 8
    """Of the sheet."""


def run(config: EvalConfig) -> None:
    """Write the figures.

    Raises:
        UserError: tokens or pipeline cannot be used, weights are missing, or the folder holds another evaluation.
    """
    from genlca_method.evaluation.running import evaluate

    evaluate(config)
