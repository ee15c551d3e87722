"""Feet of people who stand: they are told from those that move, and the fit leaves them where they are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations

from lca_dataparsers.processing.fitting import ClipFit, FitConfig, fit_clip, measure_fit
from lca_dataparsers.processing.fitting.config import TermWeights
from lca_dataparsers.processing.fitting.standing import still_feet
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.body import BodyPose, get_body_model

BODY = get_body_model("anny")
FRAMES, RATE = 14, 15.0
CAMERA = level_camera(FRAMES, 3.2, 549.0, (352, 512))


def _standing(right_knee: float = 0.0) -> BodyPose:
    """Arms wave, legs do not move; the right foot may be held up."""
    rotations = torch.zeros(FRAMES, len(BODY.driven_joints), 3)
    wave = torch.sin(torch.linspace(0.0, 6.0, FRAMES))
    rotations[:, BODY.driven_joints.index("upperarm01.L"), 1] = -0.6 - 0.4 * wave
    rotations[:, BODY.driven_joints.index("upperleg01.R"), 0] = -right_knee
    rotations[:, BODY.driven_joints.index("lowerleg01.R"), 0] = right_knee
    nothing = torch.zeros(FRAMES, 3)
    return BodyPose(rotations, nothing, nothing, torch.zeros(FRAMES, 2, 2))


def _seen(pose: BodyPose) -> ClipObservations:
    """By detectors that tremble."""
    seen = made_observations(torch.zeros(len(BODY.shape_names)), pose, CAMERA, rate=RATE)
    random = np.random.default_rng(0)
    return replace(
        seen,
        body_points=seen.body_points + random.normal(0, 1.5, seen.body_points.shape).astype(np.float32),
        body_points_world=seen.body_points_world
        + random.normal(0, 0.03, seen.body_points_world.shape).astype(np.float32),
    )


def _feet(fit: ClipFit) -> torch.Tensor:
    """[frames, 2, 3] of the feet's joints, metres."""
    return BODY.posed(BODY.shaped(fit.shape).joints, fit.pose).joints[
        :, [BODY.joint_names.index(f"foot.{side}") for side in "LR"]
    ]


def _slide(feet: torch.Tensor) -> float:
    """Mean step, mm a frame."""
    return 1e3 * float((feet[1:] - feet[:-1]).norm(dim=-1).mean())


@pytest.fixture(scope="module")
def fits() -> tuple:
    seen = _seen(_standing())
    config = FitConfig(effort=0.5, shape_frames=4)
    return fit_clip(seen, config), fit_clip(seen, replace(config, weights=TermWeights(contact=0.0)))


def test_feet_that_stand_slide_less_and_are_level(fits: tuple) -> None:
    held, free = fits
    assert _slide(_feet(held)) < 0.8 * _slide(_feet(free))
    assert float(_feet(held)[..., 2].std()) <= float(_feet(free)[..., 2].std())
    assert measure_fit(held)["foot_slide"] < 0.8 * measure_fit(free)["foot_slide"]


def test_nothing_else_gets_worse(fits: tuple) -> None:
    """Joints against the truth; feet follow the trembling detections less, so residuals tell nothing here."""
    truth = BODY.posed(BODY.shaped(torch.zeros(len(BODY.shape_names))).joints, _standing()).joints
    driven = [i for i, name in enumerate(BODY.joint_names) if name in BODY.driven_joints and "finger" not in name]

    def off(fit: ClipFit) -> float:
        ours = BODY.posed(BODY.shaped(fit.shape).joints, fit.pose).joints
        return float(((ours - ours[:, :1]) - (truth - truth[:, :1]))[:, driven].norm(dim=-1).median())

    held, free = fits
    assert off(held) < 1.05 * off(free)
    held_figures, free_figures = measure_fit(held), measure_fit(free)
    assert held_figures["iou_median"] > free_figures["iou_median"] - 0.01
    assert held_figures["acceleration"] < 1.05 * free_figures["acceleration"]


def test_a_foot_held_in_the_air_stays_there() -> None:
    fit = fit_clip(_seen(_standing(right_knee=1.2)), FitConfig(effort=0.5, shape_frames=4))
    truth = BODY.posed(BODY.shaped(torch.zeros(len(BODY.shape_names))).joints, _standing(right_knee=1.2)).joints
    columns = [BODY.joint_names.index(f"foot.{side}") for side in "LR"]
    raised = truth[:, columns[1], 2] - truth[:, columns[0], 2]
    ours = _feet(fit)[:, 1, 2] - _feet(fit)[:, 0, 2]
    assert float(raised.min()) > 0.1
    assert float((ours - raised).abs().median()) < 0.3 * float(raised.median())


def test_moving_hidden_and_lonely_feet_do_not_stand() -> None:
    seen = made_observations(torch.zeros(len(BODY.shape_names)), _standing(), CAMERA, rate=RATE)
    height = np.full(FRAMES, 300.0, np.float32)
    assert still_feet(seen, height).min() == 1.0
    moved = replace(seen, body_points=seen.body_points + 0.2 * 300.0 * seen.times[:, None, None])
    assert still_feet(moved, height).max() == 0.0
    hidden = replace(seen, body_visibility=np.where(np.arange(33) % 2 == 1, 0.2, seen.body_visibility))
    assert still_feet(hidden, height).max(axis=0).tolist() == [0.0, 1.0]
    assert still_feet(replace(seen, times=30.0 * seen.times), height).max() == 0.0
