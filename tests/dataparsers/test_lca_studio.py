"""What nerfstudio gets from the lca-studio dataparser, from a folder and from shards."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_people import write_people

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.writing import write_shards
from lca_dataparsers.split import FrameSplit, held_out_cameras
from lca_shared.errors import UserError

CAMERAS = 4


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person, five moments."""
    return write_people(tmp_path_factory.mktemp("one") / "studio", {"gina": "train"}, frames=5, cameras=CAMERAS)


def rows(root: Path, split: str, **options: object) -> list[int]:
    outputs = LCAStudioDataParserConfig(data=root, **options).setup().get_dataparser_outputs(split)
    assert len(outputs.image_filenames) == len(outputs.cameras) == len(outputs.metadata["rows"])
    return [row for _, row in outputs.metadata["rows"]]


@given(count=st.integers(2, 30), fraction=st.floats(0, 1))
def test_some_cameras_are_held_out_and_some_are_not(count: int, fraction: float) -> None:
    names = np.array([f"cam{i}" for i in range(count)])
    held_out = held_out_cameras(np.repeat(names, 3), fraction)
    assert 1 <= len(held_out) == len(set(held_out)) < count and set(held_out) <= set(names)


def test_held_out_cameras_stand_around_the_person() -> None:
    assert held_out_cameras(np.array([f"cam{i}" for i in range(12)]), 0.25) == ["cam2", "cam6", "cam10"]


def test_one_person_is_split_by_camera_or_time(studio: Path) -> None:
    frames = AvatarDataset.open(studio).subjects["gina"].frames
    train, held_out = rows(studio, "train"), rows(studio, "val")
    assert sorted(train + held_out) == list(range(5 * CAMERAS)) and held_out == rows(studio, "test")
    assert len(set(frames["camera"][held_out])) == 1
    assert not set(frames["camera"][held_out]) & set(frames["camera"][train])
    train, held_out = (rows(studio, split, eval_by="time") for split in ("train", "val"))
    assert len(held_out) == CAMERAS and len(set(frames["frame"][held_out])) == 1
    assert not set(frames["frame"][held_out]) & set(frames["frame"][train])


def test_people_are_split_by_person(tmp_path: Path) -> None:
    root = write_people(tmp_path, {"gina": "train", "hugo": "test"}, frames=2, cameras=2)
    parser = LCAStudioDataParserConfig(data=root).setup()
    assert parser.get_dataparser_outputs("train").metadata["rows"] == [("gina", row) for row in range(4)]
    assert parser.get_dataparser_outputs("val").metadata["rows"] == [("hugo", row) for row in range(4)]


def test_shards_keep_their_split_and_give_pictures_to_show(studio: Path, tmp_path: Path) -> None:
    write_shards(ShardConfig(studio, tmp_path / "s", split=FrameSplit("camera")))
    parser = LCAStudioDataParserConfig(data=tmp_path / "s").setup()
    train, held_out = (parser.get_dataparser_outputs(split) for split in ("train", "val"))
    assert train.metadata["group"] == "train" and held_out.metadata["group"] == "val"
    assert 0 < len(train.image_filenames) == len(train.cameras) <= 4
    with pytest.raises(UserError, match="lca-studio"):
        LCAWildDataParserConfig(data=tmp_path / "s").setup().get_dataparser_outputs("train")


def test_nerfstudio_finds_the_dataparser() -> None:
    from nerfstudio.plugins.registry_dataparser import discover_dataparsers

    assert "lca-studio" in discover_dataparsers()[0]
