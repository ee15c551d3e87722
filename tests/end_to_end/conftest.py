"""A model trained for a few steps through ``ns-train``, shared by this folder's tests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import opened_browser
from small_people import write_people

BIN = Path(sys.executable).parent


def run_command(*arguments: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run an installed command; ``LCA_MODEL_DIR`` is taken from the environment or left unset."""
    command = [str(BIN / str(arguments[0])), *map(str, arguments[1:])]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=environment)


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people to train on, one for validation, one for testing."""
    splits = {"anna": "train", "bela": "train", "cleo": "train", "dora": "val", "emil": "test"}
    return write_people(tmp_path_factory.mktemp("data") / "people", splits)


@pytest.fixture(scope="session")
def trained_tiny(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``config.yml`` of a model trained for a few steps; without LPIPS, whose weights may not be here."""
    output = tmp_path_factory.mktemp("trained")
    done = run_command(
        "ns-train", "lca-pretrain-tiny", "--data", small_dataset, "--output-dir", output, "--timestamp", "run",
        "--vis", "tensorboard", "--max-num-iterations", "8", "--pipeline.model.losses.lpips", "0",
        "--pipeline.model.eval-lpips", "False",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return output / "people" / "lca-pretrain-tiny" / "run" / "config.yml"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[str]:
    """Address of a headless Chromium's DevTools."""
    with opened_browser(tmp_path) as address:
        yield address
