"""What nodes do for loose garments: the heads trained with and without them, from one checkpoint on the same frames.

    for g in skirt dress coat; do lca-data synth --output-dir data/$g --garment $g --subjects 16 --test-subjects 4; done
    python -m benchmarks.garment --model RUN --data data/skirt data/dress data/coat --tight data/people

Both copies of the model see the same people, references and targets in the same order, and have the same losses but for
the nodes' own. The encoder is frozen, so every person is encoded once for both. Everything is measured on held-out
people, who wear garments of their own. A run that was stopped goes on where it was, with the same command.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import tyro

from benchmarks.garment_table import Measured, print_table, stride_sheet
from benchmarks.machine import describe
from lca_dataparsers.pictures import write_picture
from lca_method.batch import SubjectBatch, stacked
from lca_method.evaluating.garment_split import garment_split
from lca_method.evaluating.test_set import TestSet
from lca_method.evaluation import person_mask
from lca_method.hub.model_folder import ModelRecord, write_model
from lca_method.losses import LossConfig
from lca_method.made_with import made_with
from lca_method.networks import LCA
from lca_method.networks.node_head import DeformerConfig
from lca_method.sampling import Draw, draw_views, step_generator
from lca_method.trained_network import TrainedNetwork, load_network
from lca_method.training_step import training_losses, training_renders
from lca_shared.metrics import masked_l1, masked_lpips, masked_psnr
from lca_shared.perceptual import LPIPS
from lca_shared.storage import atomic_path
from lca_shared.tensors import Tensor

STATE = "state.pt"
_SAVED_EVERY = 5
HEADS = ("canonical_head.", "pose_head.", "projected_outline.", "node_head.")
LOSSES = LossConfig(
    l1=0.0, person=1.0, lpips=0.0, mask=0.1, position=0.1, scale=0.1, arap=0.1, sparsity=0.01, loose=1.0
)
_OWN = ("node_head.layers.", "node_head.last.")
PULLED = 0.6
"""Share of the steps over which gates are pulled open (``LossConfig.loose``)."""
AROUND = 12
"""Pixels: about as many centimetres."""
NODE_RATE = 6.0
"""Learning rate of the nodes' head over that of the others."""


@dataclass(frozen=True)
class Options:
    """What to train on, and for how long."""

    model: str
    """A trained model without nodes."""
    data: tuple[Path, ...]
    """Datasets with masks of garments."""
    tight: Path
    """A dataset of people in tight clothing, as often drawn as each of the others; who wears a skirt or dress there is
    left out: these follow the legs."""
    steps: int = 120
    references: int = 4
    targets: int = 2
    """Pictures a step."""
    train_people: int = 12
    """Of each dataset, at most."""
    test_people: int = 4
    test_pictures: int = 4
    """Of each."""
    nodes: int = 512
    cloth_surface: bool = True
    """``DeformerConfig.cloth_surface``, of the model with nodes."""
    lr: float = 5e-4
    mask: float = 0.1
    """Weight of the outline: with little, cloth that is missing costs more than cloth where there is none, and shapes
    swell (``LossConfig.mask``)."""
    begin: Path | None = None
    """The output folder of an earlier run whose networks to begin with."""
    seed: int = 0
    output: Path = Path("outputs/garment")
    """Gets state.pt (both models, their optimisers and the step), sheet.png, and the models' folders ``without`` and
    ``with``, which `lca create --model` takes."""


@dataclass
class Arm:
    """A copy of the model that learns."""

    name: str
    network: LCA
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Person:
    """Somebody to learn from, read already."""

    tokens: Tensor
    colors: Tensor | None
    """Of ``LCA.encoded``."""
    batch: SubjectBatch
    """The targets are all frames that are not references."""


