"""``genlca decode``: people of token shards as avatars that can be edited."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DecodeConfig:
    """Write avatars of people in token shards, with their tokens and what pictures showed of them."""

    tokens: Path
    """Folder of token shards (`genlca tokenize`)."""
    pipeline: str
    """Folder of a training run (ns-train genlca), a saved GenLCAPipeline, or its name on the Hugging Face Hub."""
    output_dir: Path
    """Where PERSON.avatar and so on go."""
    people: tuple[str, ...] = ()
    """Whose; by default everybody in the test split."""
    sample: int = 0
    """Which of a person's samples: the first looks at views spread over the recording."""
    overwrite: bool = False
    """Replace avatars of those names."""


def run(config: DecodeConfig) -> None:
    """Write the avatars.

    Raises:
        UserError: tokens or pipeline cannot be used, or there is no such person.
    """
    from genlca_method.editing.decoding import decode

    decode(config)
