"""Runs the parts of ``lca eval``: each test set with each number of reference views; finished parts are kept."""

import hashlib
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

from tqdm import tqdm

from lca_dataparsers.pictures import write_picture
from lca_method.analysis.writing import device_named
from lca_method.batch import moved_to
from lca_method.checkpoints import fingerprint
from lca_method.demo.contact_sheet import contact_sheet
from lca_method.evaluating.command import EvalConfig
from lca_method.evaluating.garment_split import garment_split
from lca_method.evaluating.report import Part, markdown, print_table, write_pictures_csv
from lca_method.evaluating.scores import PictureScore, intervals, means_of_people, score_picture
from lca_method.evaluating.side_by_side import HEADINGS, side_by_side
from lca_method.evaluating.test_set import TestSet
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.subject import SubjectCode
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.errors import SchemaError, UserError
from lca_shared.perceptual import LPIPS
from lca_shared.storage import atomic_path, check_schema, read_json, write_json

SCHEMA = ("evaluation", 2)


def evaluate_and_write(config: EvalConfig) -> None:
    """See :func:`lca_method.evaluating.command.run`."""
    _check(config)
    trained = load_network(config.checkpoint, device_named(config.device))
    lpips = trained.lpips() if config.lpips else None
    output = config.output_dir or trained.folder / "eval"
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
    learned = isinstance(trained.network.driving_vector.expression, LearnedExpression)
    if learned if config.expression is None else config.expression:
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


def _score(
    trained: TrainedNetwork, data: Path, references: int, config: EvalConfig, lpips: LPIPS | None
) -> list[PictureScore]:
    test_set = TestSet.open(data, trained, references, config.targets_per_subject, config.max_subjects)
    description = f"{data.resolve().name}, {references} references"
    scores = []
    with tqdm(desc=description, unit="picture", total=sum(len(draw.targets) for draw in test_set.draws)) as progress:
        for draw in test_set.draws:
            code: SubjectCode | None = None
            for row in draw.targets:
                batch = moved_to(test_set.batch(draw, row), trained.device)
                code = trained.encode(batch) if code is None else code  # a person is made once
                score = score_picture(trained.picture(code, batch), batch, row, trained.body, lpips)
                split = garment_split(trained, code, batch)
                scores.append(replace(score, values={**score.values, "garment_split": split}))
                progress.update()
    return scores


def _draw_sheet(trained: TrainedNetwork, data: Path, config: EvalConfig, path: Path) -> None:
    test_set = TestSet.open(data, trained, max(config.references), config.targets_per_subject, config.sheet_people)
    rows = []
    for draw in test_set.draws:
        batch = moved_to(test_set.batch(draw, draw.targets[len(draw.targets) // 2]), trained.device)
        rows.append(side_by_side(trained, batch, f"{draw.subject}, {len(draw.references)} references"))
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
