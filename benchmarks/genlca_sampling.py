"""What sampling costs, and what steps buy: ``python -m benchmarks.genlca_sampling [--pipeline
GENLCA_RUN --tokens TOKENS]``.

*Cost*: one look of the transformer at 8192 anchors x 8 numbers (32 words, no pictures, batch 1), tiny and of the
paper's size. A single layer is timed and multiplied by their number (``--whole`` times all). A step of Euler with
guidance looks twice, one of Heun four times. *Attention* is the share of ``scaled_dot_product_attention`` alone on the
same shapes.

*Steps*: of held-out people's captions (``--tokens``), how far latents are from those of 50 steps of Heun's method from
the same noise, in deviations, and the mean accuracy of the attributes that ``genlca eval`` reads off renders.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import tyro
from diffusers import FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler
from torch.nn import functional as F

from benchmarks.genlca_judges import Judges, mean_right
from benchmarks.machine import describe
from genlca_method.evaluation.attributes import SEEN_AT, words
from genlca_method.evaluation.running import first_samples
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.shards import TokenShards
from genlca_method.transformer.block import JointBlock
from genlca_method.transformer.sizes import SIZES, TransformerSize
from lca_shared.errors import UserError

ANCHORS, WORDS = 8192, 32


@dataclass(frozen=True)
class Options:
    """What to measure."""

    pipeline: str = ""
    """A trained pipeline for the tables of steps; empty = cost alone."""
    tokens: Path | None = None
    """Token shards, for the same."""
    sizes: tuple[str, ...] = ("tiny", "paper")
    steps: tuple[int, ...] = (5, 10, 20, 40)
    prompts: int = 30
    judged: int = 180
    """Training people that the judges learn from."""
    laps: int = 2
    """Of each timing; the fastest counts."""
    whole: bool = False
    """Run all layers of the large one too."""
    device: str = "cpu"


def seconds(work: Callable[[], Any], laps: int, device: str) -> float:
    """The fastest lap: processor time of one thread on a CPU, clock time on a GPU."""
    times = []
    for _ in range(laps):
        clock = time.process_time if device == "cpu" else time.perf_counter
        start = clock()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(clock() - start)
    return min(times)


@torch.no_grad()
def cost(name: str, options: Options) -> str:
    """A row of the table of costs."""
    size: TransformerSize = SIZES[name]
    tokens = ANCHORS // size.patch + 1
    block = JointBlock(size.width, size.heads, size.mlp_ratio).to(options.device).eval()
    hidden = torch.randn(1, tokens, size.width, device=options.device)
    context, signal = hidden[:, :WORDS].clone(), hidden[:, 0].clone()
    keys = torch.ones(1, tokens + WORDS, device=options.device).bool()
    if options.whole:
        blocks = [JointBlock(size.width, size.heads, size.mlp_ratio).to(options.device) for _ in range(size.layers)]
    else:
        blocks = [block]

    def look() -> None:
        values, given = hidden, context
        for one in blocks:
            values, given = one(values, given, signal, keys)

    look_time = seconds(look, options.laps, options.device) * (1 if options.whole else size.layers)
    heads = torch.randn(1, size.heads, tokens + WORDS, size.width // size.heads, device=options.device)
    attended = seconds(
        lambda: F.scaled_dot_product_attention(heads, heads, heads, attn_mask=keys[:, None, None]),
        options.laps,
        options.device,
    )
    share = attended * size.layers / look_time
    avatars = " | ".join(f"{2 * steps * look_time:.1f}" for steps in options.steps)
    return f"| {name} | {tokens} | {look_time:.2f} | {share:.2f} | {avatars} |"


def steps_tables(made: GenLCAPipeline, tokens: Path, options: Options) -> list[str]:
    """Lines of the table of distances and of that of attributes: a row for each scheduler."""
    made.set_progress_bar_config(disable=True)
    shards, shift = TokenShards(tokens), made.scheduler.config["shift"]
    infos = [shards.sample_info(index) for index in first_samples(shards, ("test", "val"), options.prompts)]
    judges = Judges.of(made, shards, options.judged, tuple(SEEN_AT))
    truths, captions = [words(info.attributes) for info in infos], [info.caption for info in infos]

    def latents(scheduler: type, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        made_with = GenLCAPipeline(made.transformer, made.autoencoder, made.decoder, scheduler(shift=shift))
        made_with.set_progress_bar_config(disable=True)
        out = made_with(captions, None, steps, 3.0, 1, torch.Generator().manual_seed(0), output_type="latent")
        return out.latents, out.shapes

    fine, _ = latents(FlowMatchHeunDiscreteScheduler, 50)
    distances, accuracies = [], []
    for name, scheduler, looks in (
        ("euler", FlowMatchEulerDiscreteScheduler, 1),
        ("heun", FlowMatchHeunDiscreteScheduler, 2),
    ):
        found = [latents(scheduler, steps // looks) for steps in options.steps]
        apart = [float((one - fine).square().mean().sqrt()) for one, _ in found]
        seen = [[judges.look(avatar) for avatar in made.avatars(*one)] for one in found]
        distances.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in apart) + " |")
        rights = [mean_right(judges, looks, truths) for looks in seen]
        accuracies.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in rights) + " |")
    head = " | ".join(map(str, options.steps)) + " |\n|---" + "|---" * len(options.steps) + "|"
    return [
        f"| distance from 50 steps of Heun, by looks at each of the two guided states | {head}",
        *distances,
        f"\n| mean accuracy of attributes, {len(infos)} prompts | {head}",
        *accuracies,
    ]


def main(options: Options) -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    print(describe() + ("; processor seconds of one thread\n" if options.device == "cpu" else "\n"))
    print("| size | tokens | seconds a look | attention | " + " | ".join(f"{n} steps, s" for n in options.steps) + " |")
    print("|---" * (4 + len(options.steps)) + "|")
    for name in options.sizes:
        print(cost(name, options), flush=True)
    if options.pipeline:
        if options.tokens is None:
            raise UserError("--pipeline needs --tokens.")
        print("\n" + "\n".join(steps_tables(load_pipeline(options.pipeline), options.tokens, options)))


if __name__ == "__main__":
    main(tyro.cli(Options))
