"""The whole fit: the person from a few frames, then the poses window by window."""

import threading
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import torch

from lca_dataparsers.processing.camera_motion import camera_turns
from lca_dataparsers.processing.fitting.camera import focal_prior
from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.expression import gaze_confidence, neutral_blendshapes
from lca_dataparsers.processing.fitting.hidden_arms import arms_in_view, doubting
from lca_dataparsers.processing.fitting.limits import make_limit_table
from lca_dataparsers.processing.fitting.optimise import Problem, run_stage, stage_cost
from lca_dataparsers.processing.fitting.point_body import FEW_SURFACE_POINTS, get_point_body
from lca_dataparsers.processing.fitting.quality import mask_overlap, measure_frames, refusal, soles
from lca_dataparsers.processing.fitting.result import (
    NO_PERSON,
    ClipFit,
    FitQuality,
    body_pose,
    in_first_camera,
    world_camera,
)
from lca_dataparsers.processing.fitting.side_by_side import side_by_side
from lca_dataparsers.processing.fitting.stages import ALIGN, COARSE_STAGES, FINE_STAGES, ORIENT, PERSON_STAGES
from lca_dataparsers.processing.fitting.start import placed, start_state
from lca_dataparsers.processing.fitting.state import FitState, rest_state
from lca_dataparsers.processing.fitting.targets import Targets, make_targets
from lca_dataparsers.processing.fitting.upright import camera_pitch
from lca_dataparsers.processing.fitting.visibility import faces_seen, landmark_visibility
from lca_dataparsers.processing.fitting.windows import coarse_frames, interpolated, joined, windows
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.body import get_body_model
from lca_shared.body.gaze import with_eyelids
from lca_shared.cameras import Cameras


