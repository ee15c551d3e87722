"""What visibility-aware training is for: three short trainings from the same tokens, and what their people look like
where few pictures of the training people show anything.

    python -m benchmarks.genlca_ablation --tokens TOKENS --latents LATENTS --pipeline GENLCA_RUN --output-dir OUT

The pipeline is asked for its decoder alone. Training sees the samples that show least of people (``--share`` of all).
"Rarely seen" are the quarter of the anchors that the fewest of them show. Opacity is that of a person's picture where
opaque discs at those anchors would show; sharpness is the mean change of colour from pixel to pixel there; detail is
the deviation of the colours of an anchor's Gaussians from each other. The first two rows are LCA's own tokens of
held-out people at those anchors, where pictures showed them and where none did.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro
from diffusers import FlowMatchEulerDiscreteScheduler

from benchmarks.machine import describe
from genlca_method.conditioning.encoders import Conditioner, tiny_conditioning
from genlca_method.conditioning.tokens import MODALITIES, dropped
from genlca_method.latents.rendering import cameras_at
from genlca_method.latents.token_data import TokenData
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
from lca_shared.tensors import Bool, Float, Tensor

WAYS = {
    "learned placeholder + masked loss": FlowConfig(given=0.0),
    "masked loss alone": FlowConfig(placeholder=False, given=0.0),
    "no visibility handling": FlowConfig(placeholder=False, masked_loss=False, given=0.0),
}
_SIZE = 96


@dataclass(frozen=True)
class Options:
    """Where things are and how long to train."""

    tokens: Path
    latents: Path
    pipeline: str
    output_dir: Path
    share: float = 0.5
    steps: int = 250
    batch: int = 8
    people: int = 20
    sampling_steps: int = 12
    guidance: float = 2.0


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
class There:
    """What an avatar is at some anchors."""

    opacity: float
    sharpness: float
    pixels: float
    detail: float
    anchors: int


def seen_there(avatar: Avatar, anchors: Bool[Tensor, "anchors"], decoder: LCADecoder) -> There:
    """In the pixels where opaque discs at some anchors show (front and back), and of the anchors' Gaussians."""
    cameras = cameras_at(torch.tensor([0.0, math.pi]), _SIZE)
    gaussians = avatar.drive(avatar.rest_pose)
    marks = anchors.float().repeat_interleave(avatar.networks.gaussians_per_token)[:, None]
    discs = replace(
        gaussians,
        means=avatar.body.template_vertices,
        scales=decoder.lca.initial_scales.expand_as(gaussians.scales).clamp(min=0.01),
        opacities=torch.full_like(gaussians.opacities, 0.99),
        colors=marks,
    )
    where = rasterize(discs, cameras).colors[:, :1] > 0.5
    drawn = rasterize(gaussians, cameras)
    seen = drawn.colors / drawn.alpha.clamp(min=0.05)
    down, across = seen.diff(dim=-2)[..., :-1].abs(), seen.diff(dim=-1)[..., :-1, :].abs()
    change, inner = (down + across).mean(dim=1, keepdim=True), where[..., :-1, :-1]
    count = float(where.sum())
    opacity = float((drawn.alpha * where).sum()) / max(count, 1.0)
    sharpness = float((change * inner).sum()) / max(float(inner.sum()), 1.0)
    apart = gaussians.colors.unflatten(0, (len(anchors), -1)).std(dim=1).mean(dim=-1)[anchors]
    return There(opacity, sharpness, count, float(apart.mean()) if len(apart) else 0.0, len(apart))


def row(name: str, found: list[There]) -> str:
    """Means over people, by pixels or anchors, with the standard error over people of the last."""
    pixels, anchors = (torch.tensor([float(getattr(one, x)) for one in found]) for x in ("pixels", "anchors"))

    def mean(value: str, weights: Tensor) -> float:
        return float((torch.tensor([getattr(one, value) for one in found]) * weights).sum() / weights.sum())

    some = torch.tensor([one.detail for one in found if one.anchors])
    error = float(some.std() / len(some) ** 0.5)
    return (
        f"| {name} | {mean('opacity', pixels):.3f} | {mean('sharpness', pixels):.4f} | {mean('detail', anchors):.4f} ± "
        f"{error:.4f} | {len(found)} |"
    )


def front_and_back(avatar: Avatar) -> Float[Tensor, "3 h w"]:
    """On white, side by side."""
    drawn = avatar.render(cameras_at(torch.tensor([0.0, math.pi]), _SIZE), avatar.rest_pose, background=torch.ones(3))
    return torch.cat(list(drawn.colors.clamp(0, 1)), dim=-1)


def least_shown(people: FlowPeople, share: float) -> FlowPeople:
    """The samples that show fewest anchors."""
    data = people.data
    rows = data.valid.sum(dim=1).argsort()[: max(1, round(share * len(people)))]
    some = TokenData(data.vectors[rows], data.valid[rows], data.shapes[rows], tuple(data.indices[i] for i in rows))
    return FlowPeople(people.shards, some, people.latents[rows])


@torch.no_grad()
def compared(options: Options) -> None:
    """Train, generate, print the table, write a sheet."""
    shards, autoencoder = TokenShards(options.tokens), load_autoencoder(options.latents)
    decoder = load_pipeline(options.pipeline).decoder
    told, untold = (
        least_shown(FlowPeople.open(shards, ("train",), autoencoder, hidden), options.share) for hidden in (True, False)
    )
    often = told.data.valid.float().mean(dim=0)
    rare = often <= often.quantile(0.25)
    print(f"{len(told)} training samples; rarely seen anchors: shown by {float(often[rare].mean()):.2f} of them, the")
    print(f"others by {float(often[~rare].mean()):.2f}. {options.steps} steps of {options.batch}. {describe()}")
    print("\n| | opacity | sharpness | detail | people |\n|---|---|---|---|---|")
    held_out = [shards[index] for index in shards.of_split("test")[:40]]
    seen, unseen = [], []
    for sample in held_out:
        avatar = decoder.avatar(sample.vectors, sample.shape)
        seen.append(seen_there(avatar, rare & (sample.counts > 0), decoder))
        unseen.append(seen_there(avatar, rare & (sample.counts == 0), decoder))
    print(row("LCA's tokens, rarely seen anchors, seen here", seen))
    print(row("LCA's tokens, rarely seen anchors, not seen here", unseen))
    captions = list(dict.fromkeys(sample.info.caption for sample in held_out))[: options.people]
    cells = []
    for name, config in WAYS.items():
        with torch.enable_grad():
            model = trained(config, told if config.masked_loss else untold, autoencoder.positions, options)
        pipeline = GenLCAPipeline(
            model, autoencoder, decoder, FlowMatchEulerDiscreteScheduler(shift=shift_for(len(often)))
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline._conditioner = Conditioner.build(tiny_conditioning())
        made = pipeline(
            captions, None, options.sampling_steps, options.guidance, generator=torch.Generator().manual_seed(0)
        )
        print(row(f"{name}, rarely seen anchors", [seen_there(avatar, rare, decoder) for avatar in made.avatars]))
        print(
            row(f"{name}, other anchors", [seen_there(avatar, ~rare, decoder) for avatar in made.avatars]), flush=True
        )
        cells.append(torch.cat([front_and_back(avatar) for avatar in made.avatars[:5]], dim=-1))
    options.output_dir.mkdir(parents=True, exist_ok=True)
    picture = torch.cat(cells, dim=-2).movedim(0, -1)
    write_picture((picture * 255).round().byte().numpy(), options.output_dir / "ablation.png")


if __name__ == "__main__":
    compared(tyro.cli(Options))