def main(options: Options) -> None:
    """Train, measure, print."""
    trained = load_network(options.model)
    arms = {name: _arm(name, trained, options) for name in ("without", "with")}
    sets = [TestSet.open(root, trained, options.references, options.test_pictures, -1) for root in options.data]
    sets = [replace(each, draws=each.draws[: options.test_people]) for each in (*sets, _tight(trained, options))]
    if options.begin is not None:
        for name, (network, _) in torch.load(options.begin / STATE, weights_only=True)["arms"].items():
            absent, _ = arms[name].network.load_state_dict(network, strict=False)
            assert all(key.startswith("node_head.surface.") for key in absent)  # that run may have had none
    first = _resumed(arms, options)
    if first < options.steps:
        people = [
            [_read(trained, each, person, options) for person in each.trained[: options.train_people]] for each in sets
        ]
        print(f"{sum(map(len, people))} people to learn from are read; from step {first}", flush=True)
        began = time.process_time()
        for step in range(first, options.steps):
            _learn(arms, trained, people, step, options)
            if (step + 1) % _SAVED_EVERY == 0 or step + 1 == options.steps:
                _save(arms, step + 1, options)
        spent = (time.process_time() - began) / (options.steps - first)
        print(f"{options.steps - first} steps: {spent:.2f} s of the processor each, for both", flush=True)
    for name, arm in arms.items():
        made = made_with(arm.network.config, trained.body)
        record = ModelRecord(trained.settings, "lca-garment-small", trained.steps + options.steps)
        write_model(options.output / name, arm.network.eval().state_dict(), made, record)
    models = {"before": trained} | {name: replace(trained, network=arm.network) for name, arm in arms.items()}
    rows, measured, lpips = [], [], trained.lpips()
    for root, each in zip((*options.data, options.tight), sets):
        measured += [_measure(root.name, name, model, each, lpips) for name, model in models.items()]
        rows += stride_sheet(root.name, models, each)
        print_table(measured)
    write_picture(np.concatenate(rows, axis=0), options.output / "sheet.png")
    print(f"On {describe()}; pictures: {options.output / 'sheet.png'}")


def _tight(trained: TrainedNetwork, options: Options) -> TestSet:
    found = TestSet.open(options.tight, trained, options.references, options.test_pictures, -1)
    people = found.reader.dataset.subjects

    def wears_trousers(subject: str) -> bool:
        outfit = " ".join(people[subject].info.report.get("outfit", ()))
        return "skirt" not in outfit and "dress" not in outfit

    draws = [draw for draw in found.draws if wears_trousers(draw.subject)]
    return replace(found, draws=draws, trained=[each for each in found.trained if wears_trousers(each.subject)])


def _save(arms: dict[str, Arm], step: int, options: Options) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    state = {name: (arm.network.state_dict(), arm.optimizer.state_dict()) for name, arm in arms.items()}
    with atomic_path(options.output / STATE) as temporary:
        torch.save({"step": step, "arms": state}, temporary)


def _resumed(arms: dict[str, Arm], options: Options) -> int:
    """The step to begin with, and everything as it was then."""
    if not (options.output / STATE).exists():
        return 0
    state = torch.load(options.output / STATE, weights_only=True)
    for name, (network, optimizer) in state["arms"].items():
        arms[name].network.load_state_dict(network)
        arms[name].optimizer.load_state_dict(optimizer)
    return state["step"]


def _arm(name: str, trained: TrainedNetwork, options: Options) -> Arm:
    nodes = options.nodes if name == "with" else 0
    deformer = DeformerConfig(nodes=nodes, hidden=64, cloth_surface=options.cloth_surface and nodes > 0)
    torch.manual_seed(options.seed)
    network = LCA(replace(trained.network.config, deformer=deformer), trained.body)
    missing, unexpected = network.load_state_dict(trained.network.state_dict(), strict=False)
    assert not unexpected and all(key.startswith("node_head.") for key in missing)
    heads = [value for key, value in network.requires_grad_(False).named_parameters() if key.startswith(HEADS)]
    own = [value for key, value in network.named_parameters() if key.startswith(_OWN)]
    known = {id(value) for value in own}
    for value in heads:
        value.requires_grad_()
    groups = [{"params": [value for value in heads if id(value) not in known], "lr": options.lr}]
    if own:  # it begins with nothing
        groups.append({"params": own, "lr": NODE_RATE * options.lr})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    for group in optimizer.param_groups:
        group["highest"] = group["lr"]
    return Arm(name, network.train(), optimizer)


def _read(trained: TrainedNetwork, test_set: TestSet, person: object, options: Options) -> Person:
    generator = step_generator(options.seed, abs(hash_of(person.subject)))  # type: ignore[attr-defined]
    draw = draw_views(generator, person, options.references, len(person.references) - options.references)  # type: ignore
    reader = replace_targets(test_set, draw)
    with torch.no_grad():
        tokens, colors = trained.network.encoded(reader.references, reader.shape)
    return Person(tokens, colors, reader)