def fit_clip(
    observations: ClipObservations,
    config: FitConfig | None = None,
    progress: Callable[[float], None] | None = None,
) -> ClipFit:
    """Fit the body model to one person over T frames of one camera, which stands or turns.

    One shape and one focal length are read from up to ``config.shape_frames`` frames spread over the clip; then poses
    are found window by window, first for a few frames a second, then for all. (Independent frames that fit into one
    window are fitted together with the shape.)

    Args:
        observations: T >= 1 frames; those in which no person was seen come out unusable and do not disturb the others.
        config: weights and sizes; the defaults suit video.
        progress: called with the share of the work that is done, 0..1.
    """
    config = config or FitConfig()
    seen = np.flatnonzero(observations.seen)
    people = observations[seen] if len(seen) < len(observations) else observations
    neutral = neutral_blendshapes(people.blendshapes, faces_seen(people))
    overlap = 0 if config.independent_frames else min(config.overlap, config.window // 2)
    spans = windows(len(people), config.window, overlap) if len(people) else []
    at_once = config.independent_frames and len(spans) == 1
    chosen = np.arange(len(people)) if at_once else best_frames(people, config.shape_frames)
    problem = _problem(people, config, _meter(people.times, chosen, [] if at_once else spans, config, progress))
    if len(people) == 0:
        return _nobody(observations, problem)

    (state,) = side_by_side(lambda frames: _fit_person(problem, people[frames], neutral), [chosen])
    if not at_once:
        person = state

        def fitted(span: tuple[int, int]) -> FitState:
            return _fit_window(problem, _targets(problem, people[span[0] : span[1]], neutral), person)

        state = joined(side_by_side(fitted, spans), spans)
    return _result(observations, people, problem, state, neutral)


def _fit_person(problem: Problem, people: ClipObservations, neutral: np.ndarray) -> FitState:
    """Shape and focal length, with the poses of the frames they are read from."""
    targets = _targets(problem, people, neutral)
    alone = replace(problem, config=replace(problem.config, independent_frames=True))
    state = _from_scratch(alone, targets, None)
    for stage in PERSON_STAGES:
        state = run_stage(alone, targets, state, stage)
    return state


def best_frames(observations: ClipObservations, count: int) -> np.ndarray:
    """At most ``count`` frames spread over the clip, in each part the one where most of body and face is seen."""
    frames = len(observations)
    face = faces_seen(observations)
    score = landmark_visibility(observations).sum(axis=1) + 10.0 * face
    ends = np.linspace(0, frames, min(count, frames) + 1).round().astype(int)
    return np.array([start + int(score[start:end].argmax()) for start, end in pairwise(ends)], dtype=int)


def _problem(people: ClipObservations, config: FitConfig, advance: Callable[[int], None]) -> Problem:
    body, points = get_body_model("anny"), get_point_body("anny", FEW_SURFACE_POINTS)
    focal, sigma = focal_prior(people, config)
    return Problem(
        body=points,
        limits=make_limit_table(body),
        config=config,
        focal=focal,
        focal_sigma=sigma,
        shape_mask=torch.ones(len(body.shape_names)),
        advance=advance,
    )


def _targets(problem: Problem, observations: ClipObservations, neutral: np.ndarray) -> Targets:
    return make_targets(observations, get_body_model("anny").driven_joints, problem.body, neutral)


def _from_scratch(problem: Problem, targets: Targets, person: FitState | None) -> FitState:
    """Poses in the picture, from nothing; with the person's shape and focal length if they are known."""
    state = start_state(targets, problem.body, len(problem.limits.low))
    if person is not None:
        state = replace(state, shape=person.shape, log_focal=person.log_focal)
    state = run_stage(problem, targets, state, ORIENT)
    focal = problem.focal * float(state.log_focal.exp())
    state = placed(state, problem.predict(targets, state), targets, focal)
    return run_stage(problem, targets, state, ALIGN)


def _fit_window(problem: Problem, targets: Targets, person: FitState) -> FitState:
    """Poses of all frames of a window: a few a second from scratch, then all from their interpolation."""
    times = targets.times.numpy()
    at = _coarse(times, problem.config)
    few = targets[torch.from_numpy(at)]
    state = _from_scratch(problem, few, person)
    for stage in COARSE_STAGES:
        state = run_stage(problem, few, state, stage)
    state = interpolated(state, at, times)
    targets = _doubting_hidden_arms(problem, targets, state)
    for stage in FINE_STAGES:
        state = run_stage(problem, targets, state, stage)
    return state


def _doubting_hidden_arms(problem: Problem, targets: Targets, state: FitState) -> Targets:
    """Targets in which hidden arms count little; looked at in a few frames a second."""
    at = _coarse(targets.times.numpy(), problem.config)
    width, height = (int(side) for side in targets.picture.tolist())
    few = arms_in_view(state[torch.from_numpy(at)], problem.focal * float(state.log_focal.exp()), (width, height))
    rows = np.arange(len(targets))
    columns = [np.interp(rows, at, column) for column in few.reshape(len(at), -1).T]
    in_view = np.stack(columns, axis=-1).reshape(len(targets), *few.shape[1:])
    return doubting(targets, in_view, problem.body.body_landmarks, get_body_model("anny").driven_joints)


def _coarse(times: np.ndarray, config: FitConfig) -> np.ndarray:
    """Frames of a window that are fitted from scratch; there is nothing between photos to start from."""
    return np.arange(len(times)) if config.independent_frames else coarse_frames(times, config.coarse_rate)


def _meter(
    times: np.ndarray,
    chosen: np.ndarray,
    spans: list[tuple[int, int]],
    config: FitConfig,
    progress: Callable[[float], None] | None,
) -> Callable[[int], None]:
    """Turn frames gone through into a share of all the work."""
    total = stage_cost((ORIENT, ALIGN, *PERSON_STAGES), len(chosen), config)
    for start, end in spans:
        few = len(_coarse(times[start:end], config))
        total += stage_cost((ORIENT, ALIGN, *COARSE_STAGES), few, config)
        total += stage_cost(FINE_STAGES, end - start, config)
    done, counting = 0, threading.Lock()

    def advance(frames: int) -> None:
        nonlocal done
        with counting:  # windows are fitted on several threads
            done += frames
            if progress is not None:
                progress(min(1.0, done / max(1, total)))

    return advance


def _result(
    observations: ClipObservations, people: ClipObservations, problem: Problem, state: FitState, neutral: np.ndarray
) -> ClipFit:
    """Everything about all frames, also those without a person."""
    frames, seen = len(observations), np.flatnonzero(observations.seen)
    body = get_body_model("anny")
    focal = problem.focal * float(state.log_focal.exp())
    turns = torch.from_numpy(camera_turns(observations.camera_path, focal, max(observations.image_size))).float()
    rest_points, rest_joints = problem.body.of_shape(state.shape)
    moved, root_at_rest = state, rest_joints[0]
    if observations.camera_path.any():
        moved = in_first_camera(state, root_at_rest, turns[torch.from_numpy(seen)])
    chunks = [np.arange(start, min(start + 300, len(seen))) for start in range(0, len(seen), 300)]
    measured: list[dict[str, np.ndarray]] = []
    seen_of: dict[str, list[torch.Tensor]] = {
        name: [] for name in ("gaze", "expression", "joint_seen", "face_seen", "hand_weight", "foot_still", "soles")
    }
    for chunk in chunks:
        targets = _targets(problem, people[chunk], neutral)
        part = state[torch.from_numpy(chunk)]
        joint_seen = _doubting_hidden_arms(problem, targets, part).joint_seen
        points = replace(problem, body=problem.body.without_surface())
        prediction = points.predict(targets, part)
        in_world = prediction if moved is state else points.predict(targets, moved[torch.from_numpy(chunk)])
        measured.append(measure_frames(prediction, in_world, targets, problem.limits))
        own = {"joint_seen": joint_seen, "soles": soles(in_world.body, in_world.points["body"])}
        for name, parts in seen_of.items():
            parts.append(own[name] if name in own else getattr(targets, name))
    standing = body_pose(moved, torch.cat(seen_of["gaze"]))
    feet = torch.cat(seen_of["soles"]), torch.cat(seen_of["foot_still"])
    pitch = camera_pitch(body, state.shape, standing, *feet, soles(problem.body, rest_points))
    state, camera, intrinsics = world_camera(moved, root_at_rest, pitch, problem.focal, observations.image_size)
    nearest = torch.from_numpy(_nearest(frames, seen))
    there = torch.from_numpy(observations.seen)

    def spread(name: str) -> torch.Tensor:
        values = torch.cat(seen_of[name])[nearest]
        return torch.where(there.reshape(-1, *[1] * (values.dim() - 1)), values, torch.zeros(()))

    pose = body_pose(state[nearest], spread("gaze"))
    width, height = observations.image_size
    turned = torch.eye(4).repeat(frames, 1, 1)
    turned[:, :3, :3] = turns
    cameras = Cameras(turned @ camera, intrinsics.expand(frames, 3, 3), width, height)
    chunks = [slice(start, start + 50) for start in range(0, frames, 50)]
    overlaps = side_by_side(
        lambda rows: mask_overlap(body, state.shape, pose[rows], cameras[rows], observations[rows]), chunks
    )
    iou, inside = (np.concatenate(parts) for parts in zip(*overlaps, strict=True))
    whole = {key: np.concatenate([m[key] for m in measured]) for key in measured[0]}
    arrays = {key: _spread_nan(values, seen, frames) for key, values in whole.items()}
    unseen = ~observations.seen
    iou[unseen], inside[unseen] = np.nan, np.nan
    quality = FitQuality(silhouette_iou=iou, inside=inside, **arrays)
    reasons = tuple(NO_PERSON if unseen[i] else refusal(quality, i) for i in range(frames))
    face = faces_seen(observations)
    return ClipFit(
        shape=state.shape,
        pose=pose,
        expression=with_eyelids(spread("expression"), pose.gaze, body.expression_names),
        cameras=cameras,
        joint_confidence=spread("joint_seen"),
        face_confidence=spread("face_seen"),
        gaze_confidence=torch.from_numpy(gaze_confidence(observations.blendshapes, face)),
        hand_confidence=spread("hand_weight"),
        quality=quality,
        usable=np.array([not reason for reason in reasons]),
        reasons=reasons,
    )


def _nobody(observations: ClipObservations, problem: Problem) -> ClipFit:
    """The mean person at rest, in no usable frame."""
    frames, driven = len(observations), len(problem.limits.low)
    state = rest_state(frames, len(problem.body.shape_points), driven, problem.body.points)
    root_at_rest = problem.body.of_shape(state.shape)[1][0]
    state, camera, intrinsics = world_camera(state, root_at_rest, 0.0, problem.focal, observations.image_size)
    width, height = observations.image_size
    nothing = np.full(frames, np.nan, np.float32)
    points = {"body_residuals": len(problem.body.body_landmarks), "face_residuals": len(problem.body.face_landmarks)}
    return ClipFit(
        shape=state.shape,
        pose=body_pose(state, torch.zeros(frames, 2, 2)),
        expression=torch.zeros(frames, len(problem.body.expression_points)),
        cameras=Cameras(camera.expand(frames, 4, 4), intrinsics.expand(frames, 3, 3), width, height),
        joint_confidence=torch.zeros(frames, driven),
        face_confidence=torch.zeros(frames),
        gaze_confidence=torch.zeros(frames),
        hand_confidence=torch.zeros(frames, 2),
        quality=FitQuality(
            **{name: np.full((frames, count), np.nan, np.float32) for name, count in points.items()},
            **{f.name: nothing for f in fields(FitQuality) if f.name not in points},
        ),
        usable=np.zeros(frames, bool),
        reasons=(NO_PERSON,) * frames,
    )


def _nearest(frames: int, seen: np.ndarray) -> np.ndarray:
    """[frames] position in ``seen`` (rising, not empty) of the frame nearest to each frame."""
    there = np.arange(frames)
    after = np.searchsorted(seen, there).clip(max=len(seen) - 1)
    before = (after - 1).clip(min=0)
    return np.where(np.abs(there - seen[before]) <= np.abs(seen[after] - there), before, after)


def _spread_nan(values: np.ndarray, seen: np.ndarray, frames: int) -> np.ndarray:
    whole = np.full((frames, *values.shape[1:]), np.nan, np.float32)
    whole[seen] = values
    return whole
