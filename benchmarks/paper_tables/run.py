"""Makes the data, trains the stages of a row one after the other, scores it; whatever is finished is not done again."""

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.paper_tables.plan import Row, Sizes, Stage
from lca_shared.storage import write_json

BIN = Path(sys.executable).parent
TEST_SETS = ("studio", "wild")


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
    scores = {name: _scored(config, data[name], sizes.references[0], lpips) for name in TEST_SETS}
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


def _scored(config: Path, data: Path, references: int, lpips: bool) -> dict[str, Any]:
    """In a process of its own: nerfstudio's set-up keeps what it made."""
    code = (
        "import json, sys; from pathlib import Path; "
        "from benchmarks.paper_tables.score import scored; config, data, references, lpips = sys.argv[1:]; "
        "print('SCORES', json.dumps(scored(Path(config), Path(data), int(references), lpips == '1')))"
    )
    arguments = [str(config), str(data), str(references), str(int(lpips))]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"scoring {config} on {data} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.rsplit("SCORES ", 1)[1])


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
