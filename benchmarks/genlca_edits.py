"""Edits and completions of held-out synthetic people: ``python -m benchmarks.genlca_edits --pipeline RUN --tokens T``.

*Edits*: the upper garment gets another colour by prompt (the person's own caption with one word changed), everything
else is kept. Two readers say what colour a torso is: the nearest of the palette's named colours, and the judge of
``genlca eval``, which has learnt from avatars of training people how the named colours look there. *Completion*: an
avatar from a sample that shows little of a person, where pictures of the person's first sample show more; scored
against the avatar from the first sample, in the pixels (front and back) of the anchors that the first alone saw. Seen
*from in front* are people of whom the sample shows at least half of the front and less than two fifths of the back.
Completed without a text and with the caption, as the mean of several draws and as one; and without LCA's guess as a
hint. Gains are of the PSNR of all pixels together, with jackknifes over people as errors, and means over people of each
one's own gain.
"""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
import tyro

from benchmarks.genlca_judges import Judges
from benchmarks.machine import describe
from genlca_method.editing.editing import edited
from genlca_method.editing.person import TokenPerson
from genlca_method.editing.regions import kept_anchors, parts_of
from genlca_method.evaluation.attributes import words
from genlca_method.evaluation.looks import REGIONS, anchor_regions, lab, look
from genlca_method.latents.rendering import cameras_at
from genlca_method.latents.token_data import never_shown
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.several import opened
from genlca_method.tokens.shards import TokenSample, TokenShards
from lca_dataparsers.pictures import write_picture
from lca_dataparsers.synthetic.palette import CLOTH_COLORS
from lca_method.avatar.avatar import Avatar
from lca_shared.body import get_body_model
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.tensors import Bool, Float, Tensor

_SIZE = 128
_BLOCK = 16
"""Pixels of the side of blocks whose mean colours are compared."""
_ASKED = ("red", "white", "green", "navy", "yellow", "black")
"""Colours that edits ask for."""
_WAYS = {"completed": (False, 8, True), "with the caption": (True, 8, True), "one draw": (False, 1, True)}
_WAYS |= {"one draw, caption": (True, 1, True), "one draw, no hints": (False, 1, False)}
"""Of completing: whether with the caption, of how many draws, and whether with LCA's guess as a hint."""
_HALF, _LITTLE = 0.5, 0.4
"""Shares of the front's and the back's anchors."""
_FACING = 0.3
"""Cosine to straight ahead from which an anchor is in front or behind."""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    pipeline: str
    tokens: Path
    output_dir: Path
    more: tuple[Path, ...] = ()
    """Folders of tokens of other held-out people, for completions."""
    people: int = 20
    """Of edits; completions are of all who have two samples."""
    steps: int = 20
    guidance: float = 2.0
    judged: int = 180
    """Training people that the judge learns from."""
    only: str = ""
    """edits or completions; empty = both."""


def avatar_of(made: GenLCAPipeline, person: TokenPerson) -> Avatar:
    """Of tokens."""
    return made.decoder.avatar(person.tokens, person.shape)


def largest_difference(one: Avatar, other: Avatar, anchors: Bool[Tensor, "anchors"]) -> float:
    """Of any number of any Gaussian of some anchors, at rest and with an arm raised and an expression."""
    pose = one.rest_pose
    arm = replace(pose, joint_rotations=pose.joint_rotations.clone())
    arm.joint_rotations[one.body.driven_joints.index("upperarm01.L"), 1] = -0.7
    each = anchors.repeat_interleave(one.networks.gaussians_per_token)
    worst = 0.0
    for driven, expression in ((pose, torch.zeros(52)), (arm, torch.full((52,), 0.3))):
        pair = [avatar.drive(driven, expression) for avatar in (one, other)]
        for field in fields(Gaussians):
            first, second = (getattr(gaussians, field.name)[each] for gaussians in pair)
            assert bool(torch.isfinite(second).all())
            worst = max(worst, float((first - second).abs().max()))
    return worst


def views(avatar: Avatar, marks: Bool[Tensor, "anchors"] | None = None) -> tuple[Tensor, Tensor]:
    """Pictures on white from in front and behind, and how much of each pixel the marked anchors make up."""
    gaussians = avatar.drive(avatar.rest_pose)
    each = avatar.networks.gaussians_per_token
    marked = torch.ones(gaussians.count, 1) if marks is None else marks.float().repeat_interleave(each)[:, None]
    drawn = rasterize(
        replace(gaussians, colors=torch.cat([gaussians.colors, marked], -1)),
        cameras_at(torch.tensor([0.0, math.pi]), _SIZE),
    )
    return (drawn.colors[:, :3] + 1 - drawn.alpha).clamp(0, 1), drawn.colors[:, 3:]


