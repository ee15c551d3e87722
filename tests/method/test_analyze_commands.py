"""``lca analyze`` on a model of a few training steps, and reading such a model without nerfstudio."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from small_people import write_people
from small_runs import small_run, trained

from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.writing import write_shards
from lca_method.analysis.attention_command import AttentionConfig
from lca_method.analysis.attention_command import run as analyze_attention
from lca_method.analysis.latents_command import LatentsConfig
from lca_method.analysis.latents_command import run as analyze_latents
from lca_method.batch import DrivingSignal
from lca_method.checkpoints import find_checkpoint
from lca_method.cli import main
from lca_method.plain_configs import from_plain, plain
from lca_method.run_config import read_run
from lca_method.trained_network import load_network
from lca_shared.errors import UserError


@pytest.fixture(scope="module")
def run_folder(people, tmp_path_factory) -> Path:
    config = small_run(people, tmp_path_factory.mktemp("analyzed"), steps=2)
    trained(config)
    config.save_config()
    return config.get_base_dir()


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path) as file:
        return list(csv.DictReader(file))


def test_attention_writes_sheet_and_figures(run_folder, people, tmp_path, capsys):
    path = tmp_path / "sheet.png"
    points = ("nose", "belly")
    analyze_attention(AttentionConfig(run_folder, people, points=points, references=2, cell=32, output=path))
    assert path.stat().st_size > 1000
    rows = rows_of(path.with_suffix(".csv"))
    assert [row["point"] for row in rows] == list(points)
    assert all(0 < float(row["share_on_body_pictures"]) < 1 for row in rows)
    said = capsys.readouterr().out
    assert "dora" in said and str(path) in said  # the first who is held out


def test_latents_of_two_datasets(run_folder, people, one_person, tmp_path, capsys):
    path = tmp_path / "latents.png"
    analyze_latents(LatentsConfig(run_folder, (people, one_person), references=2, components=3, output=path))
    rows = rows_of(path.with_suffix(".csv"))
    assert len(rows) == 6 and {row["dataset"] for row in rows} == {"people", "one"}
    assert path.stat().st_size > 1000 and "The dataset explains" in capsys.readouterr().out
    analyze_latents(LatentsConfig(run_folder, (people,), split="train", references=2, components=2, output=path))
    assert [row["subject"] for row in rows_of(path.with_suffix(".csv"))] == ["anna", "bela", "cleo"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"split": "held-out"}, "2 people are too few"),
        ({"output": Path("latents.gif")}, ".png, .svg or .pdf"),
        ({"components": 1}, "--components"),
        ({"checkpoint": Path("nowhere")}, "nowhere does not exist"),
    ],
)
def test_what_latents_cannot_do_is_said(run_folder, people, changed, message):
    with pytest.raises(UserError, match=message):
        analyze_latents(LatentsConfig(**{"checkpoint": run_folder, "data": (people,), **changed}))


def test_a_wrong_person_is_named_with_those_there_are(run_folder, people):
    with pytest.raises(UserError, match=r"no subject 'zoe'.*anna"):
        analyze_attention(AttentionConfig(run_folder, people, subject="zoe"))


def test_a_dataset_of_another_body_is_refused(run_folder, tmp_path):
    other = write_people(tmp_path / "other", {"anna": "train"}, frames=2)
    text = (other / "dataset.json").read_text()
    (other / "dataset.json").write_text(text.replace('"jawOpen"', '"jawOther"'))
    with pytest.raises(UserError, match=r"other expression_names"):
        analyze_attention(AttentionConfig(run_folder, other))


def test_shards_give_what_their_folder_gives(run_folder, people, tmp_path, capsys):
    shards = tmp_path / "shards" / "people"
    write_shards(ShardConfig(people, shards, block_frames=4))
    found = {}
    for root in (people, shards):
        path = tmp_path / "latents.png"
        analyze_latents(LatentsConfig(run_folder, (root,), references=2, components=2, output=path))
        found[root] = {
            row["subject"]: (row["split"], abs(float(row["pc1"]))) for row in rows_of(path.with_suffix(".csv"))
        }
        analyze_attention(
            AttentionConfig(run_folder, root, "emil", ("nose",), 2, 32, tmp_path / f"{root.parent.name}.png")
        )
    assert found[people].keys() == found[shards].keys() == {"anna", "bela", "cleo", "dora", "emil"}
    for name, (split, first) in found[people].items():
        assert found[shards][name][0] == split and found[shards][name][1] == pytest.approx(first, rel=1e-3, abs=1e-5)
    rows = [rows_of(tmp_path / f"{root.parent.name}.csv") for root in (people, shards)]
    assert rows[0] == rows[1]
    capsys.readouterr()
    analyze_attention(AttentionConfig(run_folder, shards, None, ("nose",), 1, 32, tmp_path / "first.png"))
    assert "dora" in capsys.readouterr().out  # the first who is held out
    with pytest.raises(UserError, match=r"no subject 'zoe'.*dora"):
        analyze_attention(AttentionConfig(run_folder, shards, subject="zoe"))


def test_the_command_fails_with_one_line(run_folder, people, capsys):
    where = ["--checkpoint", str(run_folder), "--data", str(people)]
    assert main(["analyze", "attention", *where, "--points", "tail"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("lca: There is no body point 'tail'") and said.count("\n") == 1
    with pytest.raises(UserError):
        main(["analyze", "attention", *where, "--points", "tail", "--debug"])


def test_help_imports_nothing_heavy():
    code = "import sys, lca_method.cli; print([m for m in ('torch', 'nerfstudio', 'numpy', 'cv2') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_network_is_the_one_that_was_trained(people, tmp_path, random_references):
    config = small_run(people, tmp_path, steps=2)
    trainer = trained(config)
    config.save_config()
    network = trainer.pipeline.model.network.eval()  # type: ignore[attr-defined]
    loaded = load_network(trainer.base_dir / "config.yml")
    assert loaded.steps == 2 and loaded.sizes.reference == 32 and not loaded.network.training
    assert loaded.network.config == network.config
    batch = trainer.pipeline.datamanager.next_eval(0)[1]["subject_batch"]
    driving: DrivingSignal = batch.targets.driving
    with torch.no_grad():
        ours = loaded.network.drive(loaded.network.encode(batch.references, batch.shape), driving)[1]
        theirs = network.drive(network.encode(batch.references, batch.shape), driving)[1]
    torch.testing.assert_close(ours.means, theirs.means)
    torch.testing.assert_close(ours.colors, theirs.colors)


def test_a_config_is_read_without_making_what_it_names(tmp_path):
    evil = tmp_path / "config.yml"
    witness = tmp_path / "made"
    evil.write_text(
        f"a: !!python/object/apply:os.mkdir ['{witness}']\n"
        "pipeline: !!python/object:nobody.Knows\n  datamanager: {crop_margin: 0.1, sizes: !!python/tuple [1, 2]}\n"
    )
    run = read_run(evil)
    assert run["pipeline"]["datamanager"] == {"crop_margin": 0.1, "sizes": [1, 2]} and not witness.exists()
    evil.write_text(yaml.safe_dump({"method": "splatfacto"}))
    with pytest.raises(UserError, match=r"not the config\.yml of an lca"):
        read_run(evil)
    evil.write_text("{")
    with pytest.raises(UserError, match=r"not a readable config\.yml"):
        read_run(evil)


def test_a_checkpoint_without_its_run_is_refused(run_folder, tmp_path):
    alone = tmp_path / "alone" / "step-000000001.ckpt"
    alone.parent.mkdir()
    shutil.copy(find_checkpoint(run_folder), alone)
    with pytest.raises(UserError, match=r"no config\.yml beside"):
        load_network(alone)


def test_configurations_come_back_from_plain_values(config):
    assert from_plain(type(config), plain(config)) == config


@pytest.mark.slow
def test_nerfstudio_is_not_needed(run_folder, people, tmp_path):
    code = (
        "import sys; sys.modules['nerfstudio'] = None\n"
        "from pathlib import Path\n"
        "from lca_method.analysis.attention_command import AttentionConfig, run\n"
        f"run(AttentionConfig(Path({str(run_folder)!r}), Path({str(people)!r}), references=1, cell=32,"
        f" output=Path({str(tmp_path / 'a.png')!r})))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "a.png").exists()
