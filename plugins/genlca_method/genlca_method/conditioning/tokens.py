"""Conditions as feature vectors, with what is there of each kind."""

from dataclasses import dataclass, fields, replace

import torch

from genlca_method.tokens.parts import PICTURES
from lca_shared.tensors import Bool, Float, Int, Tensor

MODALITIES = ("text", *PICTURES)
"""Each may be given or left out on its own; each has a learned vector that marks its tokens."""


@dataclass(frozen=True)
class ConditionTokens:
    """Texts and pictures of parts of some people."""

    text: Float[Tensor, "people words text"]
    text_seen: Bool[Tensor, "people words"]
    """False = no such token: nothing attends to it."""
    image: Float[Tensor, "people patches image"]
    image_seen: Bool[Tensor, "people patches"]
    image_modality: Int[Tensor, "people patches"]
    """Index into :data:`MODALITIES`."""

    @property
    def text_modality(self) -> Int[Tensor, "people words"]:
        """Index into :data:`MODALITIES`."""
        return torch.zeros(self.text_seen.shape, dtype=torch.long, device=self.text_seen.device)

    def __len__(self) -> int:
        return len(self.text)

    def __getitem__(self, index: slice | Tensor | list[int]) -> "ConditionTokens":
        """Some of the people."""
        return ConditionTokens(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def to(self, device: torch.device | str) -> "ConditionTokens":
        """On another device."""
        return ConditionTokens(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def without(self, modality: Bool[Tensor, "people modalities"]) -> "ConditionTokens":
        """Without those of :data:`MODALITIES` of each person that are True."""
        text_seen = self.text_seen & ~modality[:, :1]
        return replace(self, text_seen=text_seen, image_seen=self.image_seen & ~modality.gather(1, self.image_modality))

    def closed_up(self) -> "ConditionTokens":
        """The same without what nobody of these people has: of each, pictures' tokens that are there come first, and
        the rest is cut."""
        order = (~self.image_seen).to(torch.uint8).argsort(dim=1, stable=True)
        order = order[:, : int(self.image_seen.sum(dim=1).amax())]
        said = self.text_seen.any(dim=0).nonzero()
        words = int(said.max()) + 1 if len(said) else 0
        return ConditionTokens(
            self.text[:, :words],
            self.text_seen[:, :words],
            self.image.take_along_dim(order[..., None], dim=1),
            self.image_seen.gather(1, order),
            self.image_modality.gather(1, order),
        )

    def nothing(self) -> "ConditionTokens":
        """The same shapes with nothing said or shown: what guidance starts from."""
        return replace(self, text_seen=torch.zeros_like(self.text_seen), image_seen=torch.zeros_like(self.image_seen))


def together(conditions: list[ConditionTokens]) -> ConditionTokens:
    """Conditions of several groups of people as one; shorter ones are filled up with tokens that are not there."""

    def joined(name: str) -> Tensor:
        values = [getattr(one, name) for one in conditions]
        longest = max(value.shape[1] for value in values)
        filled = []
        for value in values:
            more = value.new_zeros(len(value), longest - value.shape[1], *value.shape[2:])
            filled.append(torch.cat([value, more], dim=1))
        return torch.cat(filled)

    return ConditionTokens(**{f.name: joined(f.name) for f in fields(ConditionTokens)})


def dropped(
    conditions: ConditionTokens,
    rate: float,
    all_rate: float,
    generator: torch.Generator | None = None,
    pictures_rate: float = 0.0,
    alone_rate: float = 0.0,
) -> ConditionTokens:
    """Leave out modalities of some people, so that each is learned by itself and together with others.

    Args:
        conditions: of people.
        rate: probability that a modality of a person is left out, each on its own.
        all_rate: that everything is, for classifier-free guidance.
        generator: of the choice.
        pictures_rate: that all pictures are; else texts would hardly ever stand alone.
        alone_rate: that the text of a person with pictures is, and as often each of these pictures; else pictures, and
            one picture, would hardly ever stand alone.
    """
    people = len(conditions)
    left_out = torch.rand(people, len(MODALITIES), generator=generator) < rate
    left_out[:, 1:] |= torch.rand(people, 1, generator=generator) < pictures_rate
    if alone_rate:
        has_pictures = (~left_out[:, 1:]).any(dim=1, keepdim=True)
        left_out |= has_pictures & (torch.rand(people, len(MODALITIES), generator=generator) < alone_rate)
    left_out |= torch.rand(people, 1, generator=generator) < all_rate
    return conditions.without(left_out.to(conditions.text_seen.device))