def edits(made: GenLCAPipeline, samples: list[TokenSample], judges: Judges, options: Options) -> Tensor:
    """Print the table of edits; the sheet."""
    regions = anchor_regions(made.decoder)
    palette = lab(torch.tensor(list(CLOTH_COLORS.values())) / 255)
    upper = parts_of(made.decoder)["upper"]
    right, was, asked, worst, rows = 0, 0, 0, 0.0, []
    names, own = list(CLOTH_COLORS), []
    told: dict[str, int] = dict.fromkeys(("before", "after", "own"), 0)
    for number, sample in enumerate(samples):
        old = words(sample.info.attributes)["upper colour"]
        others = [name for name in _ASKED if name != old]
        new = others[number % len(others)]
        person = TokenPerson(sample.vectors, sample.counts > 0, sample.shape)
        kept = kept_anchors({"upper": upper}, person.valid, change=("upper",))
        about, worn = sample.info.caption.split(", wearing ")  # the outermost garment comes first
        prompt = f"{about}, wearing {worn.replace(f'{old} ', f'{new} ', 1)}"
        generator = torch.Generator().manual_seed(number)
        after = edited(made, person, kept, prompt, steps=options.steps, guidance=options.guidance, generator=generator)
        pair = avatar_of(made, person), avatar_of(made, after)
        worst = max(worst, largest_difference(*pair, kept))
        torsos = [look(one, regions, _SIZE).colors[0, REGIONS.index("torso")] for one in pair]
        answers = [names[int((palette - torso).norm(dim=-1).argmin())] for torso in torsos]
        was, right, own = was + (answers[0] == new), right + (answers[1] == new), [*own, answers[0] == old]
        few = [names.index(name) for name in _ASKED]
        asked += _ASKED[int((palette[few] - torsos[1]).norm(dim=-1).argmin())] == new
        said = judges.read([judges.look(one) for one in pair], "upper colour", "front")
        for what, hit in (("before", said[0] == new), ("after", said[1] == new), ("own", said[0] == old)):
            told[what] += hit
        rows.append(torch.cat([*views(pair[0])[0], *views(pair[1])[0]], dim=-1))
    count = len(samples)
    print("| edits of the upper garment's colour | |\n|---|---|")
    print(f"| people | {count} |\n| largest difference of any number of a kept Gaussian | {worst:.1e} |")
    print(f"| torso, front, nearest to the new one of {len(CLOTH_COLORS)} named colours: before | {was}/{count} |")
    print(f"| after | {right}/{count} |")
    print(f"| after, nearest of the {len(_ASKED)} that are asked for | {asked}/{count} |")
    print(f"| people as they are, nearest to what they really wear of all {len(CLOTH_COLORS)} | {sum(own)}/{count} |")
    print(f"| torso, front, the judge says the new one: before | {told['before']}/{count} |")
    print(f"| after | {told['after']}/{count} |")
    print(f"| people as they are, the judge says what they really wear | {told['own']}/{count} |\n")
    return torch.cat(rows, dim=-2)


