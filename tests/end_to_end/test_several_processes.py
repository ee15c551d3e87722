"""Training on several processes without CUDA, by the user's commands."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lca_method.checkpoints import latest_checkpoint, load_checkpoint

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
SMALL = (
    "--pipeline.model.network.placement.tokens", "48", "--pipeline.model.eval-lpips", "False",
    "--pipeline.datamanager.image-size", "32", "--pipeline.datamanager.face-size", "16",
    "--pipeline.datamanager.target-size", "32", "--pipeline.datamanager.prefetch-steps", "0",
    "--vis", "tensorboard", "--logging.steps-per-log", "1", "--logging.local-writer.enable", "False",
    "--steps-per-eval-batch", "1000", "--steps-per-eval-image", "1000", "--pipeline.average.decay", "0.9",
)  # fmt: skip
TWO = ("--machine.num-devices", "2")
AS_ONE = ("--pipeline.datamanager.subjects-per-step", "2")
TORCHRUN = ("torchrun", "--standalone", "--nproc-per-node", "2", "--no-python")


def command(
    people: Path,
    output: Path,
    name: str,
    *more: str,
    launcher: tuple[str, ...] = (),
    steps: int = 6,
    method: str = "lca-pretrain-tiny",
) -> list:
    arguments = [method, "--data", people, "--output-dir", output, "--timestamp", name, *SMALL]
    program = [BIN / launcher[0], *launcher[1:]] if launcher else []
    return [*map(str, [*program, BIN / "lca-train", *arguments, "--max-num-iterations", steps, *more])]


def finished(arguments: list, returncode: int = 0) -> str:
    done = subprocess.run(
        arguments, capture_output=True, text=True, timeout=900, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == returncode, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def run_of(output: Path, name: str) -> Path:
    return next(output.glob(f"*/lca-pretrain-*/{name}"))


def losses(run: Path) -> dict[int, float]:
    """Loss over all processes by step."""
    events = EventAccumulator(str(run))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("Train Metrics Dict/loss")}


def weights(run: Path) -> dict[str, torch.Tensor]:
    state = load_checkpoint(latest_checkpoint(run / "nerfstudio_models"))["pipeline"]
    return {name.replace("_model.module.", "_model."): value for name, value in state.items()}


@pytest.fixture(scope="module")
def one_process(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("one_process")
    finished(command(small_dataset, output, "one", *AS_ONE))
    return run_of(output, "one")


@pytest.fixture(scope="module")
def two_processes(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("two_processes")
    finished(
        command(small_dataset, output, "two", *TWO, "--save-only-latest-checkpoint", "False", "--steps-per-save", "3")
    )
    return run_of(output, "two")


def test_two_processes_have_the_losses_of_one_with_as_many_people(one_process: Path, two_processes: Path) -> None:
    expected, found = losses(one_process), losses(two_processes)
    assert sorted(found) == sorted(expected) == list(range(6))
    assert len(set(expected.values())) == 6
    for step, value in expected.items():
        assert found[step] == pytest.approx(value, rel=1e-4), step


def test_learned_codes_have_the_losses_of_one_process_too(small_dataset: Path, tmp_path: Path) -> None:
    """Noise, dropout and changes of faces are each person's own, and losses that compare people see them all."""
    alike = ("--pipeline.datamanager.targets-per-step", "2", "--pipeline.datamanager.references", "2", "2")
    alike += ("--pipeline.model.losses.whole-step-every", "2")
    for name, more in (("one", AS_ONE), ("two", (*TWO, "--pipeline.datamanager.subjects-per-step", "1"))):
        finished(command(small_dataset, tmp_path, name, *alike, *more, steps=4, method="lca-pretrain-face-tiny"))
    expected, found = (losses(run_of(tmp_path, name)) for name in ("one", "two"))
    assert sorted(found) == sorted(expected) == list(range(4))
    assert len(set(expected.values())) == 4
    for step, value in expected.items():
        assert found[step] == pytest.approx(value, rel=1e-3), step
    for name, value in weights(run_of(tmp_path, "one")).items():
        if "expression.encoder" in name:
            torch.testing.assert_close(weights(run_of(tmp_path, "two"))[name], value, atol=1e-3, rtol=1e-2, msg=name)


def test_torchrun_trains_the_same(small_dataset: Path, two_processes: Path, tmp_path: Path) -> None:
    finished(command(small_dataset, tmp_path, "run", launcher=TORCHRUN))
    assert losses(run_of(tmp_path, "run")) == pytest.approx(losses(two_processes), rel=1e-5)


def test_a_killed_training_resumes_to_the_same_losses(small_dataset: Path, two_processes: Path, tmp_path: Path) -> None:
    arguments = command(small_dataset, tmp_path, "killed", *TWO, "--steps-per-save", "1", steps=6)
    process = subprocess.Popen(
        arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    deadline = time.monotonic() + 300
    try:
        while not list(tmp_path.glob("*/*/killed/nerfstudio_models/step-00000000[2-4].ckpt")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    kept = tmp_path / "kept"
    kept.mkdir()
    last = latest_checkpoint(run_of(tmp_path, "killed") / "nerfstudio_models")
    shutil.copy(last, kept)
    first = int(re.findall(r"\d+", last.name)[0]) + 1
    assert 0 < first < 6
    finished(command(small_dataset, tmp_path, "rest", *TWO, "--load-dir", str(kept)))
    rest, whole = losses(run_of(tmp_path, "rest")), losses(two_processes)
    assert rest == pytest.approx({step: whole[step] for step in range(first, 6)}, rel=1e-6)
    for name, value in weights(two_processes).items():
        torch.testing.assert_close(weights(run_of(tmp_path, "rest"))[name], value, msg=name)


def test_one_message_names_the_way_out(small_dataset: Path, tmp_path: Path) -> None:
    said = finished(
        command(small_dataset, tmp_path, "bad", "--machine.num-devices", "2", "--machine.device-type", "cuda"), 1
    )
    assert "CUDA devices" in said and "Traceback" not in said
    said = finished(command(tmp_path / "nothing", tmp_path, "gone", *TWO), 1)
    assert "nothing" in said
    plain = [BIN / "ns-train", *command(small_dataset, tmp_path, "ns", *TWO)[1:]]
    assert "lca-train" in finished(plain, 1)
