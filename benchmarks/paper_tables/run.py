"""Makes the data, trains the stages of a row one after the other, scores it; whatever is finished is not done again."""

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.paper_tables.plan import Row, Sizes, Stage
from lca_shared.storage import read_json, write_json

BIN = Path(sys.executable).parent
TEST_SETS = ("studio", "wild")
METRICS = ("psnr", "l1", "ssim", "lpips")


def make_data(sizes: Sizes, root: Path) -> dict[str, Path]:
    """Synthetic people, wild and studio, training and held-out ones disjoint; finished people are kept."""
    wild = {"--kind": "wild", "--frames": sizes.wild_frames, "--seed": 11}
    studio = {"--kind": "studio", "--frames": sizes.studio_moments, "--cameras": sizes.studio_cameras, "--seed": 12}
    wanted = {
        "wild": (wild, sizes.wild_people, sizes.test_people),
        "studio": (studio, sizes.studio_people, sizes.test_people),
        **{f"wild_{count}": (wild, count, 0) for count in sizes.fewer_people},
    }
    for name, (options, train, test) in wanted.items():
        counts = {"--subjects": train + test, "--test-subjects": test, "--size": sizes.image_size}
        flat = [str(part) for pair in {**options, **counts}.items() for part in pair]
        _run("lca-data", "synth", "--output-dir", str(root / name), *flat)
    return {name: root / name for name in wanted}


def run_row(row: Row, seed: int, sizes: Sizes, data: dict[str, Path], root: Path, lpips: bool) -> dict[str, Any]:
    """Train and score a row with one seed; a row that was finished with the same settings is read back."""
    content = {"row": asdict(row), "seed": seed, "sizes": asdict(sizes), "lpips": lpips}
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    done = root / "rows" / f"{key}.json"
    if done.exists():
        return json.loads(done.read_text())
    config = _trained(row.stages, seed, data, root / "runs", lpips)
    scores = _scored(config, data, sizes, lpips, root / "rows" / f"{key}.log")
    done.parent.mkdir(parents=True, exist_ok=True)
    write_json(done, {**content, "scores": scores})
    return json.loads(done.read_text())


def _trained(stages: tuple[Stage, ...], seed: int, data: dict[str, Path], runs: Path, lpips: bool) -> Path:
    """``config.yml`` of the last stage; rows that begin alike share their first stages."""
    before: Path | None = None
    for end in range(1, len(stages) + 1):
        content = json.dumps([[asdict(stage) for stage in stages[:end]], seed, lpips])
        name = hashlib.sha256(content.encode()).hexdigest()[:12]
        stage = stages[end - 1]
        folder = runs / name / stage.method / "run"
        if not (folder / "finished").exists():
            _train(stage, seed, data, runs, name, before, lpips)
            (folder / "finished").touch()
        before = folder / "config.yml"
    assert before is not None
    return before


def _train(
    stage: Stage, seed: int, data: dict[str, Path], runs: Path, name: str, before: Path | None, lpips: bool
) -> None:
    command = ["ns-train", stage.method, "--output-dir", str(runs), "--experiment-name", name, "--timestamp", "run"]
    command += ["--vis", "tensorboard", "--max-num-iterations", str(stage.steps)]
    command += ["--machine.seed", str(seed), "--pipeline.datamanager.seed", str(seed), *stage.options]
    if not lpips:
        command += ["--pipeline.model.losses.lpips", "0", "--pipeline.model.eval-lpips", "False"]
    if before is not None:
        command += ["--pipeline.model.pretrained", str(before)]
    saved = runs / name / stage.method / "run" / "nerfstudio_models"
    if list(saved.glob("step-*.ckpt")):
        command += ["--load-dir", str(saved)]
    if len(stage.data) == 1:
        path = data[stage.data[0]]
        command += ["--data", str(path), "lca-studio" if stage.data[0].startswith("studio") else "lca-wild"]
    else:
        command += ["--pipeline.datamanager.datasets", *(str(data[part]) for part in stage.data)]
    _run(*command, log=runs / name / f"{stage.method}.log")


def _scored(
    config: Path, data: dict[str, Path], sizes: Sizes, lpips: bool, log: Path
) -> dict[str, dict[str, float | int | None]]:
    """Test set -> figures of ``lca eval``, which also leaves its pictures and per-person rows beside the run."""
    output = config.parent / "eval"
    command = ["lca", "eval", "--checkpoint", str(config), "--output-dir", str(output)]
    command += ["--data", *(str(data[name]) for name in TEST_SETS), "--targets-per-subject", "8"]
    command += ["--references", *(str(count) for count in sizes.references), "--sheet-people", "4"]
    _run(*command, *([] if lpips else ["--no-lpips"]), log=log)
    scores: dict[str, dict[str, float | int | None]] = {}
    for part in read_json(output / "eval.json")["results"]:
        if part["references"] == sizes.references[0]:
            means = {name: part["means"][f"person_{name}"] for name in METRICS}
            figures = {name: None if value is None else value["mean"] for name, value in means.items()}
            scores[part["test_set"]] = {**figures, "images": part["images"], "people": part["subjects"]}
    return scores


def _run(*command: str, log: Path | None = None) -> None:
    print("$", " ".join(command), flush=True)
    if log is None:
        status = subprocess.run([str(BIN / command[0]), *command[1:]]).returncode
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as file:
            status = subprocess.run([str(BIN / command[0]), *command[1:]], stdout=file, stderr=file).returncode
    if status:
        raise SystemExit(f"{command[0]} ended with status {status}" + (f"; see {log}" if log else ""))
