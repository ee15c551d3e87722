"""The whole fit on observations made from the body model: what was put in comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations, moving_pose

from lca_dataparsers.processing.fitting import ClipFit, FitConfig, fit_clip, measure_fit
from lca_dataparsers.processing.observations import ClipObservations, empty_observations
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, project, transform_points

BODY = get_body_model("anny")
CONFIG = FitConfig(effort=0.5, shape_frames=4)
FRAMES = 8
MISSING = 5


@pytest.fixture(scope="module")
def truth() -> tuple:
    """A taller, broader person than the mean who moves, seen by detectors that tremble by a pixel."""
    shape = torch.zeros(len(BODY.shape_names))
    shape[0], shape[1] = 0.8, -0.5
    pose, cameras = moving_pose(FRAMES), level_camera(FRAMES, 3.2, 549.0, (352, 512))
    seen = made_observations(shape, pose, cameras)
    random = np.random.default_rng(0)
    seen = replace(
        seen,
        body_points=seen.body_points + random.normal(0, 1.0, seen.body_points.shape).astype(np.float32),
        body_points_world=seen.body_points_world
        + random.normal(0, 0.02, seen.body_points_world.shape).astype(np.float32),
    )
    seen.body_points[MISSING] = np.nan
    return shape, pose, cameras, seen


@pytest.fixture(scope="module")
def fit(truth: tuple) -> ClipFit:
    shares: list[float] = []
    found = fit_clip(truth[3], CONFIG, shares.append)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    return found


def _joints_in_camera(shape: torch.Tensor, pose: BodyPose, cameras: Cameras) -> torch.Tensor:
    joints = BODY.posed(BODY.shaped(shape).joints, pose).joints
    names = [i for i, n in enumerate(BODY.joint_names) if n in BODY.driven_joints and "finger" not in n]
    return transform_points(cameras.camera_from_world, joints)[:, names]


def test_pose_is_recovered(truth: tuple, fit: ClipFit) -> None:
    shape, pose, cameras, _ = truth
    there = [i for i in range(FRAMES) if i != MISSING]
    ours = _joints_in_camera(fit.shape, fit.pose, fit.cameras)[there]
    theirs = _joints_in_camera(shape, pose, cameras)[there]
    aligned = (ours - ours.mean(dim=1, keepdim=True)) - (theirs - theirs.mean(dim=1, keepdim=True))
    # Scale and distance cannot be told apart by one camera of unknown focal length.
    assert float(aligned.norm(dim=-1).median()) < 0.03
    assert float((fit.pose.joint_rotations - pose.joint_rotations)[there].abs().mean()) < 0.08


def test_residuals_and_overlap(fit: ClipFit) -> None:
    figures = measure_fit(fit)
    assert figures["body_median"] < 0.4 and figures["face_median"] < 1.0
    assert figures["iou_median"] > 0.9
    assert figures["limit_violations"] == 0.0


def test_a_frame_without_a_person_is_refused_and_spoils_nothing(fit: ClipFit) -> None:
    assert fit.reasons[MISSING] == "no person" and not fit.usable[MISSING]
    assert fit.usable.sum() == FRAMES - 1
    assert float(fit.joint_confidence[MISSING].max()) == 0.0
    assert np.isnan(fit.quality.silhouette_iou[MISSING])


def test_static_camera_and_origin_at_the_person(fit: ClipFit) -> None:
    assert float((fit.cameras.camera_from_world - fit.cameras.camera_from_world[0]).abs().max()) == 0.0
    assert float(fit.pose.root_translation.median(dim=0).values.abs().max()) < 0.05
    assert float(fit.cameras.world_centers()[0, 1]) < -1.0


def test_smoothness_calms_trembling(truth: tuple, fit: ClipFit) -> None:
    """The detectors tremble by about 2 mm a pixel; joints must tremble less than what was detected."""
    raw = truth[3].body_points_world
    detected = np.linalg.norm(raw[2:] - 2 * raw[1:-1] + raw[:-2], axis=-1).mean() * 1e3
    assert measure_fit(fit)["acceleration"] < 0.6 * detected


def _wide_head() -> torch.Tensor:
    shape = torch.zeros(len(BODY.shape_names))
    shape[BODY.shape_names.index("head_width")] = 2.0
    return shape


def _head_width(shape: torch.Tensor, pose: BodyPose, cameras: Cameras) -> float:
    """Pixels from ear to ear in the first frame."""
    vertices = BODY.skinned(BODY.shaped(shape), pose[0])[BODY.regions["head"]]
    across = project(cameras[0], vertices)[0][:, 0]
    return float(across.max() - across.min())


HEAD_CAMERA = level_camera(2, 1.2, 900.0, (384, 384), height=0.72)


def _head_and_shoulders() -> ClipObservations:
    size = (384, 384)
    seen = made_observations(_wide_head(), BodyPose.rest(52, (2,)), HEAD_CAMERA)
    below = seen.body_points[..., 1] > size[1]
    seen.body_visibility[below] = 0.2
    seen.hand_scores[:] = 0.0
    seen.body_points_world[below] += 0.3  # the detector invents what it does not see
    return seen


def test_unseen_limbs_are_flagged_and_stay_at_rest() -> None:
    seen = _head_and_shoulders()
    fit = fit_clip(seen, FitConfig(independent_frames=True))
    assert fit.usable.all()
    for joint in ("upperleg01.L", "lowerleg01.R", "foot.L", "wrist.R", "finger2-1.L", "spine05"):
        index = BODY.driven_joints.index(joint)
        assert float(fit.joint_confidence[:, index].max()) == 0.0
        assert float(fit.pose.joint_rotations[:, index].norm(dim=-1).max()) < 0.15
    assert float(fit.joint_confidence[:, BODY.driven_joints.index("head")].min()) == 1.0
    truth = _head_width(_wide_head(), BodyPose.rest(52, (2,)), HEAD_CAMERA)
    assert _head_width(fit.shape, fit.pose, fit.cameras) == pytest.approx(truth, rel=0.05)
    assert measure_fit(fit)["face_median"] < 1.0


def test_many_photos_are_fitted_window_by_window(truth: tuple) -> None:
    """As good as all at once, in memory that one window bounds."""
    seen = truth[3]
    config = replace(CONFIG, independent_frames=True, window=4)
    figures = measure_fit(fit_clip(seen, config))
    assert figures["body_median"] < 0.5 and figures["iou_median"] > 0.88


def test_nobody_in_the_whole_clip() -> None:
    fit = fit_clip(empty_observations(np.arange(3.0), (64, 48)))
    assert fit.reasons == ("no person",) * 3 and not fit.usable.any()
    assert fit.pose.root_rotation.shape == (3, 3)
    assert measure_fit(fit)["usable_share"] == 0.0
