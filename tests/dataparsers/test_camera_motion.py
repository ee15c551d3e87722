"""A turning camera is read from the background, and the person stands still in the world while it turns."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations

from lca_dataparsers.processing.camera_motion import (
    BackgroundFollower,
    background_path,
    background_step,
    camera_turns,
    small_grey,
    steadied,
)
from lca_dataparsers.processing.fitting import FitConfig, fit_clip, measure_fit
from lca_dataparsers.processing.fitting.standing import still_feet
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras
from lca_shared.rotations import rotation_vector_to_matrix

WIDTH, HEIGHT, FOCAL = 640, 360, 550.0
INTRINSICS = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
FRAMES = 24


def _turn(frame: int) -> np.ndarray:
    """``camera_from_first`` of a camera that pans, nods and rolls."""
    return cv2.Rodrigues(np.array([0.04 * np.sin(frame / 9), 0.006 * frame, 0.03 * np.sin(frame / 5)]))[0]


def _filmed(turns: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Pictures of a far wall, and masks of someone flickering who walks through them."""
    random = np.random.default_rng(0)
    wall = cv2.GaussianBlur(random.integers(0, 255, (800, 1400, 3), dtype=np.uint8), (0, 0), 3)
    wall = cv2.normalize(wall, None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    first_from_wall = np.array([[1.0, 0, -(1400 - WIDTH) / 2], [0, 1, -(800 - HEIGHT) / 2], [0, 0, 1]])
    pictures, masks = [], []
    for frame, turn in enumerate(turns):
        picture = cv2.warpPerspective(
            wall, INTRINSICS @ turn @ np.linalg.inv(INTRINSICS) @ first_from_wall, (WIDTH, HEIGHT)
        )
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(mask, (200 + 6 * frame, 200), (60, 150), 0, 0, 360, 255, -1)
        picture[mask > 0] = random.integers(0, 255, (int((mask > 0).sum()), 3))
        pictures.append(picture)
        masks.append(mask)
    return pictures, masks


def _angle(rotation: np.ndarray) -> float:
    return float(np.degrees(np.linalg.norm(cv2.Rodrigues(rotation)[0])))


def test_the_turns_of_a_camera_come_out() -> None:
    turns = [_turn(frame) for frame in range(FRAMES)]
    pictures, masks = _filmed(turns)
    path = background_path(None, [small_grey(picture) for picture in pictures], masks)
    found = camera_turns(path, FOCAL, WIDTH)
    assert _angle(turns[-1]) > 8.0
    for ours, theirs in zip(found, turns, strict=True):
        assert _angle(ours @ theirs.T) < 0.1


def test_in_pieces_as_in_one_go() -> None:
    """Pieces begin with the picture before them, also when a run goes on where another was stopped."""
    pictures, masks = _filmed([_turn(frame) for frame in range(12)])
    whole = background_path(None, [small_grey(picture) for picture in pictures], masks)
    follower = BackgroundFollower(np.zeros(3))
    first = follower.follow(pictures[:6], masks[:6])
    rest = follower.follow(pictures[6:], masks[6:])
    np.testing.assert_allclose(np.concatenate([first, rest]), whole, atol=1e-3)
    another = BackgroundFollower(first[-1].astype(np.float32))  # as it is kept
    another.begin(pictures[5])
    np.testing.assert_array_equal(another.follow(pictures[6:], masks[6:]), rest)


def test_a_standing_camera_is_quiet_whoever_moves() -> None:
    pictures, masks = _filmed([np.eye(3)] * 8)
    path = background_path(None, [small_grey(picture) for picture in pictures], masks)
    assert np.abs(path).max() < 1e-4
    assert not steadied(path).any()
    panned = path + np.linspace(0, 0.1, 8)[:, None] * [1, 0, 0]
    assert (steadied(panned) == panned).all()


def test_a_plain_wall_and_a_change_of_size_say_nothing() -> None:
    plain = np.full((180, 320), 128, np.uint8)
    assert np.isnan(background_step(plain, plain, None)).all()
    assert np.isnan(background_step(plain, plain[:, ::2].copy(), None)).all()
    assert (background_path(plain, [plain, plain], [None, None]) == 0).all()


def test_turns_compose() -> None:
    path = np.zeros((5, 3))
    path[:, 0] = np.linspace(0, 0.4, 5)
    whole = camera_turns(path, 500.0, 1000)
    np.testing.assert_allclose(whole @ whole.mT, np.tile(np.eye(3), (5, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(camera_turns(path[2:], 500.0, 1000)[-1] @ whole[2], whole[4], atol=1e-12)


@pytest.fixture(scope="module")
def panned() -> tuple[Cameras, np.ndarray]:
    """A camera that pans by 12 degrees, and the path of its background."""
    frames, focal, size = 6, 549.0, (352, 512)
    angles = torch.linspace(0.0, 0.21, frames)
    turned = torch.eye(4).repeat(frames, 1, 1)
    turned[:, :3, :3] = rotation_vector_to_matrix(torch.stack([0 * angles, angles, 0 * angles], dim=-1))
    still = level_camera(frames, 3.2, focal, size)
    path = np.zeros((frames, 3), np.float32)
    path[:, 0] = angles.numpy() * focal / max(size)
    return Cameras(turned @ still.camera_from_world, still.intrinsics, *size), path


def test_who_stands_before_a_panning_camera_stands_in_the_world(panned: tuple[Cameras, np.ndarray]) -> None:
    cameras, path = panned
    body = get_body_model("anny")
    pose = BodyPose.rest(len(body.driven_joints), (len(path),))
    seen = made_observations(torch.zeros(len(body.shape_names)), pose, cameras)
    blind = fit_clip(seen, FitConfig(effort=0.5, shape_frames=3))
    fit = fit_clip(replace(seen, camera_path=path), FitConfig(effort=0.5, shape_frames=3))
    before, after = (measure_fit(found) for found in (blind, fit))
    assert after["body_median"] == pytest.approx(before["body_median"], abs=0.03) and after["body_median"] < 0.4
    assert after["camera_turn"] == pytest.approx(12.0, abs=1.0) and before["camera_turn"] == 0.0
    walked = [float(np.ptp(found.pose.root_translation.numpy(), axis=0).max()) for found in (blind, fit)]
    assert walked[0] > 0.5 and walked[1] < 0.06
    turned = [float(found.pose.root_rotation[-1].sub(found.pose.root_rotation[0]).norm()) for found in (blind, fit)]
    assert turned[0] - turned[1] == pytest.approx(0.21, abs=0.02)


def test_feet_are_not_believed_to_stand_while_the_camera_moves(panned: tuple[Cameras, np.ndarray]) -> None:
    cameras, path = panned
    body = get_body_model("anny")
    pose, still = BodyPose.rest(len(body.driven_joints), (len(path),)), cameras[0]
    cameras = Cameras(
        still.camera_from_world.expand(len(path), 4, 4),
        still.intrinsics.expand(len(path), 3, 3),
        cameras.width,
        cameras.height,
    )
    seen = made_observations(torch.zeros(len(body.shape_names)), pose, cameras)
    height = np.full(len(path), 300.0)
    assert still_feet(seen, height).min() == 1.0
    assert still_feet(replace(seen, camera_path=path), height).max() == 0.0
