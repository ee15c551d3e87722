"""The whole evaluation: generated people are kept on disk one by one, the rest is computed at the end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tqdm import tqdm

from genlca_method.editing.editing import lca_of
from genlca_method.evaluation.attributes import FROM_SHAPE, SEEN_AT, words
from genlca_method.evaluation.command import EvalConfig
from genlca_method.evaluation.distances import fid, kid, spread
from genlca_method.evaluation.judges import Judge, agreement, clues
from genlca_method.evaluation.looks import VIEWS, Look, anchor_regions, look
from genlca_method.evaluation.picture_features import ClipScore, PictureFeatures
from genlca_method.evaluation.report import sheet, table
from genlca_method.latents.token_data import never_shown
from genlca_method.sampling.generating import load_pipeline
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.format import SampleInfo
from genlca_method.tokens.shards import TokenShards
from lca_dataparsers.pictures import write_picture
from lca_dataparsers.synthetic.attributes import BUILDS, HEIGHTS
from lca_shared.body import get_body_model
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, read_json, write_json
from lca_shared.tensors import Float, Int, Tensor

EVAL_FILE, TABLE_FILE, SHEET_FILE, SETTINGS_FILE = "eval.json", "eval.md", "sheet.png", "settings.json"
SCHEMA = ("genlca-eval", 1)


@dataclass(frozen=True)
class Person:
    """Somebody seen: real or generated."""

    info: SampleInfo
    """Of the person, or of the one whose caption was the prompt."""
    look: Look
    shape: Float[Tensor, "coefficients"]


def evaluate(config: EvalConfig) -> None:
    """See :func:`genlca_method.evaluation.command.run`."""
    if min(config.people, config.judged, config.seeds, config.steps) < 1:
        raise UserError("--people, --judged, --seeds and --steps need at least 1.")
    features = None if config.features == "none" else PictureFeatures(config.features, config.features_source)
    clip = ClipScore(config.clip) if config.clip else None
    shards, made = TokenShards(config.tokens), load_pipeline(config.pipeline)
    made.set_progress_bar_config(disable=True)
    if shards.info.checkpoint["sha256"] != lca_of(made):
        raise UserError(f"The tokens in {config.tokens} belong to another LCA model than the pipeline's.")
    prompts = first_samples(shards, ("test", "val"), config.people)
    if not prompts:
        raise UserError(f"{config.tokens} holds nobody in the test split with a caption.")
    _take_up(config)
    regions = anchor_regions(made.decoder)
    real = real_people(made, shards, prompts, regions, config.size)
    learnt_from = real_people(made, shards, first_samples(shards, ("train",), config.judged), regions, config.size)
    through = people_through_latents(made, shards, prompts, regions, config.size)
    generated = _generated(config, made, [person.info for person in real], regions)
    anybody = _anybody(config, made, len(real), regions)
    report: dict[str, Any] = {"kind_of_file": SCHEMA[0], "schema_version": SCHEMA[1], "settings": _settings(config)}
    report |= {"people": len(real), "generated": len(generated), "judged_from": len(learnt_from)}
    report["attributes"] = attribute_figures(learnt_from, real, generated, through)
    report |= set_figures(real, generated, config.seeds, features)
    report["diversity"]["no prompt"] = spread(torch.stack([p.look.colors for p in anybody]).flatten(1))
    if clip is not None:
        front = torch.stack([person.look.pictures[0] for person in generated])
        report["clip_score"] = {"model": config.clip, "made": clip(front, [p.info.caption for p in generated])}
        front = torch.stack([person.look.pictures[0] for person in real])
        report["clip_score"]["real"] = clip(front, [p.info.caption for p in real])
    write_json(config.output_dir / EVAL_FILE, report)
    text = table(report)
    (config.output_dir / TABLE_FILE).write_text(text)
    chosen = [(one.look, [two.look for two in generated if two.info is one.info]) for one in real[: config.rows]]
    write_picture((sheet(chosen) * 255).round().byte().numpy(), config.output_dir / SHEET_FILE)
    print(text)
    print(f"Wrote {config.output_dir}/{EVAL_FILE}, {TABLE_FILE} and {SHEET_FILE}.")


def first_samples(shards: TokenShards, splits: Sequence[str], most: int) -> list[int]:
    """The first sample, which looks at views spread over the recording, of each person with a caption."""
    firsts: dict[str, int] = {}
    for index in shards.of_split(*splits):
        info = shards.sample_info(index)
        if info.caption:
            firsts.setdefault(info.subject, index)
    return list(firsts.values())[:most]


def attribute_figures(
    learnt_from: Sequence[Person], real: Sequence[Person], generated: Sequence[Person], through: Sequence[Person]
) -> dict[str, dict[str, dict[str, Any]]]:
    """By attribute and view (``front``, ``back``, ``shape``): agreement of what judges see with what the prompt says,
    of ``made`` and ``real`` people and of the latter ``through`` latents
    (:func:`genlca_method.evaluation.judges.agreement`); attributes that only people without exact attributes have are
    left out."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    everybody = {"learnt": learnt_from, "real": real, "made": generated, "through": through}
    truths = {id(p): words(p.info.attributes) for people in everybody.values() for p in people if p.info.attributes}
    for attribute in SEEN_AT:
        with_it = {
            kind: [person for person in people if attribute in truths.get(id(person), {})]
            for kind, people in everybody.items()
        }
        if not all(with_it.values()):
            continue
        for index, view in enumerate(VIEWS):
            if attribute == "skin" and view == "back":
                continue  # no face there
            seen = {
                kind: clues(torch.stack([person.look.colors[index] for person in people]), attribute)
                for kind, people in with_it.items()
            }
            said = {kind: [truths[id(person)][attribute] for person in people] for kind, people in with_it.items()}
            judge = Judge.learned(seen["learnt"], said["learnt"])
            found.setdefault(attribute, {})[view] = {
                kind: agreement(judge(seen[kind]), said[kind]) for kind in ("made", "real", "through")
            }
    for attribute in FROM_SHAPE:
        of = {kind: [p for p in people if attribute in truths.get(id(p), {})] for kind, people in everybody.items()}
        if of["made"] and of["real"]:
            found[attribute] = {
                "shape": {
                    kind: agreement(
                        [size_words(p.shape)[attribute] for p in of[kind]],
                        [truths[id(p)][attribute] for p in of[kind]],
                    )
                    for kind in ("made", "real", "through")
                }
            }
    return found


