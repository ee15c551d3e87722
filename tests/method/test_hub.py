"""Models, avatars and datasets to a Hub and back: ``lca push``, ``lca pull``, and what goes wrong between."""

import json
import re
from pathlib import Path

import pytest
import torch
from hub_fixtures import hub as hub
from hub_server import Hub
from huggingface_hub import ModelCard, constants
from safetensors.torch import load_file
from small_checkpoint import write_run
from small_people import write_people

from lca_method.avatar.bundle import AvatarRecord, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.cli import main
from lca_method.hub.hub_id import HubId, parsed


@pytest.fixture
def run(model, people: Path, tmp_path: Path) -> Path:
    return write_run(tmp_path / "runs" / "run", model, people)


@pytest.fixture
def bundle(model, body, random_references, tmp_path: Path) -> Path:
    code = model.eval().encode(random_references((), 3), torch.zeros(len(body.shape_names)))
    save_avatar(avatar_of(model, code), AvatarRecord("ann", ("one.jpg",), "CC0-1.0"), tmp_path / "ann.avatar")
    return tmp_path / "ann.avatar"


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize("part_size", [None, 50_000])
def test_a_run_is_shared_without_pickles_and_comes_back_the_same(
    hub: Hub, run: Path, model, tmp_path: Path, part_size: int | None
) -> None:
    hub.part_size = part_size
    assert main(["push", str(run), "ann/small", "--licence", "apache-2.0"]) == 0
    files = hub.files("ann/small")
    assert set(files) == {"config.json", "model.safetensors", "last_step.safetensors", "README.md"}
    assert bool(hub.parts) == (part_size is not None)
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 0
    for name, content in files.items():
        assert (tmp_path / "back" / name).read_bytes() == content
    averaged, last = (load_file(tmp_path / "back" / f"{name}.safetensors") for name in ("model", "last_step"))
    parameters = dict(model.named_parameters())
    for name, value in model.state_dict().items():
        assert torch.equal(last[name], value)
        assert torch.equal(averaged[name], value + 0.5 if name in parameters else value)  # anchors stay
    assert not list(tmp_path.glob(".back*"))


def test_a_card_is_filled_from_the_run(hub: Hub, run: Path, people: Path) -> None:
    results = {
        "kind_of_file": "evaluation",
        "schema_version": 1,
        "sha256": "of another checkpoint",
        "options": {"references": [4, 1], "targets_per_subject": 16, "max_subjects": -1},
        "results": [
            {
                "test_set": "people",
                "references": 4,
                "images": 6,
                "subjects": 1,
                "means": {"person_psnr": {"mean": 21.25, "low": 20, "high": 22}, "person_lpips": None},
            }
        ],
    }
    (run / "eval").mkdir()
    (run / "eval" / "eval.json").write_text(json.dumps(results))
    push = ["push", str(run), "ann/small", "--licence", "apache-2.0", "--trained-on", "a laptop"]
    assert main(push) == 0
    assert "Not measured" in hub.files("ann/small")["README.md"].decode()
    assert "eval/eval.json" not in hub.files("ann/small")
    from lca_method.checkpoints import find_checkpoint, fingerprint

    results["sha256"] = fingerprint(find_checkpoint(run))
    (run / "eval" / "eval.json").write_text(json.dumps(results))
    assert main(push) == 0
    card = ModelCard.load("ann/small")
    card.validate()
    assert card.data.license == "apache-2.0"
    assert card.data.library_name == "lca-method"
    assert [(r.metric_type, r.metric_value) for r in card.data.eval_results or []] == [("psnr", 21.25)]
    for words in (
        "| people | wild | 5 (3 train, 1 val, 1 test) | 30 (18 train, 6 val, 6 test) | tests | CC0-1.0 |",
        "lca eval --checkpoint RUN --data people --references 4 1 --targets-per-subject 16 --max-subjects -1",
        "| people | 4 | 1 | 6 | 21.25 |",
        "- steps: 7",
        "- machine: a laptop",
        "- these weights: apache-2.0",
        "ask who shares this model",
    ):
        assert words in card.text
    assert "eval/eval.json" in hub.files("ann/small")
    assert str(people) not in card.text


def test_a_model_that_was_pulled_keeps_its_card_unless_told_otherwise(hub: Hub, run: Path, tmp_path: Path) -> None:
    assert main(["push", str(run), "ann/small", "--licence", "apache-2.0"]) == 0
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 0
    assert main(["push", str(tmp_path / "back"), "ann/copy"]) == 0
    assert hub.files("ann/copy") == hub.files("ann/small")
    assert main(["push", str(tmp_path / "back"), "ann/copy", "--licence", "mit"]) == 0
    card = ModelCard.load("ann/copy")
    assert card.data.license == "mit"
    assert "| people | wild | 5 (3 train, 1 val, 1 test) |" in card.text