def hash_of(name: str) -> int:
    """The same in every process."""
    return int.from_bytes(name.encode()[-4:], "big")


def replace_targets(test_set: TestSet, draw: Draw) -> SubjectBatch:
    """A person's references and all the targets of a draw, without the garments' masks."""
    batch = stacked([test_set.reader.batch(draw.subject, draw.references, draw.targets)])
    return replace(batch, targets=replace(batch.targets, garments=None))


def _learn(
    arms: dict[str, Arm], trained: TrainedNetwork, people: Sequence[Sequence[Person]], step: int, options: Options
) -> None:
    random = np.random.default_rng([options.seed, step])
    of_set = people[step % len(people)]
    person = of_set[int(random.integers(len(of_set)))]
    targets = person.batch.targets
    chosen = random.choice(targets.weights.shape[1], options.targets, replace=False).tolist()
    seen = replace(
        targets,
        images=targets.images[:, chosen],
        masks=targets.masks[:, chosen],
        cameras=targets.cameras[:, chosen],
        driving=replace(
            targets.driving,
            pose=targets.driving.pose[:, chosen],
            expression=targets.driving.expression[:, chosen],
            joint_confidence=targets.driving.joint_confidence[:, chosen],  # type: ignore[index]
        ),
        weights=targets.weights[:, chosen],
        valid=None if targets.valid is None else targets.valid[:, chosen],
    )
    batch = replace(person.batch, targets=seen)
    background = torch.from_numpy(random.random(3, dtype=np.float32))
    rate = min(1.0, (step + 1) / 10) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / options.steps)))
    terms = replace(LOSSES, mask=options.mask, loose_until=round(PULLED * options.steps))
    said = []
    for arm in arms.values():
        read = arm.network.started(person.tokens, person.colors, batch.references, batch.shape)
        code = arm.network.decode(read, batch.shape, trained.training_step)
        outputs = training_renders(arm.network, code, seen, terms, step, _render, background)
        losses = training_losses(outputs, batch, terms, step, trained.lpips)
        total = torch.stack(list(losses.values())).sum()
        arm.optimizer.zero_grad()
        total.backward()
        for group in arm.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        for group in arm.optimizer.param_groups:
            group["lr"] = group["highest"] * rate
        arm.optimizer.step()
        gates = "" if code.nodes is None else f", gates {float(code.nodes.gates.detach().mean()):.3f}"
        said.append(f"{arm.name} {float(losses['posed_person'].detach()):.4f}{gates}")
    if step % 10 == 0:
        print(f"step {step}: {'; '.join(said)}", flush=True)


def _render(gaussians, cameras, background):
    from lca_shared.rendering import rasterize

    return rasterize(gaussians, cameras, background=background)


def _measure(data: str, name: str, model: TrainedNetwork, test_set: TestSet, lpips: LPIPS) -> Measured:
    """A model on a test set."""
    of_people = []
    for draw in test_set.draws:
        code, own = None, []
        for row in draw.targets:
            batch = test_set.batch(draw, row)
            code = model.encode(batch) if code is None else code
            picture, truth, mask = model.picture(code, batch), batch.targets.images[0, 0], person_mask(batch)
            worn = batch.targets.garments
            garment = None if worn is None else mask * worn[0, 0]
            values = {"person": float(masked_psnr(picture, truth, mask)), "split": garment_split(model, code, batch)}
            looked_at = mask if garment is None else garment
            around, on_white = with_surroundings(looked_at, mask), truth * mask + 1 - mask
            values |= {
                "psnr": float(masked_psnr(picture, truth, looked_at)),
                "around": float(masked_psnr(picture, on_white, around)),
                "l1": float(masked_l1(picture, truth, looked_at)),
                "lpips": float(masked_lpips(lpips, picture, truth, looked_at)),
            }
            own.append(values)
        of_people.append({key: fmean(value[key] for value in own) for key in own[0]})
    return Measured(data, name, of_people)


def with_surroundings(garment: Tensor, person: Tensor) -> Tensor:
    """The garment's pixels and the background's up to :data:`AROUND` pixels beside it, [1, h, w]: there, cloth that is
    drawn where there is none counts too."""
    near = torch.nn.functional.max_pool2d((garment > 0.5).to(garment), 2 * AROUND + 1, stride=1, padding=AROUND)
    return near * ((garment > 0.5) | (person < 0.5))


if __name__ == "__main__":
    main(tyro.cli(Options))