def size_words(shape: Float[Tensor, "coefficients"]) -> dict[str, str]:
    """Height and build of a body in the words of ``lca-data synth``."""
    body = get_body_model()
    vertices = body.shaped(shape.cpu()).vertices.double()
    a, b, c = (vertices[body.faces[:, k]] for k in range(3))
    height = float(vertices[:, 2].max() - vertices[:, 2].min())
    build = float((torch.linalg.cross(a, b) * c).sum() / 6) / height**2
    return {
        name: next(word for bound, word in bounds if value <= bound)
        for name, value, bounds in (("height", height, HEIGHTS), ("build", build, BUILDS))
    }


def set_figures(
    real: Sequence[Person], generated: Sequence[Person], seeds: int, features: PictureFeatures | None
) -> dict[str, Any]:
    """``diversity``: mean distance between colours of regions of two people of one prompt, of two of any, and of two
    real ones; ``distances``: FID and KID of each view, with the features' name and the numbers of pictures."""
    colors = {kind: torch.stack([p.look.colors for p in people]).flatten(1) for kind, people in _kinds(real, generated)}
    found: dict[str, Any] = {"diversity": {"all": spread(colors["made"]), "real": spread(colors["real"])}}
    if seeds > 1:
        together = [spread(some) for some in colors["made"].split(seeds)]
        found["diversity"]["same prompt"] = sum(together) / len(together)
    if features is not None:
        found["distances"] = {"features": features.name, "real": len(real), "made": len(generated)}
        for index, view in enumerate(VIEWS):
            ours, theirs = (
                features(torch.stack([person.look.pictures[index] for person in people]))
                for people in (generated, real)
            )
            found["distances"][view] = {"fid": fid(theirs, ours), "kid": kid(theirs, ours)}
    return found


