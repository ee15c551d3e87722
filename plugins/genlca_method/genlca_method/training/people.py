"""People as latents, drawn step by step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.latents.token_data import TokenData, token_data
from genlca_method.tokens.format import SampleInfo
from genlca_method.tokens.shards import TokenShards
from lca_method.sampling import step_generator
from lca_shared.tensors import Bool, Float, Tensor

_ENCODED_TOGETHER = 16


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

    def to(self, device: torch.device | str) -> "FlowBatch":
        """With latents, validity and shapes on another device."""
        latents, valid, shapes = self.latents.to(device), self.valid.to(device), self.shapes.to(device)
        return replace(self, latents=latents, valid=valid, shapes=shapes)


@dataclass(frozen=True)
class FlowPeople:
    """All samples of some splits as latents in memory; pictures are read when they are drawn."""

    shards: TokenShards
    data: TokenData
    latents: Float[Tensor, "samples anchors latent"]

    @staticmethod
    @torch.no_grad()
    def open(shards: TokenShards, splits: Sequence[str], autoencoder: TokenAutoencoder) -> "FlowPeople":
        """Encode the samples of people in some splits.

        Raises:
            UserError: there are none, or one is broken.
        """
        data, device = token_data(shards, splits), autoencoder.device
        parts = zip(data.vectors.split(_ENCODED_TOGETHER), data.valid.split(_ENCODED_TOGETHER))
        latents = [autoencoder.encode(vectors.to(device), valid.to(device)).cpu() for vectors, valid in parts]
        return FlowPeople(shards, data, torch.cat(latents))

    def __len__(self) -> int:
        return len(self.latents)

    def shape_statistics(self) -> tuple[Float[Tensor, "coefficients"], Float[Tensor, "coefficients"]]:
        """Mean and deviation of each coefficient; of a single sample the deviation is 1."""
        shapes = self.data.shapes
        deviation = shapes.std(dim=0) if len(shapes) > 1 else torch.ones(shapes.shape[1])
        return shapes.mean(dim=0), deviation

    def drawn(self, seed: int, step: int, slots: range) -> FlowBatch:
        """The samples in some slots of a step: what a slot holds depends on seed, step and slot alone, so that several
        devices see together what one would have seen."""
        return self.batch([int(step_generator(seed, step, slot).integers(len(self))) for slot in slots])

    def batch(self, rows: Sequence[int]) -> FlowBatch:
        """Some samples."""
        samples = [self.shards[self.data.indices[row]] for row in rows]
        return FlowBatch(
            self.latents[list(rows)],
            self.data.valid[list(rows)],
            self.data.shapes[list(rows)],
            tuple(sample.info.caption for sample in samples),
            tuple(dict(sample.pictures) for sample in samples),
            tuple(sample.info for sample in samples),
        )
