"""Each distribution's wheel installs into a clean environment beside the others' wheels, with its entry points."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lca_method.hub.shipped import SHIPPED

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = {
    "lca-shared": "shared",
    "lca-dataparsers": "plugins/lca_dataparsers",
    "lca-method": "plugins/lca_method",
    "genlca-method": "plugins/genlca_method",
}
ENTRY_POINTS = {
    "lca-shared": set(),
    "lca-dataparsers": {
        ("console_scripts", "lca-data"),
        ("nerfstudio.dataparser_configs", "lca-wild"),
        ("nerfstudio.dataparser_configs", "lca-studio"),
    },
    "lca-method": {
        ("console_scripts", "lca"),
        ("console_scripts", "lca-train"),
        ("nerfstudio.method_configs", "lca-pretrain"),
        ("nerfstudio.method_configs", "lca-pretrain-tiny"),
        ("nerfstudio.method_configs", "lca-pretrain-face-tiny"),
        ("nerfstudio.method_configs", "lca-pretrain-small"),
        ("nerfstudio.method_configs", "lca-posttrain"),
        ("nerfstudio.method_configs", "lca-posttrain-tiny"),
        ("nerfstudio.method_configs", "lca-garment"),
        ("nerfstudio.method_configs", "lca-garment-small"),
        ("nerfstudio.method_configs", "lca-garment-tiny"),
        ("nerfstudio.method_configs", "lca-relight"),
        ("nerfstudio.method_configs", "lca-relight-small"),
        ("nerfstudio.method_configs", "lca-relight-tiny"),
    },
    "genlca-method": {
        ("console_scripts", "genlca"),
        ("nerfstudio.method_configs", "genlca"),
        ("nerfstudio.method_configs", "genlca-tiny"),
    },
}
INSPECT = """
import importlib, importlib.metadata as metadata, json, sys
distribution = metadata.distribution(sys.argv[1])
importlib.import_module(sys.argv[1].replace("-", "_"))
for point in distribution.entry_points:
    point.load()
print(json.dumps([[point.group, point.name] for point in distribution.entry_points]))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheels")
    for source in DISTRIBUTIONS.values():
        # setuptools writes build/ beside the sources: build from a copy, so that stale files cannot enter a wheel.
        copy = folder / "sources" / Path(source).name
        shutil.copytree(REPOSITORY / source, copy, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        subprocess.run([_uv(), "build", "--wheel", "--quiet", "--out-dir", folder, copy], check=True)
    return folder


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_wheel_installs_and_registers(name: str, wheels: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    install = [_uv(), "pip", "install", "--quiet", "--python", python, "--find-links", wheels]
    subprocess.run([*install, "--constraints", REPOSITORY / "constraints.txt", name], check=True)
    # Run elsewhere than the checkout, so that only what the wheel brought can be imported.
    printed = subprocess.run(
        [python, "-c", INSPECT, name], check=True, cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert {tuple(pair) for pair in json.loads(printed.splitlines()[-1])} == ENTRY_POINTS[name]


def test_the_wheel_brings_the_models_that_are_shipped(wheels: Path) -> None:
    (wheel,) = wheels.glob("lca_method-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [Path(name) for name in archive.namelist() if "shipped_models/" in name]
    files = {
        (model, file) for model in SHIPPED for file in ("config.json", "model.safetensors", "README.md", "LICENSE")
    }
    assert {(name.parent.name, name.name) for name in names} == files


def _uv() -> str:
    found = Path(sys.executable).with_name("uv")
    if not found.exists():
        pytest.skip("uv is not installed beside this Python; `make install` puts it there")
    return str(found)
