"""Importers against exact look-alikes of the public captures' layouts."""

import json
from pathlib import Path

import numpy as np
import pytest
from look_alikes import (
    MARK,
    MadeCamera,
    made_cameras,
    mark_of,
    person_mask,
    write_actorshq,
    write_ava256,
    write_dna_rendering,
    write_goliath,
    write_neuman,
    write_transforms,
)

from lca_dataparsers.dataset.sources import SourceReader
from lca_dataparsers.formats.axes import mean_up, world_from_capture
from lca_dataparsers.formats.capture import Capture
from lca_dataparsers.formats.registry import open_capture
from lca_dataparsers.formats.selection import resized, selected, spread
from lca_shared.errors import UserError

BENT = (0.12, -0.03, 0.004, -0.003)


def check_cameras(capture: Capture, cameras: list[MadeCamera], tolerance: float = 1e-6) -> None:
    """Same cameras, by name or in order, and pictures that show the mark where they see it."""
    assert len(capture.cameras) == len(cameras)
    reader = SourceReader(capture.root)
    for camera, made in zip(capture.cameras.values(), cameras):
        np.testing.assert_allclose(camera.intrinsics, made.intrinsics, atol=1e-6)
        np.testing.assert_allclose(camera.camera_from_world, made.camera_from_world, atol=tolerance)
        assert (camera.width, camera.height) == (made.width, made.height)
        view = next(view for view in capture.views if view.camera == camera.name)
        image = reader.image(view.image, camera.treatment)
        assert image.shape == (made.height, made.width, 3)
        assert np.abs(mark_of(image) - made.pixel()).max() < 1.0
        assert view.mask is not None
        mask = reader.mask(view.mask, camera.treatment)
        agreement = ((mask > 127) == (person_mask(made) > 127)).mean()
        assert agreement > (0.99 if not camera.treatment.distortion else 0.9)
    reader.close()


@pytest.mark.parametrize("full_size", [True, False], ids=["size given", "size guessed"])
def test_goliath(tmp_path: Path, full_size: bool) -> None:
    cameras = made_cameras()
    folder = write_goliath(tmp_path, cameras, full_size=full_size)
    for source in (folder, tmp_path):
        capture = open_capture("goliath", source)
        check_cameras(capture, cameras)
    assert capture.person == "ABC123" and len(capture.views) == 9 and capture.frames() == [1, 2, 5]
    assert set(capture.frame_splits.values()) == {"train"} and set(capture.backgrounds) == set(capture.cameras)
    lights = capture.lights
    assert lights is not None and [pattern.fully_lit for pattern in lights.patterns] == [True, False]
    np.testing.assert_allclose(lights.positions[2], [-1.5, 0, 0.5])
    np.testing.assert_allclose(lights.intensities(1), [1.0, 0.0, 0.2], atol=1e-6)
    assert {view.frame: view.light_pattern for view in capture.views} == {1: 0, 2: 0, 5: 1}


def test_goliath_floor_says_which_way_is_up(tmp_path: Path) -> None:
    folder = write_goliath(tmp_path, made_cameras())
    tilted = np.array([[1, 0, 0, 100.0], [0, 0, -1, 0], [0, 1, 0, 0]])  # the floor's normal is the capture's y
    np.savetxt(folder / "floor_transformation.txt", tilted)
    turn = world_from_capture(open_capture("goliath", folder), "auto")
    np.testing.assert_allclose(turn @ [0.1, 1.0, 0.0, 1.0], [0.0, 0.0, -1.0, 1.0], atol=1e-9)


def test_goliath_heads_get_their_black_level_and_gains(tmp_path: Path) -> None:
    folder = write_goliath(tmp_path, made_cameras(1))
    head = folder.rename(folder.with_name("s--20260101--0001--ABC123--Head"))
    capture = open_capture("goliath", head)
    reader, camera = SourceReader(head), next(iter(capture.cameras.values()))
    corner = reader.image(capture.views[0].image, camera.treatment)[1, 1].astype(int)
    assert np.abs(corner - np.round((60 - np.array([2, 1, 2])) * [1.4, 1.1, 1.6])).max() <= 2


def test_ava256(tmp_path: Path) -> None:
    cameras = made_cameras(width=46, height=71)  # 2668 / 58, 4096 / 58 (rounded)
    capture = open_capture("ava256", write_ava256(tmp_path, cameras, BENT))
    check_cameras(capture, cameras)
    assert capture.frames() == [7, 9] and capture.person == "ABC123" and capture.lights is None


def test_actorshq(tmp_path: Path) -> None:
    cameras = made_cameras(4)
    folder = write_actorshq(tmp_path, cameras)
    for source in (folder, tmp_path):
        capture = open_capture("actorshq", source)
        check_cameras(capture, cameras)
    assert capture.person == "Actor01" and capture.rate == 25.0 and len(capture.views) == 8


