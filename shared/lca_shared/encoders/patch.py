"""A small encoder that trains from scratch with the method, for small machines."""

import torch
from torch import nn

from lca_shared.encoders.protocol import EncoderConfig, ImageEncoder
from lca_shared.tensors import Float, Tensor


class PatchEncoder(ImageEncoder):
    """Each patch by itself through two linear layers, and where it is in the picture as sines and cosines.

    Patches know nothing of each other here: image attention is the transformer's part.
    """

    def __init__(self, config: EncoderConfig):
        """Args: patch size and feature width (a multiple of 8)."""
        super().__init__()
        self.patch_size = config.patch_size
        self.width = config.width
        self.frozen = False
        self.stem = nn.Conv2d(3, self.width, self.patch_size, stride=self.patch_size)
        self.norm = nn.LayerNorm(self.width)
        self.mix = nn.Sequential(nn.Linear(self.width, self.width), nn.GELU(), nn.Linear(self.width, self.width))
        self.place = nn.Linear(_PLACE_NUMBERS, self.width)

    def forward(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b patches width"]:
        """Features of sRGB 0..1 pictures, patches row by row."""
        batch = images.shape[:-3]
        rows, columns = self.grid(images.shape[-2], images.shape[-1])
        patches = self.stem(images.reshape(-1, *images.shape[-3:]) * 4 - 2).flatten(-2).mT
        features = patches + self.place(_place_code(rows, columns, patches))
        features = features + self.mix(self.norm(features))
        return features.reshape(*batch, rows * columns, self.width)


_FREQUENCIES = 4
_PLACE_NUMBERS = 4 * _FREQUENCIES + 2


def _place_code(rows: int, columns: int, like: Tensor) -> Float[Tensor, "patches numbers"]:
    """Sines and cosines of a patch's centre, with the picture's sides from -1 to 1."""
    y = (torch.arange(rows, device=like.device) + 0.5) / rows * 2 - 1
    x = (torch.arange(columns, device=like.device) + 0.5) / columns * 2 - 1
    centers = torch.cartesian_prod(y, x).to(like.dtype)
    speeds = torch.pi / 2 * 2.0 ** torch.arange(_FREQUENCIES, device=like.device, dtype=like.dtype)
    angles = (centers[..., None] * speeds).flatten(-2)
    return torch.cat([angles.sin(), angles.cos(), centers], dim=-1)
