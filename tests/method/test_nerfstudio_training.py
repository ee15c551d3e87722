"""Training, resuming and refusing through nerfstudio's trainer, with networks of a few thousand weights."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_runs import parameters, small_network, small_run, trained

from lca_method.checkpoints import latest_checkpoint
from lca_method.lca_trainer import GLOBAL_BUFFER, LCATrainer
from lca_shared.errors import UserError


@pytest.fixture(scope="module")
def whole_run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> LCATrainer:
    return trained(small_run(people, tmp_path_factory.mktemp("whole"), steps=4))


def test_weights_move_and_one_whole_checkpoint_is_left(whole_run: LCATrainer) -> None:
    path = latest_checkpoint(whole_run.checkpoint_dir)
    assert path.name == "step-000000003.ckpt"
    assert [p.name for p in whole_run.checkpoint_dir.iterdir()] == [path.name]
    assert not (whole_run.base_dir / "checkpoint.part").exists()
    state = torch.load(path, weights_only=True)
    assert any("token_faces" in name or "token_barycentric" in name for name in state["pipeline"])
    assert not any("lpips" in name or "perceptual" in name for name in state["pipeline"])


def test_a_resumed_run_ends_where_the_whole_run_ends(whole_run: LCATrainer, people: Path, tmp_path: Path) -> None:
    half = small_run(people, tmp_path, steps=4, run="half")
    half.max_num_iterations = 2
    checkpoints = trained(half).checkpoint_dir
    (checkpoints.parent / "checkpoint.part").write_bytes(b"left by a kill")
    rest = small_run(people, tmp_path, steps=4, run="rest")
    rest.load_dir = checkpoints
    resumed = trained(rest)
    assert resumed.step == 3
    assert torch.equal(parameters(resumed), parameters(whole_run))


def test_a_finished_run_resumes_to_itself(
    whole_run: LCATrainer, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(GLOBAL_BUFFER, "step", raising=False)  # as in a fresh process
    again = small_run(people, tmp_path, steps=4)
    again.logging.steps_per_log, again.logging.local_writer.enable = 4, True
    again.load_dir = whole_run.checkpoint_dir
    resumed = trained(again)
    assert latest_checkpoint(resumed.checkpoint_dir).name == "step-000000003.ckpt"
    assert torch.equal(parameters(resumed), parameters(whole_run))


def test_a_checkpoint_of_another_config_is_refused_by_the_fields_that_differ(
    whole_run: LCATrainer, people: Path, tmp_path: Path
) -> None:
    other = replace(small_network(), placement=replace(small_network().placement, tokens=64))
    config = small_run(people, tmp_path, steps=4)
    config.pipeline.model.network = other
    config.load_dir = whole_run.checkpoint_dir
    trainer = config.setup(local_rank=0, world_size=1)
    with pytest.raises(UserError, match=r"network.placement.tokens: 48 in the checkpoint, 64 now"):
        trainer.setup()


def test_evaluation_writes_a_line_for_each_picture(whole_run: LCATrainer, tmp_path: Path) -> None:
    pipeline = whole_run.pipeline
    averages = pipeline.get_average_eval_image_metrics(output_path=tmp_path, get_std=True)
    lines = (tmp_path / "per_image.csv").read_text().splitlines()
    assert len(lines) - 1 == averages["images"] == len(pipeline.datamanager.fixed_indices_eval_dataloader)
    assert lines[0].startswith("subject,row,psnr,l1,")
    assert averages["psnr"] > 3 and averages["psnr_std"] >= 0
    assert len(list(tmp_path.glob("eval_img_dora_*.png"))) == averages["images"]


def test_the_viewer_panel_shows_what_it_is_told(whole_run: LCATrainer) -> None:
    model, panel = whole_run.pipeline.model, whole_run.pipeline.avatar
    camera = whole_run.pipeline.datamanager.eval_dataset.cameras[:1]
    made = []
    hook = model.network.pose_head.of_tokens.register_forward_hook(lambda *_: made.append(1))
    first = model.get_outputs_for_camera(camera)
    model.get_outputs_for_camera(camera)
    hook.remove()
    assert made == [1]  # the avatar, and the token half of its pose-dependent head, is made once
    assert first["rgb"].shape == first["canonical"].shape == (128, 96, 3)
    assert first["depth"].shape == first["accumulation"].shape == (128, 96, 1)
    assert first["accumulation"].max() > 0.3
    inside = first["accumulation"] > 0.5
    assert bool(((first["depth"][inside] > 2) & (first["depth"][inside] < 4.5)).all())
    state = panel.controls.state
    state.moving = False
    at_rest = model.get_outputs_for_camera(camera)["rgb"]
    torch.testing.assert_close(at_rest, first["rgb"])  # the recording starts at rest
    state.sliders["left_arm"] = 90.0
    raised = model.get_outputs_for_camera(camera)["rgb"]
    assert (raised - at_rest).abs().max() > 0.01
    state.mode = "alpha"
    torch.testing.assert_close(
        model.get_outputs_for_camera(camera)["rgb"][..., :1], model.get_outputs_for_camera(camera)["accumulation"]
    )
    state.mode, state.shown = "rgb", "canonical"
    still = model.get_outputs_for_camera(camera)
    torch.testing.assert_close(still["rgb"], still["canonical"])
    state.shown, state.moving = "posed", True
    state.time = 100.0
    assert (model.get_outputs_for_camera(camera)["rgb"] - first["rgb"]).abs().max() > 0.01
    state.time = 0.0
    camera.times = torch.ones(1, 1)
    assert (model.get_outputs_for_camera(camera)["rgb"] - first["rgb"]).abs().max() > 0.01
    panel.a_subject.default_value = "bela"
    panel.b_references.default_value = 2
    assert panel.shown().references.images.shape[:2] == (1, 2)
    panel.c_frames.default_value = "0, 4, 99"
    assert panel.references() == (0, 4)
    eye, target = panel.start_camera()
    assert 1.0 < float((eye - target).norm()) < 4.0
