"""What visibility-aware training is for: three trainings from scratch on people filmed mostly from the front, and what
the backs of their people look like.

    python -m benchmarks.genlca_ablation --tokens TOKENS --latents LATENTS --pipeline GENLCA_RUN --output-dir OUT

The pipeline is asked for its decoder alone. Training sees the samples whose backs are shown least in comparison with
their fronts (``--share`` of all). "Rarely seen" are the quarter of the anchors that the fewest of them show. A guess of
LCA where no picture shows anything is flat and alike for everybody, and stays so after the autoencoder:

- *contrast*: difference between the colours of an anchor and of its six nearest, of each person;
- *variety*: deviation of an anchor's colour over people;
- *opacity* of the picture where opaque discs at those anchors would show, and *sharpness*, the change of colour from
  pixel to pixel there.

Colours are means over an anchor's Gaussians, as distances in RGB. The first rows are tokens of held-out people after
the autoencoder, at the same anchors, where pictures showed them and where none did. Errors are jackknifes over people;
one training each. Nothing guides the sampling, so that people may be compared with data. Trained models are kept in
the output folder and taken from there by a later run.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from diffusers import FlowMatchEulerDiscreteScheduler

from benchmarks.machine import describe
from genlca_method.conditioning.encoders import Conditioner, tiny_conditioning
from genlca_method.conditioning.tokens import MODALITIES, dropped
from genlca_method.latents.rendering import cameras_at
from genlca_method.latents.token_data import TokenData, token_data
from genlca_method.latents.training import load_autoencoder
from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.shards import TokenShards
from genlca_method.training.people import FlowPeople
from genlca_method.transformer.flow import flow_losses, shift_for
from genlca_method.transformer.flow_config import FlowConfig
from genlca_method.transformer.mmdit import GenLCATransformer
from genlca_method.transformer.sizes import SIZES
from lca_dataparsers.pictures import write_picture
from lca_method.avatar.avatar import Avatar
from lca_shared.rendering import rasterize
from lca_shared.tensors import Bool, Float, Int, Tensor

WAYS = {
    "learned placeholder + masked loss": FlowConfig(given=0.0),
    "masked loss alone": FlowConfig(placeholder=False, given=0.0),
    "no visibility handling": FlowConfig(placeholder=False, masked_loss=False, given=0.0),
}
_SIZE = 96
_SHOWN = 6
"""People of each row of the sheet, from in front and behind."""


@dataclass(frozen=True)
class Options:
    """Where things are and how long to train."""

    tokens: Path
    latents: Path
    pipeline: str
    output_dir: Path
    share: float = 1 / 3
    steps: int = 1000
    batch: int = 8
    people: int = 40
    sampling_steps: int = 24


def trained(config: FlowConfig, people: FlowPeople, positions: Tensor, options: Options) -> GenLCATransformer:
    """A tiny transformer after some steps; the same draws for all ways."""
    torch.manual_seed(0)
    conditioner, size = Conditioner.build(tiny_conditioning()), SIZES["tiny"]
    channels = conditioner.text.channels, conditioner.image.channels
    model = GenLCATransformer(
        len(positions), 8, people.data.shapes.shape[1], *channels, size.width, size.layers, size.heads, size.mlp_ratio,
        patch=size.patch, modalities=len(MODALITIES),
    )  # fmt: skip
    model.set_template(positions)
    model.set_shape_statistics(*people.shape_statistics())
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    for step in range(options.steps):
        rate = min((step + 1) / 20, 0.5 + 0.5 * math.cos(math.pi * step / options.steps))
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * rate
        batch = people.drawn(0, step, range(options.batch), said=0.5)
        given = dropped(conditioner(batch.captions, [{}] * options.batch), 0.1, 0.1)
        losses = flow_losses(model, batch.latents, model.normalised_shape(batch.shapes), batch.valid, given, config)
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return model.eval()


@dataclass(frozen=True)
class Seen:
    """Some avatars."""

    colors: Float[Tensor, "people anchors 3"]
    drawn: list[Avatar]

    @staticmethod
    def of(avatars: list[Avatar], anchors: int) -> "Seen":
        """At rest."""
        driven = [avatar.drive(avatar.rest_pose).colors for avatar in avatars]
        return Seen(torch.stack([colors.unflatten(0, (anchors, -1)).mean(dim=1) for colors in driven]), avatars)


Statistic = Callable[[Tensor], Tensor]
"""Of the rows of some people."""


def contrast(seen: Seen, near: Int[Tensor, "anchors near"], where: Bool[Tensor, "people anchors"]) -> Statistic:
    """Of the people in some rows: the mean over anchors of the mean over people ``where`` they count."""
    apart = (seen.colors[:, near] - seen.colors[:, :, None]).norm(dim=-1).mean(dim=-1)

    def of(rows: Tensor) -> Tensor:
        weights = where[rows].float()
        each = (apart[rows] * weights).sum(dim=0) / weights.sum(dim=0)
        return each[weights.sum(dim=0) > 0].mean()

    return of


def variety(seen: Seen, where: Bool[Tensor, "people anchors"]) -> Statistic:
    """Of the people in some rows: the root of the mean variance at anchors where several people count."""

    def of(rows: Tensor) -> Tensor:
        weights = where[rows].float()[..., None]
        count = weights.sum(dim=0)
        mean = (seen.colors[rows] * weights).sum(dim=0) / count.clamp(min=1)
        variance = ((seen.colors[rows] - mean).square() * weights).sum(dim=(0, 2)) / (count[:, 0] - 1).clamp(min=1)
        return variance[count[:, 0] > 2].mean().sqrt()

    return of


def with_error(statistic: Statistic, people: int, digits: int = 3) -> str:
    """A statistic of all people, with its jackknifed error."""
    every = torch.arange(people)
    without = torch.stack([statistic(every[every != one]) for one in range(people)])
    error = ((people - 1) / people * (without - without.mean()).square().sum()).sqrt()
    return f"{float(statistic(every)):.{digits}f} ± {float(error):.{digits}f}"


def drawn_there(seen: Seen, anchors: Bool[Tensor, "people anchors"], decoder: LCADecoder) -> tuple[str, str]:
    """Opacity and sharpness of the pixels where opaque discs at some anchors show, in front and behind."""
    cameras, totals = cameras_at(torch.tensor([0.0, math.pi]), _SIZE), torch.zeros(4)
    for avatar, some in zip(seen.drawn, anchors):
        gaussians = avatar.drive(avatar.rest_pose)
        discs = replace(
            gaussians,
            means=avatar.body.template_vertices,
            scales=decoder.lca.initial_scales.expand_as(gaussians.scales).clamp(min=0.01),
            opacities=torch.full_like(gaussians.opacities, 0.99),
            colors=some.float().repeat_interleave(avatar.networks.gaussians_per_token)[:, None],
        )
        where = (rasterize(discs, cameras).colors[:, :1] > 0.5).float()
        drawn = rasterize(gaussians, cameras)
        colors = drawn.colors / drawn.alpha.clamp(min=0.05)
        down, across = colors.diff(dim=-2)[..., :-1].abs(), colors.diff(dim=-1)[..., :-1, :].abs()
        change, inner = (down + across).mean(dim=1, keepdim=True), where[..., :-1, :-1]
        totals += torch.stack([(drawn.alpha * where).sum(), where.sum(), (change * inner).sum(), inner.sum()])
    return f"{float(totals[0] / totals[1]):.3f}", f"{float(totals[2] / totals[3]):.3f}"


def row(name: str, seen: Seen, near: Tensor, where: Bool[Tensor, "people anchors"], decoder: LCADecoder) -> str:
    """Of a table."""
    people = len(seen.drawn)
    cells = [with_error(contrast(seen, near, where), people), with_error(variety(seen, where), people)]
    return f"| {name} | " + " | ".join([*cells, *drawn_there(seen, where, decoder), str(people)]) + " |"


def shares(seen: Seen, near: Tensor, rare: Bool[Tensor, "anchors"]) -> tuple[Statistic, Statistic]:
    """Contrast and variety at rarely seen anchors over those at the others."""
    people = len(seen.drawn)
    there, elsewhere = rare.expand(people, -1), ~rare.expand(people, -1)
    contrasts, varieties = (
        [contrast(seen, near, some) for some in (there, elsewhere)],
        [variety(seen, some) for some in (there, elsewhere)],
    )
    return (lambda rows: contrasts[0](rows) / contrasts[1](rows)), (
        lambda rows: varieties[0](rows) / varieties[1](rows)
    )


def front_and_back(avatar: Avatar) -> Float[Tensor, "3 h w"]:
    """On white, side by side."""
    drawn = avatar.render(cameras_at(torch.tensor([0.0, math.pi]), _SIZE), avatar.rest_pose, background=torch.ones(3))
    return torch.cat(list(drawn.colors.clamp(0, 1)), dim=-1)


def filmed_from_the_front(people: FlowPeople, positions: Float[Tensor, "anchors 3"], share: float) -> FlowPeople:
    """The samples whose backs are shown least in comparison with their fronts (-y on the template)."""
    data, behind = people.data, positions[:, 1] > positions[:, 1].median()
    shown = data.valid.float()
    rows = (shown[:, behind].mean(dim=1) - shown[:, ~behind].mean(dim=1)).argsort()
    rows = rows[: max(1, round(share * len(people)))]
    some = TokenData(data.vectors[rows], data.valid[rows], data.shapes[rows], tuple(data.indices[i] for i in rows))
    return FlowPeople(people.shards, some, people.latents[rows], people.guesses[rows])


def generated(model: GenLCATransformer, decoder: GenLCAPipeline, captions: list[str], options: Options) -> list[Avatar]:
    """A person of each caption, from the same noise for all ways."""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift_for(model.config["anchors"]))
    pipeline = GenLCAPipeline(model, decoder.autoencoder, decoder.decoder, scheduler)
    pipeline.set_progress_bar_config(disable=True)
    pipeline._conditioner = Conditioner.build(tiny_conditioning())
    return pipeline(captions, None, options.sampling_steps, 1.0, 1, torch.Generator().manual_seed(0)).avatars


def kept_or_trained(
    name: str, config: FlowConfig, people: FlowPeople, positions: Tensor, options: Options
) -> GenLCATransformer:
    """Of an earlier run with as many steps and people, or trained now."""
    words = name.replace(" + ", " ").replace(" ", "-")
    folder = options.output_dir / f"{words}-{len(people)}-people-{options.steps}-steps"
    if not folder.exists():
        with torch.enable_grad():
            model = trained(config, people, positions, options)
        model.save_pretrained(folder.with_name("writing"))
        folder.with_name("writing").rename(folder)
    return GenLCATransformer.from_pretrained(folder, low_cpu_mem_usage=False).eval()


@torch.no_grad()
def compared(options: Options) -> None:
    """Train, generate, print the tables, write a sheet."""
    options.output_dir.mkdir(parents=True, exist_ok=True)
    shards, autoencoder = TokenShards(options.tokens), load_autoencoder(options.latents)
    positions, pipeline = autoencoder.positions, load_pipeline(options.pipeline)
    pipeline.autoencoder = autoencoder
    told, untold = (
        filmed_from_the_front(FlowPeople.open(shards, ("train",), autoencoder, hidden), positions, options.share)
        for hidden in (True, False)
    )
    often = told.data.valid.float().mean(dim=0)
    rare = often <= often.quantile(0.25)
    near = torch.cdist(positions, positions).topk(7, largest=False).indices[:, 1:]
    print(f"{len(told)} training samples; rarely seen anchors: shown by {float(often[rare].mean()):.2f} of them, the")
    print(f"others by {float(often[~rare].mean()):.2f}. {options.steps} steps of {options.batch}. {describe()}")
    print("\n| | contrast | variety | opacity | sharpness | people |\n|---|---|---|---|---|---|")
    held_out = token_data(shards, ("test",))
    tokens = autoencoder(held_out.vectors, torch.ones_like(held_out.valid))
    anchors = len(positions)
    real = Seen.of([pipeline.decoder.avatar(*one) for one in zip(tokens, held_out.shapes)], anchors)
    for known, name in ((held_out.valid, "seen here"), (~held_out.valid, "not seen here")):
        print(row(f"data, rarely seen anchors, {name}", real, near, known & rare, pipeline.decoder))
    print(row("data, other anchors, seen here", real, near, held_out.valid & ~rare, pipeline.decoder), flush=True)
    infos = [shards.sample_info(index) for index in held_out.indices]
    captions = list(dict.fromkeys(info.caption for info in infos))[: options.people]
    best = held_out.valid.sum(dim=1).argsort(descending=True)[: min(_SHOWN, len(captions))]
    cells, found = [torch.cat([front_and_back(real.drawn[i]) for i in best], dim=-1)], {}
    for name, config in WAYS.items():
        model = kept_or_trained(name, config, told if config.masked_loss else untold, positions, options)
        made = Seen.of(generated(model, pipeline, captions, options), anchors)
        for some, which in ((rare, "rarely seen"), (~rare, "other")):
            print(row(f"{name}, {which} anchors", made, near, some.expand(len(captions), -1), pipeline.decoder))
        found[name] = shares(made, near, rare)
        cells.append(torch.cat([front_and_back(avatar) for avatar in made.drawn[:_SHOWN]], dim=-1))
    print(
        "\n| rarely seen over other anchors | contrast | against none | variety | against none |\n|---|---|---|---|---|"
    )
    *_, none = found.values()
    for name, measures in found.items():
        pairs = [
            (with_error(one, len(captions)), with_error(lambda rows, a=one, b=base: a(rows) - b(rows), len(captions)))
            for one, base in zip(measures, none)
        ]
        print(f"| {name} | " + " | ".join(cell for pair in pairs for cell in pair) + " |")
    picture = torch.cat(cells, dim=-2).movedim(0, -1)
    write_picture((picture * 255).round().byte().numpy(), options.output_dir / "ablation.png")


if __name__ == "__main__":
    compared(tyro.cli(Options))
