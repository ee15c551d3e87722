"""Normals that are learned: how each Gaussian's differs from that of the surface moved to where Gaussians stand.

Pictures of a hundred people in changing light say little of normals; the true surface says all, and is known of
synthetic people (``benchmarks.relight_normals``). Not in the paper, which learns normals from pictures alone.
"""

import torch
from torch import nn

from lca_method.networks.fourier import fourier_features, fourier_width
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor

_BOUND = 0.8
"""Of what is added to a coordinate of the normal."""
_FREQUENCIES = 4
"""Of the code of the points."""
_OFFSET, _SCALE = 0.1, 0.007
"""Metres: typical offsets and scales, so that what the network reads is about 1."""


class NormalNetwork(nn.Module):
    """What is known of a Gaussian at rest -> its normal; before training the normal that it is given."""

    def __init__(self, width: int, hidden: int):
        """Args: token width; width of the layers."""
        super().__init__()
        self.of_tokens = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, hidden))
        self.of_gaussians = nn.Linear(6 * 3 + 1 + fourier_width(_FREQUENCIES), hidden)
        self.layers = nn.Sequential(nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU())
        self.last = nn.Linear(hidden, 3)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self,
        normals: Float[Tensor, "*b gaussians 3"],
        clothed: Float[Tensor, "*b gaussians 3"],
        tokens: Float[Tensor, "*b tokens width"],
        relative: Gaussians,
        bare: Float[Tensor, "gaussians 3"],
        points: Float[Tensor, "gaussians 3"],
    ) -> Float[Tensor, "*b gaussians 3"]:
        """Unit normals at rest.

        Args:
            normals: to begin with, outward, unit.
            clothed: of the surface moved to where Gaussians stand.
            tokens: after the encoder.
            relative: canonical Gaussians whose means are offsets from their points, metres.
            bare: the body's.
            points: of the template, that the Gaussians belong to, metres.
        """
        shape = normals.shape[:-1]
        sizes = (relative.scales.clamp(min=1e-4) / _SCALE).log()
        known = [normals, clothed, relative.means / _OFFSET, sizes, relative.colors, relative.opacities[..., None]]
        fixed = [values.expand(*shape, -1) for values in (bare, fourier_features(points, _FREQUENCIES))]
        with torch.no_grad():
            read = torch.cat([*known, *fixed], dim=-1)
        each = shape[-1] // tokens.shape[-2]
        of_tokens = self.of_tokens(tokens.detach()).repeat_interleave(each, dim=-2)
        added = self.last(self.layers(self.of_gaussians(read) + of_tokens))
        return nn.functional.normalize(normals + _BOUND * added.tanh(), dim=-1)
