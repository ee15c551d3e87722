"""The studio fit against a clothed person rendered by another program."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from small_people import write_people

from benchmarks import studio_captures
from benchmarks.studio_truth import Config, distances, run
from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset


def test_distances_from_a_mesh() -> None:
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    points = np.array([[0.2, 0.2, 0.5], [2.0, 0, 0], [0.1, 0.1, 0.0]])
    np.testing.assert_allclose(distances(corners, np.array([[0, 1, 2]]), points), [0.5, 1.0, 0.0], atol=1e-6)


@pytest.mark.parametrize("layout", ["goliath", "actorshq"])
def test_made_captures_say_what_the_dataset_says(tmp_path: Path, layout: Literal["goliath", "actorshq"]) -> None:
    """A dataset written in a public layout and imported again: the same cameras, and masks within a pixel's edge."""
    root = write_people(tmp_path / "d", {"anna": "train"}, frames=2, cameras=3)
    studio_captures.main(studio_captures.Config(root, "anna", layout, tmp_path / "c"))
    options = ["--output-dir", str(tmp_path / "back"), "--body", "none", "--up", "+z"]
    assert main(["import", layout, str(next((tmp_path / "c").glob("[As]*"))), *options]) == 0
    (person,) = AvatarDataset.open(tmp_path / "back").subjects.values()
    made = AvatarDataset.open(root).subjects["anna"]
    assert len(person) == len(made) == 6
    for row in range(6):
        frame, truth = person.load(row), made.load(row)
        torch.testing.assert_close(frame.camera.intrinsics, truth.camera.intrinsics, atol=1e-3, rtol=0)
        torch.testing.assert_close(frame.camera.camera_from_world, truth.camera.camera_from_world, atol=1e-4, rtol=0)
        assert torch.equal(frame.mask > 0.5, truth.mask > 0.5)
    assert (tmp_path / "c" / "ground_truth" / "body_vertices.npz").is_file()


@pytest.mark.slow
def test_all_cameras(material: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(models))
    found = run(Config(material / "data/studio/goliath_A"))
    print(found.table())
    assert len(found.frames) == 7 and len(found.iou) == 8
    assert np.median(found.root_aligned[:, found.body]) < 22.0
    assert np.median(found.similarity[:, found.body]) < 12.0
    assert np.median(found.surface) < 5.0
    assert np.median(np.concatenate(list(found.iou.values()))) > 0.88
    assert found.reprojection < 0.01


@pytest.mark.slow
def test_one_camera(material: Path, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCA_MODEL_DIR", str(models))
    found = run(Config(material / "data" / "studio" / "goliath_A", last_frame=6, cameras=("400101",)))
    assert len(found.frames) == 6 and len(found.iou) == 1
    assert np.median(found.root_aligned[:, found.body]) < 50.0
    assert found.reprojection < 0.01
