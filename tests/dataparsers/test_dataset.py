"""A dataset is read back as it was written, appears whole or not at all, and refuses what it cannot read."""

import json
import os
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.dataset.schema import ARRAY_FIELDS, DatasetInfo, FrameRecord, SubjectInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_shared.errors import SchemaError, UserError

INFO = DatasetInfo("wild", "anny", ("elbow", "knee"), ("tall", "wide", "old"), ("smile", "blink"), "a test", "CC0")
WIDTH, HEIGHT = 48, 32


def subject_info(name: str = "ada", split: str = "train") -> SubjectInfo:
    return SubjectInfo(name, (0.5, -1.0, 2.0), split, "a test", "CC0", {"refused": {"blur": 2}})


def frame_record(index: int) -> FrameRecord:
    random = np.random.default_rng(index)
    camera = np.eye(4)
    camera[:3, 3] = random.normal(size=3)
    return FrameRecord(
        frame=index,
        camera="0",
        time=index / 10,
        image="",
        mask="",
        width=0,
        height=0,
        intrinsics=np.array([[40.0, 0, 24], [0, 41, 16], [0, 0, 1]]),
        camera_from_world=camera,
        distortion=np.zeros(4),
        joint_rotations=random.normal(size=(2, 3)),
        root_rotation=random.normal(size=3),
        root_translation=random.normal(size=3),
        gaze=random.normal(size=(2, 2)),
        expression=random.uniform(size=2),
        person_box=np.array([4.0, 2, 40, 30]),
        face_box=np.array([10.0, 2, 20, 12]) if index else np.full(4, np.nan),
        joint_confidence=np.ones(2),
        confidence_body=1.0,
        confidence_face=float(index > 0),
        confidence_gaze=1.0,
        confidence_left_hand=0.5,
        confidence_right_hand=0.25,
        fit_quality=0.9,
        light_pattern=-1,
    )


def pictures(index: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(100 + index)
    return random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), random.integers(0, 2, (HEIGHT, WIDTH), np.uint8) * 255


def frames(count: int = 3):
    return ((frame_record(i), *pictures(i)) for i in range(count))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    writer = DatasetWriter(tmp_path / "d", INFO, image_format="png")
    writer.write_subject(subject_info("ada"), frames())
    writer.write_subject(subject_info("bob", "test"), frames(2))
    return tmp_path / "d"


def test_read_back_as_written(root: Path) -> None:
    dataset = AvatarDataset.open(root)
    assert dataset.info == INFO
    assert list(dataset.subjects) == ["ada", "bob"]
    ada = dataset.subjects["ada"]
    assert ada.info == subject_info("ada") and len(ada) == 3 and len(dataset.subjects["bob"]) == 2
    for row in range(3):
        expected, found = frame_record(row), ada.frames.record(row)
        for name in ARRAY_FIELDS:
            np.testing.assert_array_equal(getattr(found, name), np.float32(getattr(expected, name)))
        assert (found.width, found.height, found.image) == (WIDTH, HEIGHT, f"images/{row:06d}_0.png")
        image, mask = pictures(row)
        frame = ada.load(row)
        np.testing.assert_allclose(frame.image.numpy().transpose(1, 2, 0) * 255, image, atol=1e-3)
        np.testing.assert_allclose(frame.mask[0].numpy() * 255, mask, atol=1e-3)
        assert frame.camera.batch_shape == () and (frame.camera.width, frame.camera.height) == (WIDTH, HEIGHT)
        torch.testing.assert_close(frame.pose.gaze, torch.tensor(expected.gaze, dtype=torch.float32))
        assert frame.face_seen == (row > 0)
    poses = ada.frames.poses([2, 0])
    np.testing.assert_array_equal(poses.root_rotation[0], np.float32(frame_record(2).root_rotation))
    assert ada.frames.cameras().batch_shape == (3,) and ada.frames.expressions().shape == (3, 2)


def test_what_a_picture_shows_of_each_joint_is_stored_where_it_is_known(root: Path) -> None:
    """Tables without the column read as before; a table has it if all of its rows do."""
    assert AvatarDataset.open(root).subjects["ada"].frames.record(0).joint_visible is None
    writer = DatasetWriter(root, INFO, image_format="png")
    joints = len(INFO.driven_joints)
    known = [replace(frame_record(i), joint_visible=np.full(joints, i / 4)) for i in range(3)]
    writer.write_subject(subject_info("eve"), [(record, *pictures(i)) for i, record in enumerate(known)])
    table = AvatarDataset.open(root).subjects["eve"].frames
    np.testing.assert_array_equal(table["joint_visible"], np.repeat([[0.0], [0.25], [0.5]], joints, axis=1))
    np.testing.assert_array_equal(table.record(2).joint_visible, np.full(joints, 0.5, np.float32))
    mixed = [known[0], frame_record(1)]
    writer.write_subject(subject_info("fay"), [(record, *pictures(i)) for i, record in enumerate(mixed)])
    assert AvatarDataset.open(root).subjects["fay"].frames.record(0).joint_visible is None


