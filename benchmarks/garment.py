"""What nodes do for loose garments: the heads trained with and without them, from one checkpoint on the same frames.

    S="lca-data synth --even-light --frames 20 --partial 0 --subjects 40 --test-subjects 12"
    for g in skirt dress coat; do $S --output-dir data/$g --garment $g; done; $S --output-dir data/people
    python -m benchmarks.garment --model RUN --data data/skirt data/dress data/coat --tight data/people

Both copies of the model see the same people, references and targets in the same order. Ordinary heads learn without
nodes, and the model with nodes takes them over and learns nodes with heads of their own; its losses are the same but
for the nodes' own and the outline's weight, which follows until both draw as much beside garments. The encoder is
frozen, so every person is encoded once for both. Everything is measured on held-out people, who wear garments of their
own. A run that was stopped goes on where it was, with the same command.
"""

import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.garment_scores import measure
from benchmarks.garment_table import print_table, stride_sheet
from benchmarks.garment_training import (
    Person,
    Training,
    begin_with,
    learn,
    match,
    new_arm,
    placed_anew,
    read_person,
    resumed,
    save,
)
from benchmarks.machine import describe
from lca_dataparsers.pictures import write_picture
from lca_method.evaluating.test_set import TestSet
from lca_method.hub.model_folder import ModelRecord, write_model
from lca_method.hub.run_facts import dataset_facts
from lca_method.made_with import made_with
from lca_method.networks import LCA
from lca_method.sampling import evaluation_draws
from lca_method.trained_network import TrainedNetwork, load_network

_SAVED_EVERY = 20


@dataclass(frozen=True)
class Options:
    """What to train on, and what to measure."""

    model: str
    """A trained model without nodes."""
    data: tuple[Path, ...]
    """Datasets with masks of garments."""
    tight: Path
    """A dataset of people in tight clothing, as often drawn as each of the others; who wears a skirt or dress there is
    left out: these follow the legs."""
    training: Training = field(default_factory=Training)
    train_people: int = 30
    """Of each dataset, at most."""
    validation_people: int = 3
    """Of each dataset's people to learn from, so many, the last ones, are kept out (``Training.match``)."""
    validate: bool = False
    """Measure those in place of the test people: to choose by."""
    test_people: int = 12
    """Of each dataset, at most."""
    test_pictures: int = 8
    """Of each."""
    begin: Path | None = None
    """The output folder of an earlier run whose networks to begin with."""
    output: Path = Path("outputs/garment")
    """Gets state.pt (both models, their optimisers and the step), sheet.png (of validation, validation.png), and the
    models' folders ``without`` and ``with``, which `lca create --model` takes."""


def main(options: Options) -> None:
    """Train, measure, print."""
    training = options.training
    given = load_network(options.model)
    trained = replace(given, network=placed_anew(given.network, training.tokens, training.face_share))
    arms = {name: new_arm(name, trained, training) for name in ("without", "with")}
    if options.begin is not None:
        begin_with(arms, options.begin)
    sets = [_people(root, trained, options) for root in (*options.data, options.tight)]
    first = resumed(arms, options.output)
    if first < training.steps and not options.validate:
        kept_out = options.validation_people
        learned = [each.trained[: len(each.trained) - kept_out][: options.train_people] for each in sets]
        people = [[read_person(trained, each, one, training) for one in of] for each, of in zip(sets, learned)]
        judges = _kept_out(trained, sets, options)
        print(f"{sum(map(len, people))} people to learn from are read; from step {first}", flush=True)
        began = time.process_time()
        for step in range(first, training.steps):
            learn(arms, trained, people, step, training)
            if judges:
                match(arms, trained, judges, step)
            if (step + 1) % _SAVED_EVERY == 0 or step + 1 == training.steps:
                save(arms, step + 1, options.output)
        spent = (time.process_time() - began) / (training.steps - first)
        print(f"{training.steps - first} steps: {spent:.2f} s of the processor each, for both", flush=True)
    for name, arm in arms.items():
        made = made_with(arm.network.config, trained.body)
        steps, about = trained.steps + training.steps, _about(arm.network, options)
        record = ModelRecord(trained.settings, "lca-garment-small", steps, about=about)
        write_model(options.output / name, arm.network.eval().state_dict(), made, record)
    models = {"before": given} | {name: replace(trained, network=arm.network) for name, arm in arms.items()}
    rows, measured, lpips = [], [], trained.lpips()
    for root, each in zip((*options.data, options.tight), sets):
        measured += [measure(root.name, name, model, each, lpips) for name, model in models.items()]
        rows += stride_sheet(root.name, models, each)
        print(f"{root.name} is measured", flush=True)
    print_table(measured)
    sheet = options.output / ("validation.png" if options.validate else "sheet.png")
    write_picture(np.concatenate(rows, axis=0), sheet)
    print(f"On {describe()}; pictures: {sheet}")


def _about(network: LCA, options: Options) -> dict[str, Any]:
    """For the model's card, as of ``record_of_run``."""
    training = options.training
    facts = {
        "device": "1 x cpu",
        "people a step": 1,
        "target pictures of each": training.targets,
        "reference pictures of each": training.references,
        "numbers": "float32",
        "seed": training.seed,
    }
    return {
        "parameters": sum(value.numel() for value in network.parameters()),
        "data": [dataset_facts(root) for root in (*options.data, options.tight)],
        "training": facts,
        "evaluation": None,
        "began_from": options.model if options.begin is None else f"{options.model}, trained by benchmarks.garment",
    }


def _kept_out(trained: TrainedNetwork, sets: list[TestSet], options: Options) -> list[Person]:
    """In loose garments, if the outline's weight follows on them."""
    if options.training.match != "kept_out":
        return []
    kept = options.validation_people
    if not kept:
        raise SystemExit("--training.match kept_out looks at people kept out: --validation-people 3, or another match.")
    found = [read_person(trained, each, one, options.training) for each in sets for one in each.trained[-kept:]]
    return [person for person in found if person.loose]


def _people(root: Path, trained: TrainedNetwork, options: Options) -> TestSet:
    """A dataset's people, those to measure among them."""
    references = options.training.references
    found = TestSet.open(root, trained, references, options.test_pictures, -1)
    if root == options.tight:
        found = _in_trousers(found)
    if options.validate:
        kept_out = found.trained[len(found.trained) - options.validation_people :]
        found = replace(found, draws=evaluation_draws(kept_out, references, options.test_pictures))
    return replace(found, draws=found.draws[: options.test_people])


def _in_trousers(found: TestSet) -> TestSet:
    people = found.reader.dataset.subjects

    def wears_trousers(subject: str) -> bool:
        outfit = " ".join(people[subject].info.report.get("outfit", ()))
        return "skirt" not in outfit and "dress" not in outfit

    draws = [draw for draw in found.draws if wears_trousers(draw.subject)]
    return replace(found, draws=draws, trained=[each for each in found.trained if wears_trousers(each.subject)])


if __name__ == "__main__":
    main(tyro.cli(Options))