def squared(picture: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of squared differences over the masked pixels: of the pixels, and of mean colours of blocks of them (what
    colours things have, whatever their blotches)."""
    share = torch.nn.functional.avg_pool2d(mask, _BLOCK)
    one, other = (torch.nn.functional.avg_pool2d(x * mask, _BLOCK) / share.clamp(min=1e-6) for x in (picture, truth))
    pixels = ((picture - truth).square().mean(dim=1, keepdim=True) * mask).sum()
    return pixels, ((one - other).square().mean(dim=1, keepdim=True) * share).sum() * _BLOCK**2


def gain(before: Tensor, after: Tensor) -> str:
    """PSNR of all pixels together, dB more than before, with its jackknifed error over people."""
    every = torch.arange(len(before))
    each = torch.stack([(before[every != i].sum() / after[every != i].sum()).log10() * 10 for i in every])
    error = ((len(each) - 1) * (each - each.mean()).square().mean()).sqrt()
    return f"{float((before.sum() / after.sum()).log10() * 10):+.2f} ± {float(error):.2f}"


def mean_gain(before: Tensor, after: Tensor) -> str:
    """Mean over people of each one's own gain, dB, with its standard error."""
    each = 10 * (before / after).log10()
    return f"{float(each.mean()):+.2f} ± {float(each.std() / len(each) ** 0.5):.2f}"


def completions(
    made: GenLCAPipeline, pairs: list[tuple[TokenSample, TokenSample]], always: Tensor, options: Options
) -> Tensor:
    """Print the table of completions; the sheet, with the worst guesses of people who are seen from in front first."""
    facing = directions(made)
    front, back = facing < -_FACING, facing > _FACING
    errors, pixels, in_front, rows = [], [], [], []
    for number, (little, much) in enumerate(pairs):
        valid = (little.counts > 0) | always
        person, truth = TokenPerson(little.vectors, valid, little.shape), made.decoder.avatar(much.vectors, much.shape)
        real, where = views(truth, ~valid & (much.counts > 0))
        mask = (where > 0.5).float()
        if not mask.any():
            continue
        found = [person]
        for captioned, draws, hinted in _WAYS.values():
            settings = {"steps": options.steps, "draws": draws, "generator": torch.Generator().manual_seed(number)}
            settings |= {"guidance": options.guidance if captioned else 1.0, "hinted": ~valid if hinted else None}
            found.append(edited(made, person, valid, little.info.caption if captioned else "", **settings))
        pictures = [views(avatar_of(made, one))[0] for one in found]
        errors.append(torch.stack([torch.stack(squared(picture, real, mask)) for picture in pictures]))
        pixels.append(mask.sum())
        shares = [float((little.counts[side] > 0).float().mean()) for side in (front, back)]
        in_front.append(shares[0] >= _HALF and shares[1] < _LITTLE)
        rows.append(torch.cat([*real, *(view for picture in pictures[:3] for view in picture)], dim=-1))
    sums, count, some = torch.stack(errors), torch.stack(pixels), torch.tensor(in_front)
    groups = (("all", some | ~some), ("seen from in front", some), ("others", ~some))
    for kind, name in enumerate(("all pixels", f"mean colours of blocks of {_BLOCK} pixels")):
        columns = ["people", "as it was, dB", *_WAYS, *(f"{way}: mean over people" for way in _WAYS)]
        print(f"| completion, {name} | " + " | ".join(columns) + " |\n|---" + "|---" * len(columns) + "|")
        for group, which in groups:
            error = sums[which, :, kind]
            was = float(-10 * torch.log10(error[:, 0].sum() / count[which].sum()))
            gains = [how(error[:, 0], error[:, way]) for how in (gain, mean_gain) for way in range(1, error.shape[1])]
            print(f"| {group} | {int(which.sum())} | {was:.2f} | {' | '.join(gains)} |")
        print()
    print(f"{int(count.sum())} pixels of {_SIZE} x {_SIZE} front and back pictures.")
    first = sorted(torch.where(some)[0].tolist(), key=lambda row: -float(sums[row, 0, 0]))
    return torch.cat([rows[row] for row in first], dim=-2)


def directions(made: GenLCAPipeline) -> Float[Tensor, "anchors"]:
    """How much an anchor looks to the back (1) or to the front (-1), on the template."""
    body, network = get_body_model(made.decoder.config["body"]), made.decoder.lca
    a, b, c = body.template_vertices[body.faces[network.token_faces.cpu()]].unbind(1)
    return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)[:, 1]  # the front looks to -y


@torch.no_grad()
def main(options: Options) -> None:
    """Print both tables and write sheets."""
    shards, made = TokenShards(options.tokens), load_pipeline(options.pipeline)
    made.set_progress_bar_config(disable=True)
    of_people: dict[tuple[Path, str], list[TokenSample]] = {}
    everybody = opened((options.tokens, *options.more))
    for index in everybody.of_split("test"):
        of_people.setdefault(everybody.person(index), []).append(everybody[index])
    firsts = [samples[0] for samples in of_people.values() if "upper colour" in words(samples[0].info.attributes)]
    print(describe() + "\n")
    options.output_dir.mkdir(parents=True, exist_ok=True)
    pairs = [(samples[1], samples[0]) for samples in of_people.values() if len(samples) > 1]
    sheets = {}
    if options.only != "completions":
        judges = Judges.of(made, shards, options.judged, ("upper colour",))
        sheets["edits"] = edits(made, firsts[: options.people], judges, options)
    if options.only != "edits":
        sheets["completions"] = completions(made, pairs, never_shown(shards), options)
    for name, sheet in sheets.items():
        pixels: Float[Tensor, "h w 3"] = sheet[:, : 6 * _SIZE].movedim(0, -1)
        write_picture((pixels * 255).round().byte().numpy(), options.output_dir / f"{name}.png")


if __name__ == "__main__":
    main(tyro.cli(Options))
