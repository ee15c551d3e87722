"""nerfstudio's own commands on a model that its own command trained."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None, reason="ns-render needs ffmpeg (Debian: apt-get install ffmpeg)"
)
QUICK = ("--pipeline.model.losses.lpips", "0", "--pipeline.model.eval-lpips", "False", "--vis", "tensorboard")


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, "COLUMNS": "200"})


def test_eval_writes_means_and_a_line_for_each_picture(trained_tiny: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    done = run(
        "ns-eval", "--load-config", trained_tiny, "--output-path", output, "--render-output-path", tmp_path / "r"
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = json.loads(output.read_text())["results"]
    rows = list(csv.DictReader((tmp_path / "r" / "per_image.csv").open()))
    assert results["images"] == len(rows) > 0
    assert results["psnr"] == pytest.approx(np.mean([float(row["psnr"]) for row in rows]))
    assert {row["subject"] for row in rows} == {"emil"}


def camera_path(path: Path, frames: int) -> Path:
    """A quarter circle around a standing person, as nerfstudio's viewer writes it; time runs from 0 to 1."""
    cameras = []
    for index in range(frames):
        angle = 0.25 * np.pi * index / (frames - 1)
        back = np.array([np.sin(angle), -np.cos(angle), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        matrix = np.eye(4)
        matrix[:3, :3] = np.stack([np.cross(up, back), up, back], axis=1)
        matrix[:3, 3] = 3.2 * back
        cameras.append(
            {"camera_to_world": matrix.flatten().tolist(), "fov": 50, "aspect": 1, "render_time": index / (frames - 1)}
        )
    content = {"camera_type": "perspective", "render_height": 96, "render_width": 96, "camera_path": cameras}
    path.write_text(json.dumps({**content, "fps": 24, "seconds": frames / 24, "crop": None}))
    return path


@needs_ffmpeg
def test_render_along_a_camera_path(trained_tiny: Path, tmp_path: Path) -> None:
    path = camera_path(tmp_path / "path.json", frames=4)
    done = run(
        "ns-render", "camera-path", "--load-config", trained_tiny, "--camera-path-filename", path,
        "--output-format", "images", "--image-format", "png", "--output-path", tmp_path / "renders",
        "--rendered-output-names", "rgb", "accumulation", "depth",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    pictures = [np.asarray(Image.open(p)).astype(int) for p in sorted((tmp_path / "renders").glob("*.png"))]
    assert len(pictures) == 4 and pictures[0].shape == (96, 3 * 96, 3)
    assert pictures[0][:, :96].std() > 5  # somebody is there
    assert np.abs(pictures[0] - pictures[3]).mean() > 0.5  # the camera and the person moved


@needs_ffmpeg
def test_render_between_evaluation_cameras(trained_tiny: Path, tmp_path: Path) -> None:
    done = run(
        "ns-render", "interpolate", "--load-config", trained_tiny, "--interpolation-steps", "2",
        "--output-path", tmp_path / "video.mp4",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert (tmp_path / "video.mp4").stat().st_size > 1000


def checkpoints(run_folder: Path) -> list[Path]:
    return sorted((run_folder / "nerfstudio_models").glob("step-*.ckpt"))


def test_a_killed_training_resumes_from_its_last_whole_checkpoint(small_dataset: Path, tmp_path: Path) -> None:
    base = ["ns-train", "lca-pretrain-tiny", "--data", str(small_dataset), "--output-dir", str(tmp_path), *QUICK]
    killed = tmp_path / "people" / "lca-pretrain-tiny" / "killed"
    process = subprocess.Popen(
        [
            str(BIN / base[0]),
            *base[1:],
            "--timestamp",
            "killed",
            "--steps-per-save",
            "1",
            "--max-num-iterations",
            "500",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + 600
    while not (checkpoints(killed) and checkpoints(killed)[-1].name >= "step-000000003.ckpt"):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (last,) = checkpoints(killed)[-1:]
    step = torch.load(last, weights_only=True)["step"]
    done = run(
        *base, "--timestamp", "resumed", "--load-dir", killed / "nerfstudio_models", "--max-num-iterations", step + 3
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (path,) = checkpoints(killed.parent / "resumed")
    assert torch.load(path, weights_only=True)["step"] == step + 2


def test_a_checkpoint_of_another_config_is_one_clear_error(
    trained_tiny: Path, small_dataset: Path, tmp_path: Path
) -> None:
    done = run(
        "ns-train", "lca-pretrain-tiny", "--data", small_dataset, "--output-dir", tmp_path, *QUICK,
        "--load-dir", trained_tiny.parent / "nerfstudio_models", "--pipeline.model.network.transformer.width", "48",
    )  # fmt: skip
    assert done.returncode == 1
    assert "network.transformer.width: 96 in the checkpoint, 48 now" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_folder_that_is_no_dataset_is_one_clear_error(tmp_path: Path) -> None:
    done = run("ns-train", "lca-pretrain-tiny", "--data", tmp_path, "--output-dir", tmp_path / "out", *QUICK)
    assert done.returncode == 1
    assert "is not a dataset" in done.stderr and "Traceback" not in done.stderr + done.stdout
