"""Runs the parts of ``lca eval``: each test set with each number of reference views; finished parts are kept."""

import hashlib
import json
import math
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from lca_method.batch import moved_to
from lca_method.demo.contact_sheet import contact_sheet
from lca_method.demo.files import write_picture
from lca_method.evaluating.command import EvalConfig
from lca_method.evaluating.report import Part, markdown, print_table, write_pictures_csv
from lca_method.evaluating.scores import PictureScore, intervals, means_of_people, score_picture
from lca_method.evaluating.side_by_side import HEADINGS, side_by_side
from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import atomic_path, check_schema, read_json, write_json

SCHEMA = ("evaluation", 1)


def evaluate_and_write(config: EvalConfig) -> None:
    """See :func:`lca_method.evaluating.command.run`."""
    _check(config)
    with warnings.catch_warnings():  # nerfstudio's imports warn of torch's renamed functions
        warnings.simplefilter("ignore", FutureWarning)
        from lca_method.lca_trained import Trained, fingerprint, load_trained

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    trained: Trained = load_trained(config.checkpoint, torch.device(device))
    lpips = trained.model.lpips("alex") if config.lpips else None
    output = config.output_dir or trained.checkpoint.parent.parent / "eval"
    stamp = fingerprint(trained.checkpoint)
    parts = []
    for data in config.data:
        for references in config.references:
            key = [
                stamp,
                str(data.resolve()),
                references,
                config.targets_per_subject,
                config.max_subjects,
                config.lpips,
            ]
            path = output / "parts" / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:16]}.json"
            scores = _read(path)
            if scores is None:
                scores = _score(trained, data, references, config, lpips)
                _write(path, scores)
            averages = intervals(scores, config.bootstrap_samples, config.seed)
            parts.append(Part(data.resolve().name, references, averages, means_of_people(scores), scores))
        if config.sheet_people:
            _draw_sheet(trained, data, config, output / f"{data.resolve().name}.png")
    extra = {}
    if config.expression:
        from lca_method.evaluating.expression_part import expression_of

        extra = {data.resolve().name: expression_of(trained, data, config) for data in config.data}
    content = {
        "kind_of_file": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "checkpoint": str(trained.checkpoint),
        "sha256": stamp,
        "options": {k: v for k, v in asdict(config).items() if k not in ("checkpoint", "data", "output_dir")},
        "results": [part.as_json() for part in parts],
        "expression": extra,
    }
    write_json(output / "eval.json", content)
    with atomic_path(output / "eval.md") as temporary:
        temporary.write_text(markdown(parts, extra) + "\n")
    write_pictures_csv(parts, output / "per_image.csv")
    print_table(parts, extra)
    sheets = " and a sheet for each test set" if config.sheet_people else ""
    print(f"Wrote {output}/eval.json, eval.md, per_image.csv{sheets}.")


def _check(config: EvalConfig) -> None:
    names = [data.resolve().name for data in config.data]
    if not names:
        raise UserError("Name at least one dataset with --data.")
    if len(set(names)) < len(names):
        raise UserError(f"Test sets are told apart by their folders' names, and two are equal: {', '.join(names)}.")
    if not config.references or min(config.references) < 1:
        raise UserError("--references needs one number or more, each at least 1.")


def _views(manager: Any, device: torch.device, description: str) -> Iterator[tuple]:
    views = [(draw, row) for draw in manager.eval_draws for row in draw.targets]
    for draw, row in tqdm(views, desc=description, unit="picture"):
        yield row, moved_to(manager.evaluation_batch(draw, row), device)


def _score(trained: Any, data: Path, references: int, config: EvalConfig, lpips: Any) -> list[PictureScore]:
    model = trained.model
    manager = trained.people_of(data, references, config.targets_per_subject, config.max_subjects)
    description = f"{data.resolve().name}, {references} references"
    scores = []
    with torch.no_grad():
        for row, batch in _views(manager, model.device, description):
            picture = model.get_outputs_for_batch(batch)["rgb"].movedim(-1, 0)
            scores.append(score_picture(picture, batch, row, model.body, lpips))
    return scores


def _draw_sheet(trained: Any, data: Path, config: EvalConfig, path: Path) -> None:
    manager = trained.people_of(data, max(config.references), config.targets_per_subject, config.sheet_people)
    rows = []
    with torch.no_grad():
        for draw in manager.eval_draws:
            batch = moved_to(manager.evaluation_batch(draw, draw.targets[len(draw.targets) // 2]), trained.model.device)
            rows.append(side_by_side(trained.model, batch, f"{draw.subject}, {len(draw.references)} references"))
    write_picture(contact_sheet(HEADINGS, rows), path)


def _read(path: Path) -> list[PictureScore] | None:
    """Scores of a part that was finished; None if it was not, or by a release that wrote them otherwise."""
    if not path.exists():
        return None
    content = read_json(path)
    try:
        check_schema(content, path, *SCHEMA)
    except SchemaError:
        return None
    return [
        PictureScore(s["subject"], s["row"], {k: math.nan if v is None else v for k, v in s["values"].items()})
        for s in content["scores"]
    ]


def _write(path: Path, scores: list[PictureScore]) -> None:
    plain = [
        {
            "subject": s.subject,
            "row": s.row,
            "values": {k: None if math.isnan(v) else v for k, v in s.values.items()},
        }
        for s in scores
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {"kind_of_file": SCHEMA[0], "schema_version": SCHEMA[1], "scores": plain})
