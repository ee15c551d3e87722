"""From an encoder's features to image tokens (eq. 1-2 of the paper), with or without the background's."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from lca_shared.tensors import Bool, Float, Tensor

BackgroundTokens = Literal["keep", "mask", "drop"]
"""Tokens of patches without a person pixel: kept, hidden from attention, or left out of the computation."""


@dataclass(frozen=True)
class ImageTokens:
    """Tokens of several pictures."""

    tokens: Float[Tensor, "*b views patches width"]
    positions: Float[Tensor, "*b views patches 2"]
    """Row and column in the patch grid."""
    valid: Bool[Tensor, "*b views patches"] | None
    """False for tokens nobody should see; None = all are seen."""
    colors: Float[Tensor, "*b views patches 3"]
    """Mean colour of the patch's person pixels, sRGB 0..1; 0 where there are none."""

    def mean(self) -> Float[Tensor, "*b width"]:
        """Mean over all (valid) patches of all views; zero where there is none."""
        if self.valid is None:
            return self.tokens.mean(dim=(-3, -2))
        weights = self.valid.to(self.tokens)[..., None]
        return (self.tokens * weights).sum(dim=(-3, -2)) / weights.sum(dim=(-3, -2)).clamp(min=1)


class ImageTokenizer(nn.Module):
    """One linear layer from encoder features to the token width, shared by whole-body pictures and face crops."""

    def __init__(self, features: int, width: int, background: BackgroundTokens, patch_colors: bool):
        """Args: feature width; token width; what becomes of background patches; whether the mean colour of a patch's
        person pixels and its share of person pixels are given beside the features (4 more numbers)."""
        super().__init__()
        self.background = background
        self.patch_colors = patch_colors
        self.projection = nn.Linear(features + (4 if patch_colors else 0), width)

    def forward(
        self,
        features: Float[Tensor, "*b views patches features"],
        grid: tuple[int, int],
        images: Float[Tensor, "*b views 3 h w"],
        masks: Float[Tensor, "*b views 1 h w"],
    ) -> ImageTokens:
        """Tokens of pictures from their ``features`` on a ``grid`` of rows x columns patches, row by row."""
        coverage, colors = patch_means(images, masks, grid)
        if self.patch_colors:
            features = torch.cat([features, coverage[..., None], colors], dim=-1)
        rows, columns = grid
        positions = torch.cartesian_prod(
            torch.arange(rows, device=features.device), torch.arange(columns, device=features.device)
        ).to(coverage)
        positions = positions.expand(*coverage.shape, 2)
        if self.background == "keep":
            return ImageTokens(self.projection(features), positions, None, colors)
        valid = coverage > 0
        if self.background == "drop":
            count = max(int(valid.sum(dim=-1).max()), 1)
            order = valid.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)[..., :count]
            features = features.gather(-2, order[..., None].expand(*order.shape, features.shape[-1]))
            positions = positions.gather(-2, order[..., None].expand(*order.shape, 2))
            colors = colors.gather(-2, order[..., None].expand(*order.shape, 3))
            valid = valid.gather(-1, order)
        return ImageTokens(self.projection(features), positions, valid, colors)


def patch_means(
    images: Float[Tensor, "*b views 3 h w"], masks: Float[Tensor, "*b views 1 h w"], grid: tuple[int, int]
) -> tuple[Float[Tensor, "*b views patches"], Float[Tensor, "*b views patches 3"]]:
    """Share of person pixels of each patch, and the mean colour of those (0 where there are none)."""
    batch = images.shape[:-3]
    flat_masks = masks.reshape(-1, *masks.shape[-3:])
    flat_images = images.reshape(-1, *images.shape[-3:])
    coverage = F.adaptive_avg_pool2d(flat_masks, grid)
    colors = F.adaptive_avg_pool2d(flat_images * flat_masks, grid) / coverage.clamp(min=1e-6)
    return coverage.reshape(*batch, -1), colors.flatten(-2).mT.reshape(*batch, -1, 3)
