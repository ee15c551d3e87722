"""Synthetic people -> training through ``ns-train`` -> pictures, a video and figures on people never seen.

``make demo`` runs this. Everything lies in ``outputs/demo``; what an earlier run left there is replaced, other files
in that folder are not touched.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro
from tqdm import tqdm

from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.storage import atomic_path, write_json

BIN = Path(sys.executable).parent
RESULTS = ("metrics.json", "metrics.md", "per_image.json", "contact_sheet.png", "driven.mp4")


@dataclass(frozen=True)
class DemoConfig:
    """Train on synthetic people and show what the model makes of people it has never seen."""

    output_dir: Path = Path("outputs/demo")
    """Where everything goes."""
    train_people: int = 40
    """People to train on."""
    test_people: int = 8
    """People held out."""
    frames: int = 10
    """Pictures of each person."""
    size: int = 256
    """Side of the pictures, pixels."""
    steps: int | None = None
    """Training steps; None takes the method's own."""
    seed: int = 0


def main(config: DemoConfig) -> None:
    start = time.monotonic()
    output = config.output_dir.resolve()
    _clear(output)
    lpips = _has_lpips()
    data, training = output / "data", output / "training"
    _make_people(config, data)
    _train(config, data, training, lpips)
    table = _evaluate(output, training, lpips)
    print(f"\n{table}\n")
    _say_where(config.output_dir, training, time.monotonic() - start)


def _clear(output: Path) -> None:
    """Remove an earlier run's results before anything else, so that none can be taken for new ones."""
    output.mkdir(parents=True, exist_ok=True)
    for name in RESULTS:
        (output / name).unlink(missing_ok=True)
    shutil.rmtree(output / "training", ignore_errors=True)


def _has_lpips() -> bool:
    from lca_shared.weights import find_weight

    try:
        find_weight("lpips-alexnet")
    except MissingWeightsError:
        print(
            "LPIPS's weights are neither on disk nor fetchable: going on without LPIPS (set LCA_MODEL_DIR to add it)."
        )
        return False
    return True


def _make_people(config: DemoConfig, data: Path) -> None:
    people = config.train_people + config.test_people
    options = {
        "--output-dir": data,
        "--subjects": people,
        "--test-subjects": config.test_people,
        "--frames": config.frames,
        "--size": config.size,
        "--seed": config.seed,
    }
    print(f"1/3 Making {people} synthetic people with {config.frames} pictures each", flush=True)
    arguments = [str(part) for pair in options.items() for part in pair]
    done = subprocess.run([str(BIN / "lca-data"), "synth", *arguments])
    if done.returncode:
        raise UserError(f"lca-data synth failed (status {done.returncode}); remove {data} and try again.")


def _train(config: DemoConfig, data: Path, training: Path, lpips: bool) -> None:
    command = [str(BIN / "ns-train"), "lca-pretrain-tiny", "--data", str(data), "--output-dir", str(training)]
    command += ["--experiment-name", "demo", "--timestamp", "run", "--vis", "tensorboard"]
    if config.steps is not None:
        command += ["--max-num-iterations", str(config.steps)]
    if not lpips:
        command += ["--pipeline.model.losses.lpips", "0", "--pipeline.model.eval-lpips", "False"]
    print("2/3 " + " ".join(command[:1] and ["ns-train", *command[1:]]), flush=True)
    log = training / "ns-train.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "COLUMNS": "200"})
        try:
            _follow(process, log)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise UserError(f"ns-train failed (status {process.returncode}); {log} ends with:\n{tail}")


def _follow(process: subprocess.Popen, log: Path) -> None:
    """A progress bar from nerfstudio's own log."""
    with tqdm(total=100, unit="%", desc="training", bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}") as bar:
        while process.poll() is None:
            time.sleep(1.0)
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - 4000))
                found = re.findall(r"\((\d+\.\d+)%\)", file.read().decode(errors="replace"))
            if found:
                bar.update(float(found[-1]) - bar.n)
        if process.returncode == 0:
            bar.update(100 - bar.n)


