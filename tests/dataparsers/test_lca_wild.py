"""Splits, and what nerfstudio gets from the lca-wild dataparser."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.dataset.schema import DatasetInfo, FrameRecord, SubjectInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_dataparsers.split import FrameSplit, held_out_moments, rows_by_time, rows_of_split
from lca_shared.cameras import from_nerfstudio
from lca_shared.errors import UserError

INFO = DatasetInfo("wild", "anny", ("elbow",), ("tall",), ("smile",), "a test", "CC0")


def record(frame: int, camera: str = "0") -> FrameRecord:
    pose = np.eye(4)
    pose[:3, 3] = [0.1 * frame, 0.2, 3.0]
    arrays = {
        "intrinsics": np.array([[30.0 + frame, 0, 8], [0, 31, 9], [0, 0, 1]]),
        "camera_from_world": pose,
        "distortion": np.zeros(4),
        "joint_rotations": np.zeros((1, 3)),
        "root_rotation": np.zeros(3),
        "root_translation": np.zeros(3),
        "gaze": np.zeros((2, 2)),
        "expression": np.zeros(1),
        "person_box": np.array([0.0, 0, 16, 18]),
        "face_box": np.full(4, np.nan),
        "joint_confidence": np.ones(1),
    }
    confidences = dict.fromkeys(
        (
            "confidence_body",
            "confidence_face",
            "confidence_gaze",
            "confidence_left_hand",
            "confidence_right_hand",
            "fit_quality",
        ),
        1.0,
    )
    names = {"frame": frame, "camera": camera, "time": frame / 10, "image": "", "mask": "", "width": 0, "height": 0}
    return FrameRecord(**names, **arrays, **confidences, light_pattern=-1)


def write(root: Path, people: dict[str, tuple[str, int]], info: DatasetInfo = INFO) -> Path:
    writer = DatasetWriter(root, info)
    picture, mask = np.zeros((18, 16, 3), np.uint8), np.zeros((18, 16), np.uint8)
    for name, (split, count) in people.items():
        frames = [(record(frame), picture, mask) for frame in range(count)]
        writer.write_subject(SubjectInfo(name, (0.0,), split, "a test", "CC0", {}), frames)
    return root


def parse(root: Path, split: str):
    from lca_dataparsers.lca_wild import LCAWildDataParserConfig

    return LCAWildDataParserConfig(data=root).setup().get_dataparser_outputs(split)


def test_people_are_split_by_person(tmp_path: Path) -> None:
    dataset = AvatarDataset.open(write(tmp_path, {"ada": ("train", 3), "bob": ("test", 2), "eve": ("train", 1)}))
    assert rows_of_split(dataset, "train") == [("ada", 0), ("ada", 1), ("ada", 2), ("eve", 0)]
    assert rows_of_split(dataset, "test") == rows_of_split(dataset, "val") == [("bob", 0), ("bob", 1)]


@pytest.mark.parametrize("people", [{"ada": ("train", 40)}, {"ada": ("train", 40), "eve": ("train", 30)}])
def test_without_held_out_people_time_is_split(tmp_path: Path, people: dict[str, tuple[str, int]]) -> None:
    dataset = AvatarDataset.open(write(tmp_path, people))
    train, held_out = set(rows_of_split(dataset, "train")), set(rows_of_split(dataset, "val"))
    assert held_out == set(rows_of_split(dataset, "test")) and not train & held_out
    for name, (_, count) in people.items():
        kept, out = ({row for n, row in rows if n == name} for rows in (train, held_out))
        assert len(out) == round(0.1 * count)
        assert all(abs(a - b) > 1 for a in kept for b in out)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 12, 100, 1001])
@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("stretches", [1, 4])
def test_held_out_moments(count: int, fraction: float, stretches: int) -> None:
    held_out, guarded = held_out_moments(count, FrameSplit("time", fraction, stretches, eval_guard=2))
    assert held_out.shape == guarded.shape == (count,) and not (held_out & guarded).any()
    if count >= 2:
        assert held_out.any() and (~held_out & ~guarded).any()
        runs = int(np.diff(np.concatenate([[0], held_out.astype(int)])).clip(0).sum())
        assert runs <= stretches


def test_pictures_of_one_moment_stay_together() -> None:
    frame = np.repeat(np.arange(10), 3)
    held_out = rows_by_time({"ada": frame}, "test", FrameSplit("time", 0.2, 1, 0))
    assert len(held_out) == 6 and len({frame[row] for _, row in held_out}) == 2


def test_outputs_have_the_cameras_and_files_of_their_rows(tmp_path: Path) -> None:
    root = write(tmp_path, {"ada": ("train", 3), "bob": ("test", 2)})
    outputs = parse(root, "train")
    dataset = AvatarDataset.open(root)
    assert outputs.metadata == {"dataset_root": str(root), "rows": [("ada", 0), ("ada", 1), ("ada", 2)]}
    assert outputs.mask_filenames is not None and all(
        p.exists() for p in outputs.image_filenames + outputs.mask_filenames
    )
    cameras = outputs.cameras
    back = from_nerfstudio(
        cameras.camera_to_worlds, cameras.fx[:, 0], cameras.fy[:, 0], cameras.cx[:, 0], cameras.cy[:, 0], 16, 18
    )
    expected = dataset.subjects["ada"].frames.cameras()
    torch.testing.assert_close(back.camera_from_world, expected.camera_from_world)
    torch.testing.assert_close(back.intrinsics, expected.intrinsics)
    assert cameras.width.tolist() == [[16]] * 3 and cameras.height.tolist() == [[18]] * 3
    assert len(parse(root, "val").image_filenames) == 2


def test_wrong_datasets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a dataset"):
        parse(tmp_path, "train")
    with pytest.raises(UserError, match="lca-studio"):
        parse(write(tmp_path / "s", {"ada": ("train", 2)}, replace(INFO, kind="studio")), "train")
    with pytest.raises(UserError, match="no subject"):
        parse(write(tmp_path / "t", {"ada": ("val", 2), "bob": ("test", 2)}), "train")


def test_nerfstudio_finds_the_dataparser() -> None:
    from nerfstudio.plugins.registry_dataparser import discover_dataparsers

    parsers, _ = discover_dataparsers()
    assert "lca-wild" in parsers


def test_config_module_adds_little_to_nerfstudio() -> None:
    """What `ns-train --help` pays for: neither pyarrow, OpenCV's video side nor Open3D may be imported by it."""
    script = (
        "import sys, nerfstudio.data.dataparsers.base_dataparser, nerfstudio.plugins.registry_dataparser;"
        "before = set(sys.modules);"
        "import lca_dataparsers.lca_wild_config, lca_dataparsers.lca_studio_config;"
        "new = {m.split('.')[0] for m in set(sys.modules) - before};"
        "print(sorted(new & {'pyarrow', 'open3d', 'mediapipe', 'av', 'tyro', 'lca_method'}))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == "[]"
