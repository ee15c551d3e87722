"""``genlca latents``: train the autoencoder between tokens and latents."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LatentsConfig:
    """Train an autoencoder from tokens to 8 numbers per anchor and back, over valid tokens, and say what it costs.

    It learns to give back tokens, and pictures of avatars through LCA's frozen heads.
    """

    tokens: Path
    """Folder of token shards (`genlca tokenize`)."""
    checkpoint: str
    """The LCA model that made them."""
    output_dir: Path
    """Where the autoencoder goes (config.json, model weights, latents.json)."""
    steps: int = 2000
    """Of training."""
    batch: int = 8
    """Samples of a step."""
    latent_channels: int = 8
    """Numbers per anchor."""
    width: int = 256
    """Of the layers."""
    layers: int = 2
    """On each side."""
    heads: int = 4
    """Of attention."""
    learning_rate: float = 1e-3
    """Highest; cosine down to 0."""
    picture_weight: float = 1.0
    """Weight of the pictures' mean absolute difference beside the tokens' mean squared one (in deviations)."""
    pictures: int = 2
    """Samples of each step of which a picture is drawn; 0 = none."""
    picture_size: int = 96
    """Pixels."""
    noise: float = 0.05
    """Deviation of what is added to latents in training, over theirs: neighbours in latent space look alike."""
    seed: int = 0
    device: str = "auto"
    """auto, cpu or cuda."""


def run(config: LatentsConfig) -> None:
    """Train, measure, save.

    Raises:
        UserError: tokens or checkpoint cannot be used, or do not belong together.
    """
    from genlca_method.latents.training import train

    train(config)
