"""``genlca tokenize``: people of a dataset as structured tokens."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CaptionerName = Literal["attributes", "model", "none"]
"""Who writes captions."""


@dataclass(frozen=True)
class TokenizeConfig:
    """Run a frozen LCA's encoder over people and write their tokens, what was seen of them, and conditions.

    A run that was stopped goes on where it was: shards are whole or absent.
    """

    checkpoint: str
    """LCA model: folder of a training run, its config.yml, or a checkpoint inside it."""
    data: Path
    """A dataset folder or a folder of shards."""
    output_dir: Path
    """Where the shards go."""
    references: int = 4
    """Views of a person's first sample, spread over the recording; the others look at 1 to so many, at random."""
    samples: int = 1
    """Samples of each person, each from other views."""
    batch: int = 8
    """Samples that go through the encoder together."""
    shard_samples: int = 256
    """Samples in a shard."""
    captions: CaptionerName = "attributes"
    """Who writes captions: attributes (exact, of synthetic people); model (a vision-language model looks at the picture
    of the whole body); none."""
    caption_model: str = ""
    """A vision-language model of transformers (image-text-to-text): a folder or a Hugging Face id. Use --part-size 224
    or more with it."""
    part_size: int = 64
    """Side of the pictures of parts of the body, pixels; 0 = no such pictures."""
    angle: float = 80.0
    """Degrees between an anchor's normal and the direction to the camera, at most, to count as seen."""
    seed: int = 0
    """Of the choice of views."""
    device: str = "auto"
    """auto, cpu or cuda."""


def run(config: TokenizeConfig) -> None:
    """Write the shards.

    Raises:
        UserError: dataset or checkpoint cannot be used, or the folder holds other tokens.
    """
    from genlca_method.tokens.tokenizing import tokenize

    tokenize(config)
