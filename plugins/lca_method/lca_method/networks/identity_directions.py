"""The few directions of a code in which people differ more than one person's frames do, and how to take them out.

A loss that compares people number by number (``code_identity``) leaves directions across the numbers in which a code
still names its owner. They are found by linear discriminant analysis (Fisher 1936; with more than two classes Rao
1948) on people of the training, and are the same for people whom the model has never seen.
"""

from dataclasses import dataclass

import torch

from lca_shared.tensors import Float, Int, Tensor

LEAST_RATIO = 0.5
"""Variance of people's true means over the variance within people, above which a direction is taken out."""
MOST = 16
"""Directions at most: what is left shall carry expression."""
_SHRINKAGE = 1e-3
"""Added to the covariance within people, of its mean variance."""


@dataclass(frozen=True)
class IdentityDirections:
    """What :func:`identity_directions` found."""

    kept: Float[Tensor, "code code"]
    """Maps codes (columns) to codes without the directions."""
    ratios: Float[Tensor, "code"]
    """Variance between over variance within people along all directions, the largest first."""
    taken: int
    """How many directions ``kept`` takes out."""


def identity_directions(codes: Float[Tensor, "n code"], people: Int[Tensor, "n"]) -> IdentityDirections:
    """Directions ``u`` with the largest ``u B u / u W u``, for the covariances between and within people.

    From ``B`` is taken what people's means differ by chance, of few frames each. The projection is oblique: it takes
    out what goes with identity and leaves, of the rest, what is uncorrelated with it within people.

    Args:
        codes: of several frames of many people.
        people: number of the owner of each.

    Raises:
        ValueError: there are fewer than two people, or fewer frames beyond the first of each than the code has numbers.
    """
    names, owner, counts = people.unique(return_inverse=True, return_counts=True)
    freedom, width = len(codes) - len(names), codes.shape[1]
    if len(names) < 2 or freedom < width:
        raise ValueError(f"{len(codes)} codes of {len(names)} people do not tell how {width} numbers vary")
    x = codes.double()
    means = x.new_zeros(len(names), width).index_add_(0, owner, x) / counts[:, None]
    inside, across = x - means[owner], means - means.mean(dim=0)
    within = inside.mT @ inside / freedom
    between = across.mT @ across / (len(names) - 1) - within * (1 / counts).mean()
    within = within + _SHRINKAGE * within.diagonal().mean() * torch.eye(width, dtype=x.dtype, device=x.device)
    root = torch.linalg.cholesky(within)
    half = torch.linalg.solve_triangular(root, between, upper=False)
    ratios, turned = torch.linalg.eigh(torch.linalg.solve_triangular(root, half.mT, upper=False))
    directions = torch.linalg.solve_triangular(root.mT, turned.flip(1), upper=True)  # u W u = 1
    ratios = ratios.flip(0)
    taken = min(int((ratios > LEAST_RATIO).sum()), MOST)
    kept = torch.eye(width, dtype=x.dtype, device=x.device) - within @ directions[:, :taken] @ directions[:, :taken].mT
    return IdentityDirections(kept.to(codes.dtype), ratios.to(codes.dtype), taken)
