"""Mean geometric tokens of people, and their principal components. Plain linear algebra."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lca_method.batch import ReferenceViews
from lca_method.networks.lca import LCA
from lca_shared.tensors import Float, Int, Tensor


def mean_token(
    network: LCA, references: ReferenceViews, shape: Float[Tensor, "coefficients"]
) -> Float[Tensor, "width"]:
    """The mean of a person's geometric tokens after the encoder.

    Args:
        network: in evaluation mode.
        references: of one person, without batch axes.
        shape: of the person.
    """
    with torch.no_grad():
        return network.encode(references, shape).tokens.mean(dim=-2)


@dataclass(frozen=True)
class PrincipalComponents:
    """Of some vectors, strongest first; signs are such that each component's largest entry is positive."""

    coordinates: Float[Tensor, "n components"]
    components: Float[Tensor, "components width"]
    """Unit vectors."""
    mean: Float[Tensor, "width"]
    shares: Float[Tensor, "components"]
    """Of the total variance."""


def principal_components(vectors: Float[Tensor, "n width"], count: int) -> PrincipalComponents:
    """The first ``count`` principal components, or as many as there can be.

    Raises:
        ValueError: fewer than two vectors, or all are the same.
    """
    if len(vectors) < 2:
        raise ValueError("principal components need two vectors")
    mean = vectors.double().mean(dim=0)
    centred = vectors.double() - mean
    _, strengths, components = torch.linalg.svd(centred, full_matrices=False)
    total = strengths.square().sum()
    if not float(total) > 1e-20 * float(vectors.double().square().sum()):
        raise ValueError("all vectors are the same")
    count = min(count, len(vectors) - 1, len(strengths))
    components = components[:count]
    largest = components.gather(1, components.abs().argmax(dim=1, keepdim=True))
    components = components * largest.sign()
    shares = strengths[:count].square() / total
    kept = (centred @ components.mT, components, mean, shares)
    return PrincipalComponents(*(part.to(vectors.dtype) for part in kept))


@dataclass(frozen=True)
class GroupShare:
    """How much of the variance is between groups."""

    share: float
    """Of the variance: 0 = the groups' means are equal, 1 = everybody is like their group's mean."""
    chance: float
    """Mean share when people are put into the groups at random: two small groups always differ a little."""
    at_least: float
    """How often such a random share is at least ``share`` (the p-value of a permutation test)."""


def group_share(
    vectors: Float[Tensor, "n width"], groups: Int[Tensor, "n"], shuffles: int = 999, seed: int = 0
) -> GroupShare:
    """The share of the variance of some vectors that lies between groups, beside shares of shuffled groups.

    Args:
        vectors: one a person.
        groups: number of the group of each.
        shuffles: random ones.
        seed: of the shuffles.
    """
    centred = vectors.double() - vectors.double().mean(dim=0)
    members = torch.nn.functional.one_hot(groups.unique(return_inverse=True)[1]).double()

    def share(assigned: Tensor) -> float:
        means = assigned.mT @ centred / assigned.sum(dim=0)[:, None]
        return float((assigned.sum(dim=0)[:, None] * means.square()).sum() / centred.square().sum())

    generator = torch.Generator().manual_seed(seed)
    random = [share(members[torch.randperm(len(members), generator=generator)]) for _ in range(shuffles)]
    own = share(members)
    return GroupShare(own, sum(random) / shuffles, (1 + sum(value >= own - 1e-12 for value in random)) / (1 + shuffles))


def numbered_groups(names: Sequence[str]) -> Int[Tensor, "n"]:
    """Names as numbers, in alphabetical order."""
    order = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([order[name] for name in names], dtype=torch.int64)
