"""Models that come with the package: they work right after installation, without network."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "shipped_models"


@dataclass(frozen=True)
class ShippedModel:
    """One of them."""

    folder: Path
    """config.json, model.safetensors, card and licence (``scripts/make_shipped_model.py`` writes them)."""
    summary: str
    """In a few words, what it can do."""


SHIPPED: Mapping[str, ShippedModel] = {
    "demo": ShippedModel(
        _FOLDER / "demo",
        "the demo model of this package, small and trained on synthetic people alone: likeness is coarse",
    ),
    "demo-relight": ShippedModel(
        _FOLDER / "demo-relight",
        "the demo model of this package, with avatars that can be lit anew: likeness is coarse",
    ),
}
"""By the name that ``--model`` and ``--checkpoint`` take."""

DEFAULT_MODEL = "demo"
"""What ``lca create`` uses if no model is named."""


def described(model: str) -> str:
    """A model's name for messages; of a shipped one also what it can do."""
    return f"{model} ({SHIPPED[model].summary})" if model in SHIPPED else model
