"""Parts of a person that the flow is given as they are, without noise: how edits and completions are learned.

What is put back at each step with that step's noise (the usual way to inpaint) says little while colours are decided:
at high noise levels. What is given clean says it at all levels.
"""

from dataclasses import dataclass

import torch

from lca_shared.tensors import Bool, Float, Tensor

_LEAST, _MOST = 0.15, 0.85
"""Share of the anchors on one side of a plane, or outside of a slab."""
_SHAPE_TOO = 0.7
"""Of the people with given anchors, those whose body shape is given as well."""
_CHANGED = 0.35
"""Probability that a part of the body is not given, each on its own."""


@dataclass(frozen=True)
class Given:
    """What is clean of each person."""

    anchors: Bool[Tensor, "people anchors"]
    shape: Bool[Tensor, "people"]
    guesses: Float[Tensor, "people anchors latent"] | None = None
    """What LCA made of anchors that its pictures did not show, normalised: a hint, not what is to be."""
    guessed: Bool[Tensor, "people anchors"] | None = None
    """Where ``guesses`` are given."""

    def twice(self) -> "Given":
        """The same people again behind themselves."""
        return Given(*(None if part is None else torch.cat([part, part]) for part in vars(self).values()))  # type: ignore[arg-type]


@dataclass(frozen=True)
class OtherViews:
    """The same people made of other pictures."""

    latents: Float[Tensor, "people anchors latent"]
    """Normalised; of anchors that are not valid anything."""
    valid: Bool[Tensor, "people anchors"]
    """Nowhere = there are no other pictures of the person."""
    guesses: Float[Tensor, "people anchors latent"]
    """Of all anchors, with what LCA made of those that are not valid."""

    def to(self, device: torch.device | str) -> "OtherViews":
        """On another device."""
        return OtherViews(self.latents.to(device), self.valid.to(device), self.guesses.to(device))


def drawn_given(
    positions: Float[Tensor, "anchors 3"],
    people: int,
    share: float,
    generator: torch.Generator | None = None,
    parts: Bool[Tensor, "parts anchors"] | None = None,
    others: Bool[Tensor, "people anchors"] | None = None,
) -> tuple[Given, Bool[Tensor, "people"]]:
    """Some of the people are given some of their anchors, in one of three ways:

    - half of them what other pictures of them show, as these tell it: completing an avatar;
    - a quarter whole parts of the body but some: an edit;
    - a quarter what lies on one side of a random plane through the body, or outside of a slab.

    Args:
        positions: points of the anchors, metres.
        people: how many.
        share: of the people who are given anything.
        generator: of the draws (CPU).
        parts: anchors of each part of the body; None = nobody is given whole parts.
        others: anchors that other pictures of each person show; a plane takes the place of no such pictures. None =
            there are none of anybody.

    Returns:
        What is given, and whose comes from other pictures.
    """
    chance = torch.rand(people, 4, generator=generator)
    some, way = torch.rand(people, generator=generator) < share, chance[:, 3]
    anchors = planes(positions, chance, generator)
    if parts is not None:
        changed = torch.rand(people, len(parts), generator=generator) < _CHANGED
        changed[torch.arange(people), torch.randint(len(parts), (people,), generator=generator)] = True
        whole = ~((changed.float() @ parts.cpu().float()) > 0)
        anchors = torch.where(((way > 1 / 2) & (way < 3 / 4))[:, None], whole, anchors)
    elsewhere = torch.zeros(people, dtype=torch.bool)
    if others is not None:
        elsewhere = some & (way < 1 / 2) & others.any(dim=1).cpu()
        anchors = torch.where(elsewhere[:, None], others.cpu(), anchors)
    given = Given(
        (anchors & some[:, None]).to(positions.device), (some & (chance[:, 2] < _SHAPE_TOO)).to(positions.device)
    )
    return given, elsewhere.to(positions.device)


def planes(
    positions: Float[Tensor, "anchors 3"], chance: Float[Tensor, "people n"], generator: torch.Generator | None = None
) -> Bool[Tensor, "people anchors"]:
    """One side of a random plane through the body, or what lies outside of a slab.

    Planes look in any direction: as pictures from one side would show a person, or above and below the waist.

    Args: points of the anchors, metres; numbers between 0 and 1: the first says which of the two, the second how many
        anchors; of the planes (CPU).
    """
    people, points = len(chance), positions.cpu() - positions.cpu().mean(dim=0)
    points = points / points.std(dim=0).clamp(min=1e-6)
    direction = torch.randn(people, 3, generator=generator)
    along = points @ torch.nn.functional.normalize(direction, dim=-1).mT
    middle = along[torch.randint(len(points), (people,), generator=generator), torch.arange(people)]
    along = torch.where(chance[:, 0] < 0.5, along, (along - middle).abs()).mT
    kept = _LEAST + (_MOST - _LEAST) * chance[:, 1]
    ranks = along.argsort(dim=1, descending=True).argsort(dim=1)
    return ranks < kept[:, None] * len(points)
