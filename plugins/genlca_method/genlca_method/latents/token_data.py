"""All token samples of some splits in memory, with what is valid of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genlca_method.tokens.several import AnyShards
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Tensor

LEAST_RATE = 0.005
"""Anchors that fewer samples than this share show (the inside of the mouth) are always taken as valid: no data will
ever show them, and what LCA makes of them is all there is to learn."""
_FEW = 2.0
"""Samples that the mean of all anchors counts for."""


@dataclass(frozen=True)
class TokenData:
    """Samples stacked."""

    vectors: Float[Tensor, "samples anchors channels"]
    valid: Bool[Tensor, "samples anchors"]
    shapes: Float[Tensor, "samples coefficients"]
    indices: tuple[int, ...]
    """In the shards."""

    def __len__(self) -> int:
        return len(self.vectors)

    def statistics(
        self, axes: int
    ) -> tuple[Float[Tensor, "anchors channels"], Float[Tensor, "channels"], Float[Tensor, "channels axes"]]:
        """Of valid tokens: the mean at each anchor (drawn to that of all anchors where few samples show it), the
        deviation of each channel over all anchors, and the first principal axes of the differences to the mean at their
        anchor in those deviations.

        Args: how many axes.
        """
        overall, deviation = masked_statistics(self.vectors, self.valid)
        weights = self.valid[..., None].float()
        mean = ((self.vectors * weights).sum(dim=0) + _FEW * overall) / (weights.sum(dim=0) + _FEW)
        covariance = torch.zeros(len(deviation), len(deviation), dtype=torch.double)
        for vectors, valid in zip(self.vectors, self.valid):
            differing = ((vectors - mean) / deviation.clamp(min=1e-4))[valid].double()
            covariance += differing.mT @ differing
        return mean, deviation, torch.linalg.eigh(covariance)[1].flip(1)[:, :axes].float()


def masked_statistics(
    values: Float[Tensor, "samples anchors channels"], valid: Bool[Tensor, "samples anchors"]
) -> tuple[Float[Tensor, "channels"], Float[Tensor, "channels"]]:
    """Mean and deviation of each channel where ``valid``."""
    weights = valid[..., None].double()
    total = weights.sum().clamp(min=1)
    mean = (values * weights).sum(dim=(0, 1)) / total
    variance = ((values - mean).square() * weights).sum(dim=(0, 1)) / total
    return mean.float(), variance.sqrt().float()


def never_shown(shards: AnyShards) -> Bool[Tensor, "anchors"]:
    """Anchors that fewer than :data:`LEAST_RATE` of the training samples show."""
    seen = [shards[index].counts > 0 for index in shards.of_split("train")]
    if not seen:
        raise UserError(f"{shards.root} has no samples of people in the training split.")
    return torch.stack(seen).float().mean(dim=0) < LEAST_RATE


def token_data(shards: AnyShards, splits: Sequence[str]) -> TokenData:
    """Read samples of people in some splits.

    Raises:
        UserError: there are none, or one is broken.
    """
    always = never_shown(shards)
    indices = shards.of_split(*splits)
    if not indices:
        raise UserError(f"{shards.root} has no samples of people in the splits {', '.join(splits)}.")
    samples = [shards[index] for index in indices]
    return TokenData(
        torch.stack([sample.vectors for sample in samples]),
        torch.stack([sample.counts > 0 for sample in samples]) | always,
        torch.stack([sample.shape for sample in samples]),
        tuple(indices),
    )
