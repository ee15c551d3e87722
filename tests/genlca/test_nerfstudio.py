"""GenLCA inside nerfstudio's trainer."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import two_generators
import yaml
from nerfstudio.cameras.cameras import Cameras
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.engine.trainer import TrainerConfig
from small_genlca_runs import small_training, trained

from genlca_method.cli import main
from genlca_method.editing.editing import lca_of
from genlca_method.editing.person import read_person, write_person
from genlca_method.sampling.pipeline import GenLCAPipeline
from lca_method.pose_sliders import usable_sliders
from lca_shared.body import get_body_model
from lca_shared.errors import UserError


def weights(trainer: Any) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in trainer.pipeline.model.parameters()])


def test_methods_survive_the_file_nerfstudio_writes() -> None:
    for name in ("genlca", "genlca-tiny"):
        config = all_methods[name]
        again = yaml.load(yaml.dump(config), Loader=yaml.Loader)
        assert isinstance(again, TrainerConfig) and again == config


@pytest.fixture(scope="module")
def straight(tokens: Path, latents: Path, lca_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trainer after four steps, with a checkpoint of the third."""
    config = small_training(tokens, latents, lca_run, tmp_path_factory.mktemp("runs"), 4, "straight")
    config.steps_per_save, config.save_only_latest_checkpoint = 2, False
    return trained(config)


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(
    straight: Any, tokens: Path, latents: Path, lca_run: Path, tmp_path: Path
) -> None:
    second = small_training(tokens, latents, lca_run, tmp_path, 4, "second")
    second.load_checkpoint = straight.checkpoint_dir / "step-000000002.ckpt"
    resumed = trained(second)
    assert resumed._start_step == 3
    torch.testing.assert_close(weights(resumed), weights(straight), atol=1e-6, rtol=1e-5)
    names = set(straight.pipeline.state_dict())
    assert not any("autoencoder" in name or "decoder" in name for name in names)
    assert any(name.startswith("average.") for name in names)
    sheet = straight.pipeline.get_eval_image_metrics_and_images(3)[1]["samples"]
    assert sheet.shape == (24, 4 * 24, 3) and 0 <= sheet.min() and sheet.max() <= 1
    losses = [straight.pipeline.get_eval_loss_dict(3)[1]["latents"] for _ in range(2)]
    assert torch.equal(losses[0], losses[1])


def test_the_run_holds_a_pipeline_of_the_averaged_weights(
    straight: Any, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    saved = GenLCAPipeline.from_pretrained(straight.base_dir / "pipeline")
    average = dict(straight.pipeline.average.named_buffers())
    for name, value in saved.transformer.named_parameters():
        torch.testing.assert_close(value, average[name.replace(".", "/")], atol=0, rtol=0)
    options = ["--prompt", "a tall person", "--num", "2", "--steps", "2", "--seed", "3", "--device", "cpu"]
    where = ["--pipeline", str(straight.base_dir), "--output-dir", str(tmp_path / "made")]
    assert main(["generate", *where, *options]) == 0
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["person-000.avatar", "person-001.avatar"]
    assert (tmp_path / "made" / "person-000.avatar" / "preview.png").is_file()
    assert "lca drive" in capsys.readouterr().out
    assert main(["generate", *where, *options]) == 1
    assert "exists already" in capsys.readouterr().err
    config = json.loads((tmp_path / "made" / "person-001.avatar" / "config.json").read_text())
    assert "a tall person" in json.dumps(config["record"])
    edit = ["edit", str(tmp_path / "made" / "person-000.avatar"), "--pipeline", str(straight.base_dir)]
    edit += ["--steps", "1", "--device", "cpu", "--keep", "face", "--output", str(tmp_path / "b.avatar")]
    assert main(edit) == 0


def test_people_of_shards_become_avatars_that_can_be_completed(
    straight: Any, tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    where = ["--pipeline", str(straight.base_dir), "--output-dir", str(tmp_path)]
    assert main(["decode", "--tokens", str(tokens), *where, "--people", "anna"]) == 0
    sha = lca_of(straight.pipeline.sampler())
    person = read_person(tmp_path / "anna.avatar", sha)
    valid = person.valid & (torch.arange(48) > 4)  # as if no picture had shown these
    write_person(replace(person, valid=valid), tmp_path / "anna.avatar", sha)
    edit = ["edit", str(tmp_path / "anna.avatar"), "--pipeline", str(straight.base_dir), "--complete"]
    assert main([*edit, "--steps", "1", "--device", "cpu", "--output", str(tmp_path / "whole.avatar")]) == 0
    assert f"{int((~valid).sum())} of 48 tokens made anew" in capsys.readouterr().out
    assert main(["decode", "--tokens", str(tokens), *where, "--people", "zoe"]) == 1


def test_the_viewer_shows_the_sample_that_was_asked_for(straight: Any) -> None:
    pipeline, panel = straight.pipeline.eval(), straight.pipeline.samples
    upright = torch.tensor([[[1.0, 0, 0, 0], [0, 0, -1, -3], [0, 1, 0, 0]]])  # from in front: camera backward is -Y
    camera = Cameras(upright, 40.0, 40.0, 24.0, 24.0, 48, 48)

    def seen() -> dict[str, torch.Tensor]:
        return pipeline.model.get_outputs_for_camera(camera)

    first = seen()
    assert first["rgb"].shape == (48, 48, 3) and first["accumulation"].shape == (48, 48, 1)
    assert 0.02 < float((first["accumulation"] > 0.5).float().mean()) < 0.9
    panel.b_seed.value = 7
    assert torch.equal(seen()["rgb"], first["rgb"])  # not before the button
    panel._generate(panel.e_generate)
    other = seen()["rgb"]
    assert not torch.allclose(other, first["rgb"])
    panel.controls.state.sliders = {usable_sliders(get_body_model())[0].key: 30.0}
    assert not torch.allclose(seen()["rgb"], other)


def test_what_does_not_fit_is_said(straight: Any, tokens: Path, latents: Path, lca_run: Path, tmp_path: Path) -> None:
    config = small_training(tokens, latents, lca_run, tmp_path, 1)
    config.pipeline.model.latents = None
    with pytest.raises(UserError, match="latents"):
        config.setup(local_rank=0, world_size=1).setup()
    other = small_training(tokens, latents, lca_run, tmp_path, 1, "two")
    other.pipeline.model.size = replace(other.pipeline.model.size, width=48)
    other.load_checkpoint = next(straight.checkpoint_dir.glob("*.ckpt"))
    with pytest.raises(UserError, match="width"):
        trained(other)


@pytest.mark.slow
def test_two_processes_learn_the_same_from_different_people(
    tokens: Path, latents: Path, lca_run: Path, tmp_path: Path
) -> None:
    address = f"file://{tmp_path / 'meeting'}"
    where = {"tokens": tokens, "latents": latents, "lca": lca_run}
    torch.multiprocessing.spawn(two_generators.train, (2, address, where, tmp_path), nprocs=2)
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert torch.equal(first["weights"], second["weights"])
    assert not torch.equal(first["seen"], second["seen"])
    assert len(list(tmp_path.rglob("model_index.json"))) == 1
