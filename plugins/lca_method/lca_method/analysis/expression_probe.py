"""What a learned expression code tells: expression (wanted) and identity (not wanted). Plain linear algebra."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lca_shared.tensors import Float, Int, Tensor

RIDGES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Strengths tried, relative to the mean variance of the code's numbers."""
LEAST_DEVIATION = 0.02
"""Coefficients that vary less than this over the frames scored are left out: there is nothing to tell."""


@dataclass(frozen=True)
class ProbeResult:
    """How well a linear map from the code predicts each coefficient on people it was not fitted to."""

    r2: Float[Tensor, "coefficients"]
    """1 = exactly, 0 = no better than the mean; NaN where the coefficient hardly varies."""
    ridge: float
    """The strength chosen on the people it was fitted to."""

    @property
    def mean_r2(self) -> float:
        """Mean over the coefficients that vary."""
        return float(self.r2.nanmean())


def ridge_probe(
    codes: Float[Tensor, "n code"],
    labels: Float[Tensor, "n coefficients"],
    people: Int[Tensor, "n"],
    held_out_codes: Float[Tensor, "m code"],
    held_out_labels: Float[Tensor, "m coefficients"],
) -> ProbeResult:
    """Fit on some people, score on others; the ridge is chosen by leaving out a third of the former.

    Args:
        codes: of the people to fit to, with their coefficients ``labels`` and their number ``people``.
        held_out_codes: of the others, with ``held_out_labels``.
    """
    inner = people % 3 == 0
    scores = {}
    for ridge in RIDGES:
        if not bool(inner.any()) or bool(inner.all()):
            break
        predicted = _fitted(codes[~inner], labels[~inner], ridge)(codes[inner])
        scores[ridge] = float((predicted - labels[inner]).square().mean())
    ridge = min(scores, key=lambda key: scores[key]) if scores else RIDGES[2]
    predicted = _fitted(codes, labels, ridge)(held_out_codes)
    return ProbeResult(r_squared(predicted, held_out_labels), ridge)


def r_squared(
    predicted: Float[Tensor, "n coefficients"], labels: Float[Tensor, "n coefficients"]
) -> Float[Tensor, "coefficients"]:
    """Coefficient of determination of each column, against the labels' own mean; NaN where labels hardly vary."""
    spread = (labels - labels.mean(dim=0)).square().sum(dim=0)
    r2 = 1 - (predicted - labels).square().sum(dim=0) / spread.clamp(min=1e-12)
    varies = spread > len(labels) * LEAST_DEVIATION**2
    return torch.where(varies, r2, torch.nan)


def _fitted(codes: Tensor, labels: Tensor, ridge: float):
    mean_code, mean_label = codes.mean(dim=0), labels.mean(dim=0)
    x, y = (codes - mean_code).double(), (labels - mean_label).double()
    strength = ridge * float(x.square().mean().clamp(min=1e-12)) * len(x)
    weights = torch.linalg.solve(x.mT @ x + strength * torch.eye(x.shape[1], dtype=x.dtype, device=x.device), x.mT @ y)
    return lambda other: ((other - mean_code).double() @ weights).to(labels.dtype) + mean_label


@dataclass(frozen=True)
class IdentityResult:
    """How often a code's owner is told from it, on frames that the classifiers did not see."""

    logistic: float
    nearest_mean: float
    chance: float
    """Share of the most frequent person."""
    frames: int
    """Scored."""


def identity_probe(codes: Float[Tensor, "n code"], people: Int[Tensor, "n"], steps: int = 300) -> IdentityResult:
    """Classify people by code: fitted to the first half of each person's frames, scored on the second.

    Halves, not every other frame: neighbouring frames show nearly the same expression, which is no identity.

    Args:
        codes: in the order of time.
        people: number of the owner of each.
        steps: of gradient descent on the logistic loss.

    Raises:
        ValueError: fewer than two people have two frames.
    """
    first, second = _halves(people)
    names, labels = people[first].unique(return_inverse=True)
    if len(names) < 2:
        raise ValueError("telling people apart needs two people with two frames each")
    truth = (people[second][:, None] == names).int().argmax(dim=1)
    deviation = codes[first].std(dim=0).clamp(min=1e-6)
    x, y = ((part - codes[first].mean(dim=0)) / deviation for part in (codes[first], codes[second]))
    means = torch.stack([x[labels == person].mean(dim=0) for person in range(len(names))])
    nearest = torch.cdist(y, means).argmin(dim=1)
    return IdentityResult(
        logistic=float((_logistic(x, labels, len(names), steps)(y) == truth).float().mean()),
        nearest_mean=float((nearest == truth).float().mean()),
        chance=float(torch.bincount(truth, minlength=len(names)).max()) / len(truth),
        frames=len(truth),
    )


def _halves(people: Tensor) -> tuple[Tensor, Tensor]:
    first, second = [], []
    for person in people.unique().tolist():
        rows = (people == person).nonzero()[:, 0]
        if len(rows) >= 2:
            first.append(rows[: len(rows) // 2])
            second.append(rows[len(rows) // 2 :])
    if not first:
        raise ValueError("telling people apart needs two people with two frames each")
    return torch.cat(first), torch.cat(second)


def _logistic(x: Tensor, labels: Tensor, classes: int, steps: int):
    weights = torch.zeros(x.shape[1] + 1, classes, device=x.device, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=0.05, weight_decay=1e-2)

    def scores(codes: Tensor) -> Tensor:
        return codes @ weights[:-1] + weights[-1]

    with torch.enable_grad():
        for _ in range(steps):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(scores(x), labels).backward()
            optimizer.step()
    return lambda codes: scores(codes).detach().argmax(dim=1)


def numbered(names: Sequence[str]) -> Int[Tensor, "n"]:
    """Names as numbers, equal for equal names."""
    order = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([order[name] for name in names], dtype=torch.int64)
