"""Judges that read attributes off the colours of regions: linear discriminants, learned from real people's avatars."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genlca_method.evaluation.attributes import BY_LENGTH, SEEN_AT
from genlca_method.evaluation.looks import REGIONS
from lca_shared.tensors import Float, Tensor

_RIDGE = 0.1
"""Added to the covariance within classes, over its mean variance."""


def clues(colors: Float[Tensor, "people regions 3"], attribute: str) -> Float[Tensor, "people clues"]:
    """What an attribute's judge looks at, from one view: colours, or distances between colours of regions."""
    some = colors[:, [REGIONS.index(name) for name in SEEN_AT[attribute]]]
    if attribute not in BY_LENGTH:
        return some.flatten(1)
    first, second = torch.triu_indices(some.shape[1], some.shape[1], 1)
    return (some[:, first] - some[:, second]).norm(dim=-1)


@dataclass(frozen=True)
class Judge:
    """Chooses the word whose mean is nearest by the covariance within words, with the words' frequencies."""

    words: tuple[str, ...]
    means: Float[Tensor, "words clues"]
    precision: Float[Tensor, "clues clues"]
    prior: Float[Tensor, "words"]
    """Logarithms of frequencies."""

    @staticmethod
    def learned(given: Float[Tensor, "people clues"], truth: Sequence[str]) -> "Judge":
        """From people whose words are known; at least one."""
        words = tuple(sorted(set(truth)))
        labels = torch.tensor([words.index(word) for word in truth])
        onehot = torch.nn.functional.one_hot(labels, len(words)).double()
        values, counts = given.double(), onehot.sum(dim=0)
        means = onehot.T @ values / counts[:, None]
        apart = values - means[labels]
        covariance = apart.T @ apart / len(values)
        covariance += (_RIDGE * covariance.diagonal().mean() + 1e-8) * torch.eye(len(covariance)).double()
        return Judge(words, means, torch.linalg.inv(covariance), (counts / counts.sum()).log())

    def __call__(self, given: Float[Tensor, "people clues"]) -> list[str]:
        """A word for each."""
        apart = given.double()[:, None] - self.means
        scores = self.prior - 0.5 * torch.einsum("pwc,cd,pwd->pw", apart, self.precision, apart)
        return [self.words[index] for index in scores.argmax(dim=1).tolist()]


def agreement(found: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """``accuracy``, its standard error, and ``chance``: the accuracy to be expected if the same answers were given to
    the same people in random order."""
    count = len(truth)
    right = sum(a == b for a, b in zip(found, truth, strict=True)) / count
    chance = sum(found.count(word) / count * truth.count(word) / count for word in set(truth))
    return {"accuracy": right, "error": (right * (1 - right) / count) ** 0.5, "chance": chance, "count": count}
