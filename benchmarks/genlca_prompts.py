"""How much of a person a prompt tells a generator, before anything is sampled: ``python -m benchmarks.genlca_prompts
--pipeline GENLCA_RUN --latents LATENTS --tokens TOKENS``.

At noise level 1 nothing is seen but noise, and the model's velocity is its guess of the mean of all people whom the
prompt fits. The share of the variance over people of each region's mean latents that this guess explains is what
training has made of prompts: 1 is all, 0 is the mean person, less is worse than that. For training people, for held-out
people, for these with each other's captions, and with none. Beside it: ridge regression from the exact attributes,
learned from the same training people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from benchmarks.machine import describe
from genlca_method.evaluation.attributes import words
from genlca_method.evaluation.looks import REGIONS, anchor_regions
from genlca_method.latents.training import load_autoencoder
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.format import SampleInfo
from genlca_method.tokens.shards import TokenShards
from genlca_method.training.people import FlowPeople
from genlca_method.transformer.flow import TIMESTEPS
from lca_shared.tensors import Bool, Float, Int, Tensor

_TOGETHER = 32
_RIDGE = 2.0
_LEAST_ANCHORS = 4
"""Seen anchors of a region without which a person does not count there."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    pipeline: str
    latents: Path
    tokens: Path
    training_people: int = 100
    draws: int = 4
    """Of noise, per person."""


def regional(
    latents: Float[Tensor, "people anchors latent"], valid: Bool[Tensor, "people anchors"], regions: Tensor
) -> Float[Tensor, "people regions latent"]:
    """Means over the valid anchors of each region."""
    found = []
    for region in range(len(REGIONS)):
        weights = (valid & (regions == region)).float()[..., None]
        found.append((latents * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1))
    return torch.stack(found, dim=1)


def guessed(
    made: GenLCAPipeline, people: FlowPeople, rows: Sequence[int], captions: Sequence[str], regions: Tensor, draws: int
) -> Float[Tensor, "people regions latent"]:
    """What the model makes of noise alone and a caption, at once."""
    generator, found = torch.Generator().manual_seed(0), []
    for begin in range(0, len(rows), _TOGETHER):
        some = captions[begin : begin + _TOGETHER]
        conditions, mean = made.conditioner(some, [{}] * len(some)), torch.zeros(())
        for _ in range(draws):
            noise = torch.randn(len(some), *people.latents.shape[1:], generator=generator)
            shape = torch.randn(len(some), people.data.shapes.shape[1], generator=generator)
            velocity, _ = made.transformer(noise, shape, torch.full((len(some),), float(TIMESTEPS)), conditions)
            mean = mean + (noise - velocity) / draws
        found.append(mean)
    return regional(torch.cat(found), people.data.valid[list(rows)], regions)


def facts(info: SampleInfo) -> set[tuple[str, str]]:
    """Attributes of a person, each a word."""
    garments = info.attributes["garments"]
    known = {(name, word) for name, word in words(info.attributes).items()}
    known |= {("hair style", info.attributes["hair"]["style"])} | {("garment", one["name"]) for one in garments}
    return known | {(f"second colour of {one['name']}", one["colors"][-1]) for one in garments}


def explained(guess: Tensor, truth: Tensor, counts: Bool[Tensor, "people regions"], mean: Tensor) -> list[float]:
    """Shares of the variance, by region."""
    left = ((guess - truth).square().sum(dim=-1) * counts).sum(dim=0)
    return (1 - left / ((mean - truth).square().sum(dim=-1) * counts).sum(dim=0)).tolist()


@torch.no_grad()
def main(options: Options) -> None:
    """Print the table."""
    made, autoencoder = load_pipeline(options.pipeline), load_autoencoder(options.latents)
    shards, regions = TokenShards(options.tokens), anchor_regions(made.decoder)
    train, test = (FlowPeople.open(shards, (split,), autoencoder) for split in ("train", "test"))
    told = [[shards.sample_info(index) for index in people.data.indices] for people in (train, test)]
    truths = [regional(people.latents, people.data.valid, regions) for people in (train, test)]
    counts = [enough(people.data.valid, regions) for people in (train, test)]
    mean = (truths[0] * counts[0][..., None]).sum(dim=0) / counts[0].sum(dim=0)[:, None]
    names = sorted(set().union(*(facts(info) for info in told[0])))
    given = [torch.tensor([[float(name in facts(info)) for name in names] + [1.0] for info in some]) for some in told]
    linear = torch.stack(
        [ridge(given[0][counts[0][:, r]], truths[0][counts[0][:, r], r] - mean[r], given[1]) for r in range(len(mean))],
        dim=1,
    )
    rows = range(0, len(train), max(1, len(train) // options.training_people))
    captions = [info.caption for info in told[1]]
    half, everybody = len(captions) // 2, range(len(test))
    columns = {
        "exact attributes, ridge": explained(linear + mean, truths[1], counts[1], mean),
        "training people": explained(
            guessed(made, train, rows, [told[0][row].caption for row in rows], regions, options.draws),
            truths[0][list(rows)], counts[0][list(rows)], mean,
        ),
    }  # fmt: skip
    for name, said in (
        ("held-out people", captions),
        ("with others' captions", [*captions[half:], *captions[:half]]),
        ("without captions", [""] * len(captions)),
    ):
        guess = guessed(made, test, everybody, said, regions, options.draws)
        columns[name] = explained(guess, truths[1], counts[1], mean)
    print(f"{len(rows)} samples of training people, {len(test)} of held-out ones. {describe()}\n")
    print("| region | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|")
    for number, region in enumerate(REGIONS):
        print(f"| {region} | " + " | ".join(f"{values[number]:.2f}" for values in columns.values()) + " |")


def enough(valid: Bool[Tensor, "people anchors"], regions: Int[Tensor, "anchors"]) -> Bool[Tensor, "people regions"]:
    """Whose regions are seen."""
    seen = [(valid & (regions == region)).sum(dim=1) >= _LEAST_ANCHORS for region in range(len(REGIONS))]
    return torch.stack(seen, dim=1)


def ridge(given: Tensor, truth: Tensor, asked: Tensor) -> Tensor:
    """Of some rows learned, of others answered."""
    square = given.mT @ given + _RIDGE * torch.eye(given.shape[1])
    return asked @ torch.linalg.solve(square, given.mT @ truth)


if __name__ == "__main__":
    main(tyro.cli(Options))