def test_an_avatar_needs_a_word_about_consent_in_public(hub: Hub, bundle: Path, tmp_path: Path, capsys) -> None:
    assert main(["push", str(bundle), "ann/me"]) == 1
    assert "--consent" in said(capsys)
    assert not hub.repositories
    (bundle / "notes.pkl").write_bytes(b"pickle")
    assert main(["push", str(bundle), "ann/me", "--consent", "I am the person."]) == 0
    assert "Left out, as they are no part of avatars: notes.pkl" in capsys.readouterr().out
    card = ModelCard.load("ann/me")
    card.validate()
    assert "I am the person." in card.text
    assert card.data.license == "cc0-1.0"
    assert main(["pull", "ann/me", "--output", str(tmp_path / "back.avatar")]) == 0
    assert {p.name for p in (tmp_path / "back.avatar").iterdir()} == {"README.md", "avatar.safetensors", "config.json"}
    assert main(["pull", "ann/me", "--output", str(tmp_path / "back.avatar")]) == 1
    assert "--overwrite" in said(capsys)
    assert main(["pull", "ann/me", "--output", str(tmp_path / "back.avatar"), "--overwrite"]) == 0


def test_a_dataset_comes_back_file_by_file(hub: Hub, people: Path, tmp_path: Path, capsys) -> None:
    assert main(["push", str(people), "ann/people"]) == 1
    assert "--consent" in said(capsys)
    assert main(["push", str(people), "ann/people", "--consent", "They are drawn."]) == 0
    card = ModelCard(hub.files("ann/people", kind="dataset")["README.md"].decode())
    card.validate("dataset")
    assert "5 people in 30 pictures" in card.text
    for name in ("ann/people", "datasets/ann/people"):
        back = tmp_path / name.replace("/", "_")
        assert main(["pull", name, "--output", str(back)]) == 0
        ours = {p.relative_to(people) for p in people.rglob("*") if p.is_file()}
        assert {p.relative_to(back) for p in back.rglob("*") if p.is_file()} == ours | {Path("README.md")}
        assert all((back / name).read_bytes() == (people / name).read_bytes() for name in ours)


def test_a_dataset_whose_pictures_are_elsewhere_is_not_pushed(hub: Hub, tmp_path: Path, capsys) -> None:
    root = write_people(tmp_path / "one", {"anna": "train"}, frames=1)
    (root / "subjects" / "anna" / "sources.json").write_text("{}")
    assert main(["push", str(root), "ann/one", "--consent", "yes"]) == 1
    assert "stayed in the capture" in said(capsys)


def test_an_interrupted_push_goes_on(hub: Hub, run: Path, capsys) -> None:
    sent: list[str] = []

    def second_blob(method: str, path: str) -> bool:
        if method == "PUT":
            sent.append(path)
        return method == "PUT" and len(set(sent)) > 1 and path != sent[0]

    hub.fail = second_blob
    assert main(["push", str(run), "ann/small"]) == 1
    assert "goes on where this one stopped" in said(capsys)
    assert len(hub.blobs) == 1
    assert not hub.files("ann/small")
    hub.fail = lambda method, path: False
    hub.requests.clear()
    assert main(["push", str(run), "ann/small"]) == 0
    assert hub.count("PUT", "/lfs/") == 1  # the other one was there
    assert len(hub.files("ann/small")) == 4
    hub.requests.clear()
    assert main(["push", str(run), "ann/small"]) == 0
    assert hub.count("PUT", "/lfs/") == hub.count("POST", "/commit/") == 0


