"""Colours read off the reference pictures by attention: what the canonical head starts from in small models."""

import torch
from torch import nn

from lca_method.networks.attention import attend
from lca_method.networks.image_tokens import ImageTokens
from lca_shared.tensors import Bool, Float, Tensor


class ColorLookup(nn.Module):
    """Each Gaussian looks for its patches with a query of its own and takes their mean person colours.

    The colours themselves never pass through weights, so a colour not seen in training is carried over as it is: with
    few training people that is most of what tells a new person apart. Not in the paper.
    """

    def __init__(self, width: int, gaussians_per_token: int, query_width: int):
        """Args: token width; K; numbers in a query."""
        super().__init__()
        self.gaussians_per_token = gaussians_per_token
        self.queries = nn.Linear(width, gaussians_per_token * query_width)
        self.keys = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, query_width))

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        pictures: tuple[ImageTokens, ...],
    ) -> Float[Tensor, "*b gaussians 3"]:
        """sRGB 0..1 per Gaussian.

        Args:
            tokens: geometric tokens after the encoder.
            pictures: image tokens after the encoder, e.g. of bodies and of faces; patches that are not valid are not
                looked at.
        """
        queries = self.queries(tokens).unflatten(-1, (self.gaussians_per_token, -1)).flatten(-3, -2)
        keys = torch.cat([self.keys(images.tokens).flatten(-3, -2) for images in pictures], dim=-2)
        values = torch.cat([images.colors.flatten(-3, -2) for images in pictures], dim=-2)
        valid = torch.cat([_valid(images).flatten(-2) for images in pictures], dim=-1)
        one_head = (..., None, slice(None), slice(None))
        return attend(queries[one_head], keys[one_head], values[one_head], valid)[..., 0, :, :]


def _valid(images: ImageTokens) -> Bool[Tensor, "*b views patches"]:
    if images.valid is not None:
        return images.valid
    return torch.ones(images.tokens.shape[:-1], dtype=torch.bool, device=images.tokens.device)


def color_logits(colors: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """What a sigmoid turns into ``colors``; colours are kept 0.02 away from 0 and 1."""
    return torch.logit(colors, eps=0.02)