def test_dna_rendering(tmp_path: Path) -> None:
    cameras = made_cameras()
    root = write_dna_rendering(tmp_path, cameras, (*BENT, 0.01))
    for source in (root / "main" / "0165_08.smc", root / "main", root):
        capture = open_capture("dna_rendering", source)
        check_cameras(capture, cameras)
    assert list(capture.cameras) == ["00", "01", "02"] and capture.person == "0165"
    reader, camera = SourceReader(capture.root), capture.cameras["00"]
    grey = reader.image(capture.views[0].image, camera.treatment)[32, 4]
    np.testing.assert_allclose(grey, [61, 60, 61], atol=1)  # red has a square, blue a constant
    assert capture.registration is not None and capture.registration.parameters["fullpose"].shape == (2, 55, 3)


@pytest.mark.parametrize("arrays", [False, True], ids=["png masks", "npy masks"])
def test_neuman(tmp_path: Path, arrays: bool) -> None:
    made = made_cameras(4)
    cameras = [MadeCamera(c.name, made[0].intrinsics, c.camera_from_world, c.width, c.height) for c in made]
    capture = open_capture("neuman", write_neuman(tmp_path, made, arrays=arrays))
    check_cameras(capture, cameras)
    assert capture.moving and capture.frames() == [0, 1, 2, 3] and not capture.metric
    assert capture.frame_splits == {0: "train", 1: "test", 2: "train"}


@pytest.mark.parametrize("shared", [False, True], ids=["each frame", "at the top"])
def test_nerfstudio(tmp_path: Path, shared: bool) -> None:
    cameras = made_cameras()
    folder = write_transforms(tmp_path, cameras, shared=shared)
    for source in (folder, folder / "transforms.json"):
        capture = open_capture("nerfstudio", source)
        check_cameras(capture, cameras)
    assert capture.frames() == [0] and not capture.moving


def test_nerfstudio_times_and_cameras(tmp_path: Path) -> None:
    cameras = made_cameras(4)
    path = write_transforms(tmp_path, cameras) / "transforms.json"
    content = json.loads(path.read_text())
    for i, row in enumerate(content["frames"]):
        row["time"] = i / 4
    path.write_text(json.dumps(content))
    alone = open_capture("nerfstudio", path)
    assert alone.moving and alone.frames() == [0, 1, 2, 3] and alone.rate == pytest.approx(4.0)
    for i, row in enumerate(content["frames"]):
        row.update(
            time=i // 2, camera_name=f"cam {i % 2}", transform_matrix=content["frames"][i % 2]["transform_matrix"]
        )
    path.write_text(json.dumps(content))
    rig = open_capture("nerfstudio", path)
    assert not rig.moving and rig.frames() == [0, 1] and set(rig.cameras) == {"cam_0", "cam_1"}


def test_up_is_snapped_to_an_axis_and_keeps_what_is_up_already(tmp_path: Path) -> None:
    capture = open_capture("actorshq", write_actorshq(tmp_path, made_cameras(4)))
    np.testing.assert_array_equal(world_from_capture(capture, "auto"), np.eye(4))
    for up, axis in (("+y", [0, 1, 0]), ("-y", [0, -1, 0]), ("-z", [0, 0, -1]), ("+x", [1, 0, 0])):
        turn = world_from_capture(capture, up)  # type: ignore[arg-type]
        np.testing.assert_allclose(turn[:3, :3] @ axis, [0, 0, 1], atol=1e-12)
        np.testing.assert_allclose(turn[:3, :3] @ turn[:3, :3].T, np.eye(3), atol=1e-12)
        tilted = [camera.moved(np.linalg.inv(turn)) for camera in capture.cameras.values()]
        np.testing.assert_allclose(mean_up(tilted, "it"), axis, atol=1e-12)


def test_selection_and_scale(tmp_path: Path) -> None:
    cameras = made_cameras(6)
    capture = open_capture("actorshq", write_actorshq(tmp_path, cameras, (0, 1, 2, 3)))
    some = selected(capture, None, 3, 1, None, 2, None)
    assert len(some.cameras) == 3 and some.frames() == [1, 3] and len(some.views) == 6
    assert spread(capture, list(capture.cameras), 2) in (
        ["400100", "400103"],
        ["400101", "400104"],
        ["400102", "400105"],
    )
    with pytest.raises(UserError, match="no camera 7"):
        selected(capture, ("7",), None, None, None, 1, None)
    with pytest.raises(UserError, match="no pictures are left"):
        selected(capture, None, None, 90, None, 1, None)
    half = resized(capture, 32)
    camera, made = half.cameras["400100"], cameras[0]
    assert (camera.width, camera.height) == (24, 32)
    seen = camera.intrinsics @ (camera.camera_from_world[:3, :3] @ MARK + camera.camera_from_world[:3, 3])
    np.testing.assert_allclose(seen[:2] / seen[2], made.pixel() / 2, atol=1e-9)
    image = SourceReader(half.root).image(half.views[0].image, camera.treatment)
    assert image.shape == (32, 24, 3) and np.abs(mark_of(image) - made.pixel() / 2).max() < 1.0
