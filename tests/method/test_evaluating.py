"""``lca eval``: its figures are those of ``ns-eval``, its intervals know how few people there are."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from nerfstudio.utils.eval_utils import eval_setup
from small_people import write_people
from small_runs import small_run, trained

from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.writing import write_shards
from lca_method.cli import main
from lca_method.evaluating.bootstrap import bootstrap_mean
from lca_method.evaluating.scores import PictureScore, intervals, means_of_people
from lca_method.lca_trainer import LCATrainer

OPTIONS = ("--no-lpips", "--targets-per-subject", "3", "--device", "cpu")


@pytest.fixture(scope="module")
def run_folder(people: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LCATrainer]:
    config = small_run(people, tmp_path_factory.mktemp("eval"), steps=2)
    config.pipeline.datamanager.eval_references = 1  # type: ignore[attr-defined]
    config.pipeline.datamanager.eval_targets_per_subject = 3  # type: ignore[attr-defined]
    config.save_config()
    trainer = trained(config)
    return trainer.base_dir, trainer


@pytest.fixture(scope="module")
def evaluated(run_folder: tuple[Path, LCATrainer], people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("results")
    arguments = ["eval", "--checkpoint", run_folder[0], "--data", people, "--references", "2", "1", *OPTIONS]
    assert main([*map(str, arguments), "--output-dir", str(output)]) == 0
    return output


def test_the_figures_are_those_of_ns_eval(run_folder: tuple[Path, LCATrainer], evaluated: Path) -> None:
    _, pipeline, _, _ = eval_setup(run_folder[0] / "config.yml")
    loader = pipeline.datamanager.fixed_indices_eval_dataloader
    theirs = pipeline.get_average_image_metrics(loader, image_prefix="eval")
    rows = [row for row in csv.DictReader((evaluated / "per_image.csv").open()) if row["references"] == "1"]
    assert len(rows) == theirs["images"]
    for name in ("psnr", "l1"):
        ours = np.mean([float(row[f"person_{name}"]) for row in rows])
        assert ours == pytest.approx(theirs[name], rel=1e-5)


def test_what_is_written_fits_together(evaluated: Path) -> None:
    content = json.loads((evaluated / "eval.json").read_text())
    assert [part["references"] for part in content["results"]] == [2, 1]
    for part in content["results"]:
        means = part["means"]["person_psnr"]
        assert means["low"] <= means["mean"] <= means["high"]
        own = [values["person_psnr"] for values in part["per_subject"].values()]
        assert means["mean"] == pytest.approx(np.mean(own)) and len(own) == part["subjects"]
        assert part["means"]["person_lpips"] is None
    assert (evaluated / "people.png").stat().st_size > 1000
    assert "| people | 1 |" in (evaluated / "eval.md").read_text()


def test_finished_parts_are_not_done_again(
    run_folder: tuple[Path, LCATrainer], people: Path, evaluated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (evaluated / "eval.md").read_text()
    monkeypatch.setattr("lca_method.evaluating.evaluation_run.score_picture", None)  # would fail if called
    arguments = ["eval", "--checkpoint", run_folder[0], "--data", people, "--references", "2", "1", *OPTIONS]
    assert main([*map(str, arguments), "--output-dir", str(evaluated), "--sheet-people", "0"]) == 0
    assert (evaluated / "eval.md").read_text() == before


def test_shards_give_the_figures_of_their_folder(
    run_folder: tuple[Path, LCATrainer], people: Path, evaluated: Path, tmp_path: Path
) -> None:
    write_shards(ShardConfig(people, tmp_path / "people", block_frames=4))
    arguments = ["eval", "--checkpoint", run_folder[0], "--data", tmp_path / "people", "--references", "2", "1"]
    assert main([*map(str, arguments), *OPTIONS, "--output-dir", str(tmp_path / "results")]) == 0
    assert (tmp_path / "results" / "eval.md").read_text() == (evaluated / "eval.md").read_text()


def test_a_test_set_needs_nobody_to_train_on(run_folder: tuple[Path, LCATrainer], tmp_path: Path) -> None:
    root = write_people(tmp_path / "held_out", {"fine": "test", "gert": "test"}, frames=4)
    arguments = ["eval", "--checkpoint", run_folder[0], "--data", root, "--references", "1", *OPTIONS]
    assert main([*map(str, arguments), "--output-dir", str(tmp_path / "results"), "--sheet-people", "0"]) == 0
    assert "| held_out | 1 | 2 / 6 |" in (tmp_path / "results" / "eval.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--checkpoint", "{nowhere}", "--data", "{people}"), "does not exist"),
        (("--checkpoint", "{run}", "--data", "{nowhere}"), "is not a dataset"),
        (("--checkpoint", "{run}", "--data", "{people}", "{people}"), "two are equal"),
        (("--checkpoint", "{run}", "--data", "{people}", "--references", "0"), "at least 1"),
    ],
)
def test_bad_input_is_one_line(arguments, said, run_folder, people, tmp_path, capsys) -> None:
    places = {"nowhere": tmp_path / "nowhere", "run": run_folder[0], "people": people}
    filled = [argument.format(**places) for argument in arguments]
    assert main(["eval", *filled, *OPTIONS, "--output-dir", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("lca: ") and said in error


def test_an_interval_holds_the_mean_shrinks_with_people_and_knows_no_order() -> None:
    generator = np.random.default_rng(0)
    few, many = generator.normal(20, 2, 8).tolist(), generator.normal(20, 2, 800).tolist()
    small, large = bootstrap_mean(few), bootstrap_mean(many)
    assert small is not None and large is not None
    assert small.low < small.mean < small.high and large.low < large.mean < large.high
    assert (large.high - large.low) < 0.2 * (small.high - small.low)
    # the known width of a mean's 95 % interval: 2 x 1.96 deviations over the root of the number
    assert large.high - large.low == pytest.approx(2 * 1.96 * np.std(many) / math.sqrt(800), rel=0.1)
    assert bootstrap_mean(few[::-1]) == small
    assert bootstrap_mean([*few, math.nan]) == small
    assert bootstrap_mean([math.nan]) is None


def test_people_count_the_same_whatever_their_pictures() -> None:
    scores = [PictureScore("a", row, {"person_psnr": 10.0}) for row in range(9)] + [
        PictureScore("b", 0, {"person_psnr": 20.0}),
        PictureScore("b", 1, {"person_psnr": math.nan}),
    ]
    assert means_of_people(scores) == {"a": {"person_psnr": 10.0}, "b": {"person_psnr": 20.0}}
    mean = intervals(scores, samples=50, seed=0)["person_psnr"]
    assert mean is not None and mean.mean == 15.0


def test_parts_lie_inside_the_person(run_folder: tuple[Path, LCATrainer]) -> None:
    from lca_method.evaluating.scores import region_masks

    manager, model = run_folder[1].pipeline.datamanager, run_folder[1].pipeline.model
    draw = manager.eval_draws[0]
    masks = region_masks(manager.evaluation_batch(draw, draw.targets[0]), model.body)
    assert set(masks) == {"person", "face", "hands", "garment"} and not masks["garment"].any()  # none is known
    for part in ("face", "hands"):
        assert not (masks[part] & ~masks["person"]).any()
    assert not (masks["face"] & masks["hands"]).any() or torch.equal(masks["face"], masks["hands"])