def _kinds(real: Sequence[Person], generated: Sequence[Person]) -> tuple[tuple[str, Sequence[Person]], ...]:
    return ("real", real), ("made", generated)


def real_people(
    made: GenLCAPipeline, shards: TokenShards, indices: Sequence[int], regions: Int[Tensor, "anchors"], size: int
) -> list[Person]:
    """Avatars of samples' own tokens, as they look."""
    found = []
    for index in tqdm(indices, desc="real people", unit="person", disable=None):
        sample = shards[index]
        avatar = made.decoder.avatar(sample.vectors, sample.shape)
        found.append(Person(sample.info, look(avatar, regions, size), sample.shape))
    return found


@torch.no_grad()
def people_through_latents(
    made: GenLCAPipeline, shards: TokenShards, indices: Sequence[int], regions: Int[Tensor, "anchors"], size: int
) -> list[Person]:
    """The same people after the autoencoder: what a generator of latents would make if it knew the people."""
    always, found = never_shown(shards), []
    for index in indices:
        sample = shards[index]
        tokens = made.autoencoder(sample.vectors.to(made.device), ((sample.counts > 0) | always).to(made.device))
        avatar = made.decoder.avatar(tokens, sample.shape)
        found.append(Person(sample.info, look(avatar, regions, size), sample.shape))
    return found


def _anybody(config: EvalConfig, made: GenLCAPipeline, count: int, regions: Int[Tensor, "anchors"]) -> list[Person]:
    """People of whom nothing was said."""
    path, nobody = config.output_dir / "made" / "anybody.safetensors", SampleInfo("", "", (), "", "", (), {}, "", "")
    tensors = _kept(path, made, "", config, max(count, 2), seed=0)
    avatars = made.avatars(tensors["latents"], tensors["shapes"])
    return [Person(nobody, look(one, regions, config.size), shape) for one, shape in zip(avatars, tensors["shapes"])]


def _kept(
    path: Path, made: GenLCAPipeline, prompt: str, config: EvalConfig, count: int, seed: int
) -> dict[str, Tensor]:
    """Latents and shapes of some people of one prompt, kept on disk."""
    if not path.exists():
        generator = torch.Generator().manual_seed(seed)
        guidance = config.guidance if prompt else 1.0
        out = made(prompt, None, config.steps, guidance, count, generator, output_type="latent")
        with atomic_path(path) as temporary:
            save_file({"latents": out.latents.contiguous(), "shapes": out.shapes.contiguous()}, temporary)
    return load_file(path)


def _generated(
    config: EvalConfig, made: GenLCAPipeline, infos: Sequence[SampleInfo], regions: Int[Tensor, "anchors"]
) -> list[Person]:
    folder, found = config.output_dir / "made", []
    folder.mkdir(exist_ok=True)
    for number, info in enumerate(tqdm(infos, desc="generated people", unit="prompt", disable=None)):
        path = folder / f"{number:04d}.safetensors"
        tensors = _kept(path, made, info.caption, config, config.seeds, number)
        for avatar, shape in zip(made.avatars(tensors["latents"], tensors["shapes"]), tensors["shapes"]):
            found.append(Person(info, look(avatar, regions, config.size), shape))
    return found


def _take_up(config: EvalConfig) -> None:
    """Begin, or go on with what an earlier run with the same settings generated."""
    config.output_dir.mkdir(parents=True, exist_ok=True)
    path, ours = config.output_dir / SETTINGS_FILE, _settings(config)
    sampling = ("pipeline", "tokens", "seeds", "steps", "guidance")
    if path.exists():
        theirs = read_json(path)
        if differing := [name for name in sampling if theirs.get(name) != ours[name]]:
            raise UserError(
                f"{config.output_dir} holds an evaluation with other settings ({', '.join(differing)}). Choose another "
                "folder."
            )
    write_json(path, ours)


def _settings(config: EvalConfig) -> dict[str, Any]:
    values = {name: value for name, value in asdict(config).items() if name != "output_dir"}
    return values | {"tokens": str(Path(config.tokens)), "pipeline": str(config.pipeline)}
