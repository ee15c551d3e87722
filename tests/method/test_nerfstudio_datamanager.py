from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.configs.method_configs import all_methods
from small_people import write_people

from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.writing import write_shards
from lca_method.lca_datamanager import LCADataManager
from lca_shared.errors import UserError

NAMES = ("gina", "hugo", "ines")


def manager(data: Path, test_mode: str = "val", **changes) -> LCADataManager:
    config = deepcopy(all_methods["lca-pretrain-tiny"].pipeline.datamanager)
    config.data = data
    small = {"image_size": 32, "face_size": 16, "target_size": 24, "prefetch_steps": 0}
    for name, value in {**small, **changes}.items():
        setattr(config, name, value)
    return config.setup(device="cpu", test_mode=test_mode)


def test_a_training_step(people: Path) -> None:
    drawn = manager(people, subjects_per_step=2, targets_per_step=3, references=(1, 3))
    camera, content = drawn.next_train(0)
    batch = content["subject_batch"]
    assert isinstance(camera, NerfstudioCameras) and int(camera.width[0]) == 24
    assert batch.targets.images.shape == (2, 3, 3, 24, 24)
    assert 1 <= batch.references.images.shape[1] <= 3
    assert set(batch.ids) <= {"anna", "bela", "cleo"}
    assert drawn.get_train_rays_per_batch() == 2 * 3 * 24 * 24


def test_prefetched_steps_are_the_same_steps(people: Path) -> None:
    plain, ahead = manager(people), manager(people, prefetch_steps=3, prefetch_workers=2)
    for step in (0, 1, 2, 7, 8):
        first, second = (m.next_train(step)[1]["subject_batch"] for m in (plain, ahead))
        assert first.ids == second.ids
        assert torch.equal(first.targets.images, second.targets.images)


def test_evaluation_sees_held_out_people_always_alike(people: Path) -> None:
    first, second = (manager(people), manager(people))
    assert first.eval_draws == second.eval_draws
    assert {draw.subject for draw in first.eval_draws} == {"dora"}
    assert {draw.subject for draw in manager(people, test_mode="test").eval_draws} == {"emil"}
    for draw in first.eval_draws:
        assert not set(draw.references) & set(draw.targets)
    views = list(first.fixed_indices_eval_dataloader)
    assert len(views) == len(first.fixed_indices_eval_dataloader) > 0
    camera, content = views[0]
    assert content["image"].shape == (24, 24, 3) and content["mask"].shape == (24, 24, 1)
    assert camera.shape == (1,)


def test_one_person_is_evaluated_on_frames_never_trained_on(one_person: Path) -> None:
    alone = manager(one_person)
    trained = {row for subject in alone.train_subjects for row in subject.references}
    (draw,) = alone.eval_draws
    assert set(draw.targets) and not set(draw.targets) & trained
    assert set(draw.references) <= trained