def _evaluate(output: Path, training: Path, lpips: bool) -> str:
    """Score, draw, film; returns the table."""
    import torch

    with warnings.catch_warnings():  # nerfstudio's imports warn of torch's renamed functions
        warnings.simplefilter("ignore", FutureWarning)
        from nerfstudio.utils.eval_utils import eval_setup

    from lca_dataparsers.pictures import write_picture, write_video
    from lca_method.avatar.motion import Motion
    from lca_method.batch import moved_to
    from lca_method.demo.contact_sheet import contact_sheet
    from lca_method.demo.show import HEADINGS, KeptCode, driven_frames, posed_predictor, sheet_row
    from lca_method.evaluation import constant_color, evaluate, mean_person_color, summary

    print("3/3 Evaluating on the people held out", flush=True)
    _, pipeline, _, _ = eval_setup(training / "demo" / "lca-pretrain-tiny" / "run" / "config.yml")
    model, manager = pipeline.model, pipeline.datamanager
    device = model.device
    views = [(row, draw) for draw in manager.eval_draws for row in draw.targets]

    def batches() -> Iterator[tuple]:
        for row, draw in tqdm(views, desc="evaluating", unit="picture"):
            yield row, moved_to(manager.evaluation_batch(draw, row), device)

    with torch.no_grad():
        color = mean_person_color(manager.draw_batch(step) for step in range(2 * len(manager.train_subjects)))
        code = KeptCode(model)
        predictors = {
            "lca": posed_predictor(model, code),
            "baseline_mean_colour": constant_color(color),
            "baseline_flat_render": posed_predictor(model, code, flat=True),
        }
        scores = evaluate(batches(), predictors, model.lpips("alex") if lpips else None)
        people = [moved_to(manager.evaluation_batch(draw, draw.targets[0]), device) for draw in manager.eval_draws]
        rows = []
        for draw in manager.eval_draws:
            for row in draw.targets[:: max(1, len(draw.targets) // 2)][:2]:
                batch = moved_to(manager.evaluation_batch(draw, row), device)
                psnr = next(s.psnr for s in scores["lca"] if (s.subject, s.row) == (draw.subject, row))
                rows.append(sheet_row(model, batch, f"{draw.subject}, frame {row}: {psnr:.1f} dB on person pixels"))
        write_picture(contact_sheet(HEADINGS, rows), output / "contact_sheet.png")
        mover = manager.train_subjects[0]
        recorded = manager.reader.driving(mover.subject, mover.references)
        places = torch.arange(recorded.expression.shape[0], dtype=torch.float64)
        motion = Motion(recorded, places, model.body.driven_joints, model.body.expression_names)
        driving = moved_to(motion.at(torch.linspace(0, float(places[-1]), 72).double()).staying().signal, device)
        frames = driven_frames(model, people[:2], driving, 256)
        write_video(tqdm(frames, desc="filming", total=72, unit="frame"), output / "driven.mp4", fps=24)
    results = {name: summary(values) for name, values in scores.items()}
    write_json(output / "per_image.json", {name: [asdict(s) for s in values] for name, values in scores.items()})
    write_json(output / "metrics.json", results)
    table = _table(results)
    with atomic_path(output / "metrics.md") as temporary:
        temporary.write_text(table + "\n")
    return table


def _table(results: dict[str, dict]) -> str:
    lines = ["| | PSNR (dB) | L1 | LPIPS | images |", "|---|---|---|---|---|"]
    for name, values in results.items():
        lpips = "-" if values["lpips"] is None else f"{values['lpips']:.4f}"
        lines.append(f"| {name} | {values['psnr']:.2f} | {values['l1']:.4f} | {lpips} | {values['images']} |")
    return "\n".join(lines) + "\n\nPerson pixels only, on white; people and poses never trained on."


def _say_where(output: Path, training: Path, seconds: float) -> None:
    config = training / "demo" / "lca-pretrain-tiny" / "run" / "config.yml"
    print(f"Done in {seconds / 60:.1f} minutes. In {output}/:")
    print("  contact_sheet.png  reference views | target | canonical avatar | avatar in the target's pose")
    print("  driven.mp4         people never trained on, moved by another person's recording")
    print("  metrics.json       the table above; metrics.md, per_image.json; data/ and training/ hold the rest")
    print("Next:")
    print(f"  {BIN / 'ns-viewer'} --load-config {config}")
    print(f"  {BIN / 'lca-data'} process YOUR_VIDEO.mp4 --output-dir data/me")


if __name__ == "__main__":
    try:
        main(tyro.cli(DemoConfig, description=__doc__))
    except UserError as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: stopped; nothing half-made is left, start again with `make demo`.")
