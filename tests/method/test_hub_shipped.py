"""The model that comes with the package: there, small, free, and what ``lca create`` uses."""

import json
from pathlib import Path

import pytest
import torch
from hub_fixtures import hub as hub
from hub_server import Hub
from huggingface_hub import ModelCard
from safetensors.torch import load_file

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.create_command import CreateConfig
from lca_method.cli import main
from lca_method.hub.shipped import DEFAULT_MODEL, SHIPPED
from lca_method.networks import LCA


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_are_whole_small_and_free(name: str, hub: Hub) -> None:
    folder = SHIPPED[name].folder
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "README.md", "LICENSE"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 40 * 2**20
    assert all(value.isfinite().all() for value in load_file(folder / "model.safetensors").values())
    about = json.loads((folder / "config.json").read_text())["about"]
    assert about["data"]
    assert all(data["source"].startswith("lca-data synth") and data["licence"] == "CC0-1.0" for data in about["data"])
    card = ModelCard.load(folder / "README.md")
    card.validate()
    assert card.data.license == "apache-2.0"
    assert "not recorded" not in card.text


def test_the_default_model_is_shipped() -> None:
    assert CreateConfig().model == DEFAULT_MODEL
    network = LCA.from_pretrained(DEFAULT_MODEL)
    assert not network.training
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_people_that_are_not_lit_anew_are_those_of_demo() -> None:
    demo, relight = (LCA.from_pretrained(name).state_dict() for name in ("demo", "demo-relight"))
    assert all(torch.equal(relight[name], value) for name, value in demo.items())
    more = {name.split(".")[0] for name in relight.keys() - demo.keys()}
    assert more == {"relight"}


@pytest.mark.slow
def test_a_photo_becomes_an_avatar_right_after_installation(
    material: Path, models: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(models))
    photo = material / "data" / "photos" / "0000_test.png"
    assert main(["create", str(photo), "--output-dir", str(tmp_path / "me.avatar"), "--no-turntable"]) == 0
    assert "Model: demo (the demo model of this package" in capsys.readouterr().out
    assert Avatar.load(tmp_path / "me.avatar").canonical.means.isfinite().all()