@pytest.fixture(scope="module")
def shards(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("shards") / "shards"
    write_shards(ShardConfig(people, output, block_frames=4))
    return output


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, six moments each through three cameras; nobody held out."""
    root = tmp_path_factory.mktemp("studio") / "studio"
    return write_people(root, dict.fromkeys(("gina", "hugo", "ines"), "train"), frames=6, cameras=3)


@pytest.mark.parametrize("reading", ["random", "stream"])
def test_shards_in_place_of_a_folder(people: Path, shards: Path, reading: str) -> None:
    drawn, folder = manager(shards, subjects_per_step=2, reading=reading), manager(people)
    batch = drawn.next_train(0)[1]["subject_batch"]
    assert batch.targets.images.shape == (2, 3, 3, 24, 24) and set(batch.ids) <= {"anna", "bela", "cleo"}
    again = manager(shards, subjects_per_step=2, reading=reading, prefetch_steps=2, prefetch_workers=2)
    for step in (5, 6, 7):  # a resumed run
        assert torch.equal(*(m.next_train(step)[1]["subject_batch"].targets.images for m in (drawn, again)))
    assert drawn.eval_draws == folder.eval_draws
    for (_, mine), (_, theirs) in zip(*(m.fixed_indices_eval_dataloader for m in (drawn, folder)), strict=True):
        assert torch.equal(mine["image"], theirs["image"])
    assert {frames.subject for frames in drawn.train_subjects} == {"anna", "bela", "cleo"}
    assert drawn.train_dataset[0]["image"].shape == (128, 96, 3)
    assert len(drawn.train_dataset) == len(drawn.train_dataset.cameras) == 3 * 4


def test_two_processes_draw_what_one_would(people: Path) -> None:
    whole = manager(people, subjects_per_step=2).draw_batch(3)
    parts = []
    for rank in (0, 1):
        config = manager(people).config
        parts.append(config.setup(device="cpu", test_mode="val", world_size=2, local_rank=rank).draw_batch(3))
    assert whole.ids == parts[0].ids + parts[1].ids
    assert torch.equal(whole.targets.images, torch.cat([part.targets.images for part in parts]))


def test_a_mixture_of_shards_and_a_studio(people: Path, shards: Path, studio: Path) -> None:
    mixed = manager(people, datasets=(shards, studio), weights=(1.0, 3.0), subjects_per_step=2)
    met = Counter(name.split(":")[0] for step in range(30) for name in mixed.draw_batch(step).ids)
    assert met["studio"] > 1.8 * met["shards"] > 0
    assert {frames.subject for frames in mixed.eval_subjects} == {"shards:dora", *(f"studio:{n}" for n in NAMES)}
    assert len(list(mixed.fixed_indices_eval_dataloader)) == sum(len(draw.targets) for draw in mixed.eval_draws)
    assert "studio:hugo" in mixed.reader.dataset.subjects
    with pytest.raises(UserError, match="1 numbers for 2 datasets"):
        manager(people, datasets=(shards, studio), weights=(1.0,))
    with pytest.raises(UserError, match="positive"):
        manager(people, datasets=(shards, studio), weights=(1.0, -1.0))


@pytest.mark.parametrize("eval_by", ["camera", "time"])
def test_a_studio(studio: Path, eval_by: str) -> None:
    with pytest.raises(UserError, match="lca-studio"):
        manager(studio)
    parser = LCAStudioDataParserConfig(eval_by=eval_by)
    drawn = manager(studio, dataparser=parser, targets_per_step=4, references=(3, 3), target_views_per_moment=2)
    gina = drawn.reader.dataset.subjects["gina"].frames
    trained = next(frames for frames in drawn.train_subjects if frames.subject == "gina").references
    held_out = next(frames for frames in drawn.eval_subjects if frames.subject == "gina").targets
    column = "camera" if eval_by == "camera" else "frame"
    assert not set(gina[column][list(trained)]) & set(gina[column][list(held_out)])
    for step in range(6):
        ((person, draw),) = drawn.sampler.draw(step, range(1))
        moments = drawn.reader.dataset.subjects[person].frames["frame"]
        seen, targets = (moments[list(rows)].tolist() for rows in (draw.references, draw.targets))
        assert not set(seen) & set(targets)
        assert targets[0] == targets[1] and targets[2] == targets[3]
    batch = drawn.draw_batch(0)
    assert batch.targets.cameras.camera_from_world.shape == (1, 4, 4, 4)


def test_what_nerfstudio_asks_of_the_datasets(people: Path) -> None:
    made = manager(people)
    assert len(made.train_dataset) == 18 and len(made.eval_dataset) == 6
    assert made.train_dataset[0]["image"].shape == (128, 96, 3)
    assert made.train_dataset.cameras[0].camera_to_worlds.shape == (3, 4)
    assert made.train_dataset.scene_box.aabb.shape == (2, 3)
    assert made.get_param_groups() == {}


def test_a_folder_that_is_no_dataset_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=str(tmp_path)):
        manager(tmp_path)
