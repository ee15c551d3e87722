"""How well pictures and line drawings of garments are followed: ``python -m benchmarks.genlca_pictures --pipeline RUN
--tokens T``.

Held-out people's parts "upper" and "lower" are shown, as pictures or as line drawings of them, and nothing is said.
The judges of ``genlca eval`` then read the generated people; right is what those people wear. Beside it: generated
with nothing shown, judged against the same people (what a model that ignores pictures scores), and the people's own
tokens. Accuracy with its standard error; chance is what the same answers in random order would score.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from benchmarks.genlca_judges import Judges
from benchmarks.machine import describe
from genlca_method.evaluation.attributes import words
from genlca_method.evaluation.looks import Look
from genlca_method.evaluation.running import first_samples
from genlca_method.latents.rendering import cameras_at
from genlca_method.sampling.generating import load_pipeline
from genlca_method.tokens.scribbles import scribble
from genlca_method.tokens.shards import TokenSample, TokenShards
from lca_dataparsers.pictures import write_picture
from lca_method.avatar.avatar import Avatar
from lca_shared.tensors import Float, Tensor

_READ = ("sleeves", "leg length", "upper colour", "lower colour")
_PARTS = ("upper", "lower")
_SIZE = 96


@dataclass(frozen=True)
class Options:
    """What to measure."""

    pipeline: str
    tokens: Path
    output_dir: Path
    people: int = 30
    judged: int = 180
    steps: int = 12
    guidance: float = 3.0


def shown(sample: TokenSample) -> dict[str, Float[Tensor, "3 h w"]]:
    """The pictures of a person's garments."""
    return {part: sample.pictures[part] for part in _PARTS if part in sample.pictures}


def drawn(sample: TokenSample) -> dict[str, Float[Tensor, "3 h w"]]:
    """Line drawings of the same."""
    return {part: scribble(picture) for part, picture in shown(sample).items()}


@torch.no_grad()
def main(options: Options) -> None:
    """Print the table and write a sheet."""
    shards, made = TokenShards(options.tokens), load_pipeline(options.pipeline)
    made.set_progress_bar_config(disable=True)
    judges = Judges.of(made, shards, options.judged, _READ)
    samples = [shards[index] for index in first_samples(shards, ("test", "val"), 1000)]
    samples = [sample for sample in samples if len(shown(sample)) == len(_PARTS)][: options.people]

    def generated(images: Mapping[str, Tensor], scribbles: Mapping[str, Tensor], number: int) -> Avatar:
        guidance, generator = options.guidance if images or scribbles else 1.0, torch.Generator().manual_seed(number)
        return made("", images, options.steps, guidance, 1, generator, scribbles=scribbles).avatars[0]

    ways: dict[str, Callable[[TokenSample, int], Avatar]] = {
        "nothing": lambda sample, number: generated({}, {}, number),
        "line drawings": lambda sample, number: generated({}, drawn(sample), number),
        "pictures": lambda sample, number: generated(shown(sample), {}, number),
        "the people's own tokens": lambda sample, number: made.decoder.avatar(sample.vectors, sample.shape),
    }
    truths = [words(sample.info.attributes) for sample in samples]
    print(f"{len(samples)} people. {describe()}\n")
    print(f"| shown | {' | '.join(_READ)} |\n|---" + "|---" * len(_READ) + "|")
    avatars = {}
    for name, way in ways.items():
        avatars[name] = [way(sample, number) for number, sample in enumerate(samples)]
        looks = [judges.look(avatar) for avatar in avatars[name]]
        print(f"| {name} | " + " | ".join(cell(judges, looks, truths, attribute) for attribute in _READ) + " |")
    rows = []
    for number, sample in enumerate(samples[:8]):
        given = [picture for pair in (shown(sample), drawn(sample)) for picture in pair.values()]
        tiles = torch.nn.functional.interpolate(torch.stack(given), size=(_SIZE, _SIZE))
        people = [avatars[name][number] for name in ("the people's own tokens", "line drawings", "pictures")]
        rows.append(torch.cat([*tiles, *(front(avatar) for avatar in people)], dim=-1))
    picture = torch.cat(rows, dim=-2).movedim(0, -1).clamp(0, 1)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    write_picture((picture * 255).round().byte().numpy(), options.output_dir / "pictures.png")


def cell(judges: Judges, looks: list[Look], truths: list[dict[str, str]], attribute: str) -> str:
    """Accuracy from in front, of the people who have the attribute."""
    rows = [row for row, truth in enumerate(truths) if attribute in truth]
    found = judges.right([looks[row] for row in rows], [truths[row][attribute] for row in rows], attribute, "front")
    return f"{found['accuracy']:.2f} ± {found['error']:.2f} (chance {found['chance']:.2f})"


def front(avatar: Avatar) -> Float[Tensor, "3 h w"]:
    """On white."""
    seen = avatar.render(cameras_at(torch.zeros(1), _SIZE), avatar.rest_pose, background=torch.ones(3))
    return seen.colors[0].clamp(0, 1)


if __name__ == "__main__":
    main(tyro.cli(Options))