def test_jpeg_keeps_rgb_order(tmp_path: Path) -> None:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[..., 0] = 200
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    DatasetWriter(tmp_path, INFO).write_subject(subject_info(), [(frame_record(0), image, mask)])
    loaded = AvatarDataset.open(tmp_path).subjects["ada"].load(0)
    torch.testing.assert_close(loaded.image.mean((1, 2)) * 255, torch.tensor([200.0, 0, 0]), atol=3, rtol=0)


def test_files_are_taken_over_as_they_are(tmp_path: Path) -> None:
    image, mask = pictures(0)
    writer = DatasetWriter(tmp_path / "data", INFO)
    picture, outline = tmp_path / "a.jpg", tmp_path / "b.png"
    writer.write_image(picture, image)
    cv2.imwrite(str(outline), mask)
    record = replace(frame_record(0), width=WIDTH, height=HEIGHT)
    folder = writer.write_subject(subject_info(), [(record, picture, outline)])
    written = AvatarDataset.open(tmp_path / "data").subjects["ada"].frames.record(0)
    assert (folder / written.image).read_bytes() == picture.read_bytes()
    assert (folder / written.mask).read_bytes() == outline.read_bytes()
    assert (written.width, written.height) == (WIDTH, HEIGHT)
    with pytest.raises(ValueError, match=r"\.png is needed"):
        writer.write_subject(subject_info("eve"), [(record, picture, picture)])


def test_opening_reads_no_picture_and_no_table(root: Path) -> None:
    for path in [*root.rglob("*.png"), *root.rglob("*.parquet")]:
        path.unlink()
    assert len(AvatarDataset.open(root).subjects) == 2


def test_subject_appears_whole_or_not_at_all(root: Path) -> None:
    def breaking():
        yield from frames(2)
        raise RuntimeError("killed")

    writer = DatasetWriter(root, INFO)
    with pytest.raises(RuntimeError, match="killed"):
        writer.write_subject(subject_info("eve"), breaking())
    with pytest.raises(RuntimeError, match="killed"):
        writer.write_subject(subject_info("ada"), breaking(), overwrite=True)
    assert sorted(p.name for p in (root / "subjects").iterdir()) == ["ada", "bob"]
    assert len(AvatarDataset.open(root).subjects["ada"]) == 3


def test_leftovers_of_a_killed_writer_are_ignored_and_removed(root: Path) -> None:
    leftover = root / "subjects" / ".eve.123.writing"
    (leftover / "images").mkdir(parents=True)
    assert list(AvatarDataset.open(root).subjects) == ["ada", "bob"]
    DatasetWriter(root, INFO).remove_leftovers()
    assert not leftover.exists()


def test_existing_subject_is_kept_unless_told(root: Path) -> None:
    writer = DatasetWriter(root, INFO)
    assert writer.has_subject("ada") and not writer.has_subject("eve")
    with pytest.raises(UserError, match="exists already"):
        writer.write_subject(subject_info("ada"), frames(1))
    writer.write_subject(subject_info("ada"), frames(1), overwrite=True)
    assert len(AvatarDataset.open(root).subjects["ada"]) == 1


def test_wrong_records_are_refused(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path, INFO)
    image, mask = pictures(0)
    for record, picture in (
        (replace(frame_record(0), expression=np.zeros(7)), image),
        (frame_record(0), image[..., 0]),
    ):
        with pytest.raises(ValueError):
            writer.write_subject(subject_info(), [(record, picture, mask)])
    with pytest.raises(ValueError, match="share"):
        writer.write_subject(subject_info(), [(frame_record(0), image, mask)] * 2)
    with pytest.raises(ValueError, match="id"):
        writer.write_subject(subject_info("../x"), frames())
    with pytest.raises(UserError, match="no frames"):
        writer.write_subject(subject_info(), [])


@pytest.mark.parametrize("name", ["dataset.json", "subjects/ada/subject.json"])
def test_another_schema_version_is_refused(root: Path, name: str) -> None:
    path = root / name
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(SchemaError, match=r"99.*version 1.*") as caught:
        AvatarDataset.open(root)
    assert str(path) in str(caught.value)


def test_missing_and_broken_files_are_named(root: Path, tmp_path: Path) -> None:
    ada = AvatarDataset.open(root).subjects["ada"]
    ada.image_path(0).unlink()
    ada.mask_path(1).write_bytes(b"not a picture")
    cv2.imwrite(str(ada.image_path(2)), np.zeros((5, 5, 3), np.uint8))
    for row, path in ((0, ada.image_path(0)), (1, ada.mask_path(1)), (2, ada.image_path(2))):
        with pytest.raises(UserError) as caught:
            ada.load(row)
        assert str(path) in str(caught.value)
    (root / "subjects/bob/frames.parquet").write_bytes(b"not a table")
    with pytest.raises(UserError, match=r"frames\.parquet"):
        len(AvatarDataset.open(root).subjects["bob"])
    with pytest.raises(UserError, match="not a dataset"):
        AvatarDataset.open(tmp_path / "nothing")


def test_another_body_or_an_unwritable_folder_is_refused(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="body_model"):
        DatasetWriter(root, replace(INFO, body_model="mhr"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write"):
        DatasetWriter(tmp_path / "file" / "d", INFO)
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(UserError, match="Cannot write"):
            DatasetWriter(tmp_path / "locked" / "d", INFO)
