"""Models and avatars used by name: folders, shipped ones, and those on a Hub, by every command and in Python."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hub_fixtures import hub as hub
from hub_server import Hub
from huggingface_hub import ModelCard, PyTorchModelHubMixin, constants
from safetensors.torch import load_file, save_file
from small_checkpoint import write_run

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.checkpoints import find_checkpoint, load_checkpoint, trained_steps
from lca_method.cli import main
from lca_method.hub.shipped import SHIPPED, ShippedModel
from lca_method.networks import LCA
from lca_method.networks.expression_encoder import ExpressionEncoderConfig
from lca_method.trained_network import load_network
from lca_shared.errors import UserError


@pytest.fixture
def run(model, people: Path, tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "run", model, people)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_network_keeps_its_configuration_and_anchors(model, body, config, tmp_path: Path) -> None:
    driving = replace(config.driving, expression="code", encoder=ExpressionEncoderConfig(channels=(8, 8), picture=16))
    moved = LCA(replace(config, driving=driving, template_expression=True), body)
    with torch.no_grad():  # as if an older release had sampled other points
        moved.gaussian_barycentric.copy_(moved.gaussian_barycentric.roll(1, -1))
    assert isinstance(moved, PyTorchModelHubMixin)
    moved.save_pretrained(tmp_path / "saved")
    back = LCA.from_pretrained(tmp_path / "saved")
    assert back.config == moved.config
    assert same(back, moved)
    assert not back.training
    assert not torch.equal(back.gaussian_barycentric, LCA(moved.config, body).gaussian_barycentric)
    ModelCard.load(tmp_path / "saved" / "README.md")
    with pytest.raises(UserError, match="network alone"):
        load_network(tmp_path / "saved")


def test_a_network_goes_to_the_hub_and_back(hub: Hub, model, monkeypatch) -> None:
    model.push_to_hub("ann/net", private=True, model_card_kwargs={"licence": "mit"})
    card = ModelCard.load("ann/net")
    card.validate()
    assert card.data.license == "mit"
    assert "--pipeline.model.pretrained ann/net" in card.text
    assert hub.repository("ann/net").private
    assert set(hub.files("ann/net")) == {"config.json", "model.safetensors", "README.md"}
    assert same(LCA.from_pretrained("ann/net"), model)
    assert same(LCA.from_pretrained("ann/net", revision="main"), model)
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    with pytest.raises(UserError, match="must be allowed to write"):
        model.push_to_hub("ann/net")


def test_half_precision_keeps_points_and_halves_the_rest(run: Path, hub: Hub) -> None:
    for name, options in (("full", []), ("half", ["--half"])):
        assert main(["push", str(run), f"ann/{name}", *options]) == 0
    full, half = load_network("ann/full"), load_network("ann/half")
    for name, value in full.network.state_dict().items():
        other = half.network.state_dict()[name]
        torch.testing.assert_close(other, value, rtol=1e-3, atol=1e-6)
        assert "." in name or torch.equal(other, value)
    sizes = [len(hub.files(f"ann/{name}")["model.safetensors"]) for name in ("full", "half")]
    assert sizes[1] < 0.62 * sizes[0]


def test_every_name_finds_the_same_model(run: Path, hub: Hub, tmp_path: Path, monkeypatch) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    assert main(["push", str(run), "ann/small@v2"]) == 0
    assert main(["pull", "ann/small", "--output", str(tmp_path / "pulled")]) == 0
    monkeypatch.setitem(SHIPPED, "tiny", ShippedModel(tmp_path / "pulled", "for this test"))
    monkeypatch.chdir(tmp_path)
    original = load_network(run)
    LCA.from_pretrained("ann/small").save_pretrained(tmp_path / "again")
    assert load_network("again").settings == original.settings
    for place in (
        "ann/small",
        Path("ann/small@v2"),
        "tiny",
        "pulled",
        "pulled/config.json",
        "pulled/model.safetensors",
    ):
        found = load_network(place)
        assert same(found.network, original.network)
        assert (found.settings, found.method, found.steps) == (original.settings, original.method, original.steps)
    assert same(LCA.from_pretrained("ann/small@v2"), original.network)
    assert trained_steps(load_checkpoint(find_checkpoint("ann/small"))) == 7
    assert original.folder == run
    assert load_network("pulled").folder == Path("pulled")
    assert load_network("ann/small").folder == Path("outputs/ann--small")


def test_a_model_in_the_cache_works_offline_and_is_verified(run: Path, hub: Hub, tmp_path: Path, monkeypatch) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    path = find_checkpoint("ann/small")
    assert {file.name for file in path.parent.iterdir()} == {"config.json", "model.safetensors"}  # what use needs
    hub.requests.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_checkpoint("ann/small") == path
    assert not hub.requests
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        find_checkpoint("ann/other")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    blob = path.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(UserError, match="came damaged"):
        find_checkpoint("ann/small")
    assert find_checkpoint("ann/small").is_file()
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)  # as on a disk without symbolic links: checksums are asked for
    assert find_checkpoint("ann/small") == path
    path.write_bytes(content[:-1] + b"!")
    with pytest.raises(UserError, match="came damaged"):
        find_checkpoint("ann/small")
    assert find_checkpoint("ann/small").is_symlink()
    store = tmp_path / ("f" * 64)  # contents that several repositories share
    blob.rename(store)
    blob.symlink_to(store)
    assert same(LCA.from_pretrained("ann/small"), load_network(run).network)
    store.write_bytes(store.read_bytes()[:-1] + b"!")
    hub.spoil.add("model.safetensors")
    with pytest.raises(UserError, match="came damaged"):
        load_network("ann/small")
    assert not store.exists()
    assert not blob.is_symlink()
    with pytest.raises(UserError, match="came damaged"):
        load_network("ann/small")


def test_what_is_no_model_is_one_clear_error(run: Path, hub: Hub, tmp_path: Path, people: Path) -> None:
    for place in ("nothing", "a/b/c", "./ann/small", tmp_path / "x.ckpt", "ann/me.avatar"):
        with pytest.raises(UserError, match=r"does not exist\. Name a model on this machine"):
            find_checkpoint(place)
    with pytest.raises(UserError, match=r"no ann/none on this machine.*no repository ann/none"):
        find_checkpoint("ann/none")
    assert main(["push", str(run), "ann/small"]) == 0
    with pytest.raises(UserError, match="holds no avatar of this project"):
        load_avatar("ann/small")
    assert main(["pull", "ann/small", "--output", str(tmp_path / "pulled")]) == 0
    config = tmp_path / "pulled" / "config.json"
    good = json.loads(config.read_text())
    weights = load_file(tmp_path / "pulled" / "model.safetensors")
    for changed, message in (
        ({**good, "schema_version": 99}, "schema version 99"),
        ({**good, "kind_of_file": "transformers"}, "not a lca-model file"),
        ({**good, "made_with": 3}, "does not say what"),
        (
            {**good, "made_with": {**good["made_with"], "network": {"kind": "LCAConfig", "encoder": 3}}},
            "cannot be read",
        ),
        ({name: value for name, value in good.items() if name != "method"}, "not whole"),
    ):
        config.write_text(json.dumps(changed))
        with pytest.raises(UserError, match=message):
            load_network(tmp_path / "pulled")
    config.write_text(json.dumps(good))
    save_file({k: v for k, v in weights.items() if "tokenizer" not in k}, tmp_path / "pulled" / "model.safetensors")
    with pytest.raises(UserError, match="does not hold the weights that its configuration says"):
        load_network(tmp_path / "pulled")
    (tmp_path / "pulled" / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(UserError, match="not a readable file of weights"):
        load_network(tmp_path / "pulled")


def test_avatars_are_loaded_and_filmed_by_name(hub: Hub, model, body, random_references, tmp_path: Path) -> None:
    code = model.eval().encode(random_references((), 3), torch.zeros(len(body.shape_names)))
    save_avatar(avatar_of(model, code), AvatarRecord("ann"), tmp_path / "ann.avatar")
    assert main(["push", str(tmp_path / "ann.avatar"), "ann/me", "--private"]) == 0
    here, there = Avatar.load(tmp_path / "ann.avatar"), Avatar.load("ann/me@main")
    assert same(here, there)
    assert main(["export", "ann/me", "--format", "ply", "--output", str(tmp_path / "me.ply")]) == 0
    assert (tmp_path / "me.ply").is_file()


@pytest.mark.slow
def test_training_begins_with_a_model_of_the_hub(hub: Hub, body, people: Path, tmp_path: Path) -> None:
    from small_runs import small_network, small_run  # loads nerfstudio

    from lca_dataparsers.lca_wild import LCAWildDataParserConfig

    network = LCA(small_network(), body)
    assert main(["push", str(write_run(tmp_path / "run", network, people)), "ann/small"]) == 0
    config = small_run(people, tmp_path / "runs", steps=1, method="lca-posttrain-tiny")
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    config.pipeline.model.pretrained = "ann/small@main"
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    for name, value in trainer.pipeline.lca.network.named_parameters():
        assert torch.equal(value, network.get_parameter(name) + 0.5)  # the averaged ones
    assert int(trainer.pipeline.steps_before) == 7


@pytest.mark.slow
def test_create_and_eval_take_a_model_of_the_hub(
    hub: Hub, run: Path, people: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    monkeypatch.chdir(tmp_path)
    person = ["--subject", "emil", "--no-turntable"]
    assert main(["create", str(people), "--model", "ann/small", "--output-dir", "emil.avatar", *person]) == 0
    assert "Model: ann/small, 7 training steps." in capsys.readouterr().out
    assert main(["create", "--checkpoint", str(run), "--images", str(people), "--output", "other.avatar", *person]) == 0
    assert same(Avatar.load("emil.avatar"), Avatar.load("other.avatar"))
    shown = [
        "--data",
        str(people),
        "--references",
        "1",
        "--targets-per-subject",
        "1",
        "--no-lpips",
        "--sheet-people",
        "0",
    ]
    assert main(["eval", "--checkpoint", "ann/small", *shown]) == 0
    assert (tmp_path / "outputs" / "ann--small" / "eval" / "eval.json").is_file()
