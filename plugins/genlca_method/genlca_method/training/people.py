"""People as latents, drawn step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.latents.token_data import TokenData, token_data
from genlca_method.tokens.captions import sentence
from genlca_method.tokens.format import SampleInfo
from genlca_method.tokens.parts import SCRIBBLES
from genlca_method.tokens.scribbles import scribble
from genlca_method.tokens.several import AnyShards
from genlca_method.transformer.given import OtherViews
from lca_method.sampling import step_generator
from lca_shared.tensors import Bool, Float, Tensor

_ENCODED_TOGETHER = 16
KEPT = 4096
"""Samples whose pictures stay in memory."""


@dataclass(frozen=True)
class FlowBatch:
    """Some people of a step."""

    latents: Float[Tensor, "people anchors latent"]
    """Normalised."""
    valid: Bool[Tensor, "people anchors"]
    shapes: Float[Tensor, "people coefficients"]
    """Coefficients of the body model."""
    captions: tuple[str, ...]
    pictures: tuple[dict[str, Tensor], ...]
    """Of parts, sRGB 0..1."""
    infos: tuple[SampleInfo, ...]
    others: OtherViews
    """The same people made of other pictures."""

    def to(self, device: torch.device | str) -> "FlowBatch":
        """With latents, validity and shapes on another device."""
        latents, valid, shapes = self.latents.to(device), self.valid.to(device), self.shapes.to(device)
        return replace(self, latents=latents, valid=valid, shapes=shapes, others=self.others.to(device))


@dataclass(frozen=True)
class FlowPeople:
    """All samples of some splits as latents in memory; pictures are read when they are drawn, and the first
    :data:`KEPT` stay in memory."""

    shards: AnyShards
    data: TokenData
    latents: Float[Tensor, "samples anchors latent"]
    guesses: Float[Tensor, "samples anchors latent"]
    """The same with what LCA made of anchors that are not valid."""
    _kept: dict[int, tuple[SampleInfo, dict[str, Tensor]]] = field(default_factory=dict, repr=False)

    @staticmethod
    @torch.no_grad()
    def open(
        shards: AnyShards, splits: Sequence[str], autoencoder: TokenAutoencoder, hidden: bool = True
    ) -> "FlowPeople":
        """Encode the samples of people in some splits.

        Args: shards; splits; the autoencoder; whether it is told what is not valid (False is an ablation).

        Raises:
            UserError: there are none, or one is broken.
        """
        data, device = token_data(shards, splits), autoencoder.device
        told = data.valid if hidden else torch.ones_like(data.valid)

        def encoded(valid: Bool[Tensor, "samples anchors"]) -> Float[Tensor, "samples anchors latent"]:
            parts = zip(data.vectors.split(_ENCODED_TOGETHER), valid.split(_ENCODED_TOGETHER))
            return torch.cat([autoencoder.encode(one.to(device), seen.to(device)).cpu() for one, seen in parts])

        return FlowPeople(shards, data, encoded(told), encoded(torch.ones_like(data.valid)))

    def __len__(self) -> int:
        return len(self.latents)

    @cached_property
    def same_person(self) -> tuple[tuple[int, ...], ...]:
        """Of each row, the other rows of the same person."""
        people = [self.shards.person(index) for index in self.data.indices]
        rows: dict[tuple[Path, str], list[int]] = {}
        for row, person in enumerate(people):
            rows.setdefault(person, []).append(row)
        return tuple(tuple(other for other in rows[person] if other != row) for row, person in enumerate(people))

    def shape_statistics(self) -> tuple[Float[Tensor, "coefficients"], Float[Tensor, "coefficients"]]:
        """Mean and deviation of each coefficient; of a single sample the deviation is 1."""
        shapes = self.data.shapes
        deviation = shapes.std(dim=0) if len(shapes) > 1 else torch.ones(shapes.shape[1])
        return shapes.mean(dim=0), deviation

    def drawn(
        self, seed: int, step: int, slots: range, said: float = 1.0, scribbled: float = 0.0, shifted: float = 0.0
    ) -> FlowBatch:
        """The samples in some slots of a step: what a slot holds depends on seed, step and slot alone, so that several
        devices see together what one would have seen.

        Args: seed; step; slots; probability of each clause in half of the captions that are made from attributes (below
            1 their clauses also come in any order, so that none is learnt by heart); probability that a line drawing
            takes the place of a part's picture; how far pictures are moved and scaled at most, a share of their side.
        """
        generators = [step_generator(seed, step, slot) for slot in slots]
        rows = [int(generator.integers(len(self))) for generator in generators]
        others = [_one_of(self.same_person[row], generator) for row, generator in zip(rows, generators)]
        batch = self.batch(rows, others)
        if shifted > 0.0:
            batch = replace(batch, pictures=tuple(moved(g, shifted, r) for g, r in zip(batch.pictures, generators)))
        if scribbled > 0.0:
            pictures = tuple(
                {
                    SCRIBBLES[name] if drawing else name: scribble(picture) if drawing else picture
                    for name, picture in given.items()
                    for drawing in [bool(generator.random() < scribbled)]
                }
                for given, generator in zip(batch.pictures, generators)
            )
            batch = replace(batch, pictures=pictures)
        if said >= 1.0:
            return batch
        captions = [
            _told(info, said if generator.random() < 0.5 else 1.0, generator)
            if info.attributes and info.caption
            else info.caption
            for info, generator in zip(batch.infos, generators)
        ]
        return replace(batch, captions=tuple(captions))

    def batch(self, rows: Sequence[int], others: Sequence[int | None] | None = None) -> FlowBatch:
        """Some samples.

        Args: which; of each the row that shows the same person in other pictures, if one is wanted and there.
        """
        samples = [self._conditions(row) for row in rows]
        elsewhere = [None] * len(rows) if others is None else others
        there = torch.tensor([other is not None for other in elsewhere])
        other_rows = [row if other is None else other for row, other in zip(rows, elsewhere)]
        return FlowBatch(
            self.latents[list(rows)],
            self.data.valid[list(rows)],
            self.data.shapes[list(rows)],
            tuple(info.caption for info, _ in samples),
            tuple({name: picture.float() / 255 for name, picture in pictures.items()} for _, pictures in samples),
            tuple(info for info, _ in samples),
            OtherViews(
                self.latents[other_rows], self.data.valid[other_rows] & there[:, None], self.guesses[other_rows]
            ),
        )

    def _conditions(self, row: int) -> tuple[SampleInfo, dict[str, Tensor]]:
        if row in self._kept:
            return self._kept[row]
        sample = self.shards[self.data.indices[row]]
        found = sample.info, {name: (255 * picture).round().byte() for name, picture in sample.pictures.items()}
        if len(self._kept) < KEPT:
            self._kept[row] = found
        return found


def _told(info: SampleInfo, said: float, generator: np.random.Generator) -> str:
    """A person's attributes in words, some of them, in any order."""

    def ordered(words: list[str]) -> list[str]:
        return [words[index] for index in generator.permutation(len(words))]

    return sentence(info.attributes, lambda: bool(generator.random() < said), ordered)


def _one_of(rows: Sequence[int], generator: np.random.Generator) -> int | None:
    return rows[int(generator.integers(len(rows)))] if rows else None


def moved(pictures: dict[str, Tensor], most: float, generator: np.random.Generator) -> dict[str, Tensor]:
    """Pictures of parts on white, each scaled and shifted a little: nobody's are cut alike."""
    if not pictures:
        return pictures
    found, draws = {}, torch.from_numpy(generator.uniform(-most, most, (len(pictures), 3))).float()
    for (name, picture), draw in zip(pictures.items(), draws):
        affine = torch.cat([(1 + draw[:1]).expand(2).diag(), 2 * draw[1:, None]], dim=1)[None]
        grid = torch.nn.functional.affine_grid(affine, [1, *picture.shape], align_corners=False)
        found[name] = 1 + torch.nn.functional.grid_sample(picture[None] - 1, grid, align_corners=False)[0]
    return found