def test_a_cut_download_goes_on_from_where_it_stopped(hub: Hub, run: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what was received of a chunk is lost
    assert main(["push", str(run), "ann/small"]) == 0
    hub.cut["model.safetensors"] = [200_500]
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 0
    ranges = [asked for method, path, asked in hub.requests if "model.safetensors" in path and method == "GET"]
    assert ranges == ["", "bytes=200000-"]
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == hub.files("ann/small")["model.safetensors"]


def test_a_broken_off_pull_fetches_only_the_rest(hub: Hub, run: Path, tmp_path: Path, capsys) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    hub.fail = lambda method, path: path.endswith("/model.safetensors")
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 1
    assert "cannot be reached" in said(capsys)
    assert not (tmp_path / "back").exists()
    hub.fail = lambda method, path: False
    hub.requests.clear()
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 0
    fetched = {path.rsplit("/", 1)[-1] for method, path, _ in hub.requests if method == "GET" and "/resolve/" in path}
    assert fetched == {"model.safetensors"}
    assert len(list((tmp_path / "back").iterdir())) == 4


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_download_is_noticed_and_refused(hub: Hub, run: Path, tmp_path: Path, capsys, name: str) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    hub.spoil.add(name)
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 1
    assert re.search(rf"{name} came damaged .checksum", said(capsys))
    assert not (tmp_path / "back").exists()
    hub.spoil.clear()
    assert main(["pull", "ann/small", "--output", str(tmp_path / "back")]) == 0
    assert (tmp_path / "back" / name).read_bytes() == hub.files("ann/small")[name]


def test_private_repositories_open_for_their_token_alone(hub: Hub, run: Path, tmp_path, monkeypatch, capsys) -> None:
    pull = ["pull", "ann/secret", "--output", str(tmp_path / "back")]
    assert main(["push", str(run), "ann/secret", "--private"]) == 0
    assert hub.repository("ann/secret").private
    for token in ("hf_bob", "hf_wrong"):
        monkeypatch.setenv("HF_TOKEN", token)
        assert main(pull) == 1
        assert "it is private and this token does not open it" in said(capsys)
    monkeypatch.delenv("HF_TOKEN")
    assert main(pull) == 1
    assert "hf auth login" in said(capsys)
    monkeypatch.setenv("HF_TOKEN", "hf_ann")
    assert main(pull) == 0


def test_revisions(hub: Hub, run: Path, model, people: Path, tmp_path: Path, capsys) -> None:
    assert main(["push", str(run), "ann/small"]) == 0
    first = hub.files("ann/small")["config.json"]
    later = write_run(tmp_path / "later", model, people, steps=9)
    assert main(["push", str(later), "ann/small", "--revision", "next"]) == 0
    assert hub.files("ann/small")["config.json"] == first
    for name, steps in (("ann/small", 7), ("ann/small@next", 9), ("ann/small@main", 7)):
        assert main(["pull", name, "--output", str(tmp_path / name), "--overwrite"]) == 0
        assert json.loads((tmp_path / name / "config.json").read_text())["steps"] == steps
    commit = str(hub.repository("ann/small").commit_of("next"))
    assert main(["pull", "ann/small", "--revision", commit, "--output", str(tmp_path / "c")]) == 0
    assert json.loads((tmp_path / "c" / "config.json").read_text())["steps"] == 9
    assert main(["pull", "ann/small@nowhere", "--output", str(tmp_path / "d")]) == 1
    assert "no such branch, tag or commit" in said(capsys)
    assert main(["pull", "ann/small@next", "--revision", "main", "--output", str(tmp_path / "d")]) == 1
    assert "give one of them" in said(capsys)


def test_what_can_be_wrong_is_one_line(hub: Hub, run: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    out = ["--output", str(tmp_path / "back")]
    wrong = {
        ("pull", "ann/none", *out): "no repository ann/none",
        ("pull", "no id at all", *out): "OWNER/NAME",
        ("push", str(tmp_path / "nothing"), "ann/small"): "does not exist",
        ("push", str(tmp_path), "ann/small"): "no checkpoint",
        ("push", str(run), "bob/small"): "must be allowed to write",
        ("push", str(run), "datasets/ann/small"): "is a model, not a dataset",
        ("push", str(run), "ann/small", "--licence", "My Licence"): "",
    }
    for arguments, message in wrong.items():
        assert main(list(arguments)) == (1 if message else 0)
        assert message in said(capsys)
    hub.repository("ann/small").gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_bob")
    assert main(["pull", "ann/small", *out]) == 1
    assert "gated: ask for access" in said(capsys)
    monkeypatch.delenv("HF_TOKEN")
    assert main(["push", str(run), "ann/small"]) == 1
    assert "no token" in said(capsys)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["pull", "ann/small", *out]) == 1
    assert "HF_HUB_OFFLINE is set" in said(capsys)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert main(["pull", "ann/small", *out]) == 1
    assert "cannot be reached" in said(capsys)


def test_names() -> None:
    assert parsed("ann/small") == HubId("ann/small")
    assert parsed(Path("ann/small@v1.0")) == HubId("ann/small", "v1.0")
    assert parsed("datasets/ann/people@refs/pr/1") == HubId("ann/people", "refs/pr/1", "dataset")
    for path in (
        "ann",
        "a/b/c",
        "./ann/small",
        "../ann",
        "/ann/small",
        "ann/me.avatar",
        "ann/a--b",
        "ann/x.ckpt",
        "~/a",
    ):
        assert parsed(path) is None
