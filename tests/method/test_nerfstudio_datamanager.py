from copy import deepcopy
from pathlib import Path

import pytest
import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.configs.method_configs import all_methods

from lca_method.lca_datamanager import LCADataManager
from lca_shared.errors import UserError


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
