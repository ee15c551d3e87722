"""Parts of a person that the flow is given as they are, without noise: how edits and completions are learned.

What is put back at each step with that step's noise (the usual way to inpaint) says little while colours are decided:
at high noise levels. What is given clean says it at all levels.
"""

from dataclasses import dataclass

import torch

from lca_shared.tensors import Bool, Float, Tensor

_LEAST, _MOST = 0.15, 0.85
"""Share of the anchors that are given."""
_SHAPE_TOO = 0.7
"""Of the people with given anchors, those whose body shape is given as well."""


@dataclass(frozen=True)
class Given:
    """What is clean of each person."""

    anchors: Bool[Tensor, "people anchors"]
    shape: Bool[Tensor, "people"]

    def twice(self) -> "Given":
        """The same people again behind themselves."""
        return Given(torch.cat([self.anchors, self.anchors]), torch.cat([self.shape, self.shape]))


def drawn_given(
    positions: Float[Tensor, "anchors 3"], people: int, share: float, generator: torch.Generator | None = None
) -> Given:
    """Some of the people are given their anchors on one side of a random plane, or outside of a slab (half of them).

    Planes look in any direction: as pictures from one side would show them, or above and below the waist.

    Args: points of the anchors, metres; number of people; share of people who are given anything; of the draws (CPU).
    """
    points = positions.cpu() - positions.cpu().mean(dim=0)
    points = points / points.std(dim=0).clamp(min=1e-6)
    direction = torch.randn(people, 3, generator=generator)
    along = points @ torch.nn.functional.normalize(direction, dim=-1).mT
    chance = torch.rand(people, 3, generator=generator)
    middle = along[torch.randint(len(points), (people,), generator=generator), torch.arange(people)]
    along = torch.where(chance[:, 0] < 0.5, along, (along - middle).abs()).mT
    kept = _LEAST + (_MOST - _LEAST) * chance[:, 1]
    ranks = along.argsort(dim=1, descending=True).argsort(dim=1)
    some = torch.rand(people, generator=generator) < share
    anchors = (ranks < kept[:, None] * len(points)) & some[:, None]
    return Given(anchors.to(positions.device), (some & (chance[:, 2] < _SHAPE_TOO)).to(positions.device))
