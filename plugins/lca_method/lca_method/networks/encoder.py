"""The transformer that lets geometric tokens read any number of pictures (Section 3.1)."""

from dataclasses import dataclass

from torch import nn
from torch.utils.checkpoint import checkpoint

from lca_method.networks.image_tokens import ImageTokens
from lca_method.networks.layer import EncoderLayer
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of the transformer; the defaults are the paper's."""

    layers: int = 8
    width: int = 1024
    """Token width D."""
    heads: int = 16
    """Heads of every attention (our choice: the paper's number was lost in conversion)."""
    mlp_ratio: float = 4.0
    registers: int = 4
    """Learned tokens that join each picture in image attention (Section B.2)."""
    gate_start: float = 0.0
    """Start of the gates of the multimodal stage: 0 = AdaLN-Zero, 1 = ordinary residual blocks."""
    checkpointing: bool = False
    """Recompute each layer in the backward pass instead of keeping its activations: slower, much less memory."""


class Encoder(nn.Module):
    """L layers and a final normalisation."""

    def __init__(self, config: TransformerConfig):
        """Args: sizes."""
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.width,
                config.heads,
                config.mlp_ratio,
                config.registers,
                config.gate_start,
                update_images=index + 1 < config.layers,
            )
            for index in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(
        self,
        geometric: Float[Tensor, "*b points width"],
        body: ImageTokens,
        face: ImageTokens,
        face_points: int,
    ) -> tuple[Float[Tensor, "*b points width"], ImageTokens, ImageTokens]:
        """Geometric tokens that know the person (the order of views does not matter), and the image tokens of body
        and face as the last layer saw them."""
        for layer in self.layers:
            if self.config.checkpointing and self.training:
                geometric, body, face = checkpoint(layer, geometric, body, face, face_points, use_reentrant=False)  # type: ignore[misc]
            else:
                geometric, body, face = layer(geometric, body, face, face_points)
        return self.norm(geometric), body, face
