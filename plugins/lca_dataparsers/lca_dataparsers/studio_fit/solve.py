"""The search: Adam over shape and the poses of all moments, seen through all views."""

from dataclasses import dataclass, replace

import torch

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.optimise import nearest_surface_points
from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.state import NEAREST, FitState, Prediction
from lca_dataparsers.processing.fitting.terms import TERMS, TermContext
from lca_dataparsers.processing.fitting.terms.context import robust
from lca_dataparsers.processing.fitting.terms.head_outline import outline_partners
from lca_dataparsers.studio_fit.landmark_shift import shift_prior, symmetric, with_landmarks_shifted
from lca_dataparsers.studio_fit.outline import Outline, allowance, outline_term
from lca_dataparsers.studio_fit.targets import RigTargets
from lca_shared.cameras import transform_points
from lca_shared.tensors import Float, Tensor

VIEW_TERMS = ("body", "face", "hands", "outside", "coverage", "head_outline")
"""Terms of the picture: means over all views. Views do not add up: what they get wrong (clothes, where a detector sees
a hip) they get wrong together."""
SILHOUETTE_TERMS = ("outside", "coverage", "head_outline")
POINT_SIGMA = 0.025
"""Metres: how far triangulated landmarks are off."""
PARTNER_REFRESH = 10
SHAPE_RATE = 3.0
SHIFT_RATE = 0.1


@dataclass(frozen=True)
class RigStage:
    """Some iterations with one set of weights."""

    name: str
    iterations: int
    rate: float
    """Learning rate at the start: radians and metres an iteration."""
    weights: dict[str, float]
    """By name: ``points``, or a term of the single-camera fit; ``coverage`` is :mod:`.outline`'s."""
    shape: bool = True
    """Whether the shape is searched for."""
    shift: bool = False
    """Whether the places of the body landmarks are searched for."""
    cutoff: float = 5.0
    """Of the robust norm of body points in the pictures, in standard deviations."""
    point_cutoff: float = 5.0
    """The same of the triangulated points."""
    outline_cutoffs: tuple[float, float] = (8.0, 5.0)
    """The same of the masks' outline: at the start, and from the middle on."""


@dataclass(frozen=True)
class RigProblem:
    """What stays the same while searching."""

    body: PointBody
    limits: LimitTable
    config: FitConfig
    shift: Float[Tensor, "landmarks 3"]
    """Where this person's body landmarks were found to lie, off the table; see :mod:`.landmark_shift`."""


def predict(
    problem: RigProblem, targets: RigTargets, state: FitState, body: PointBody
) -> tuple[Prediction, Prediction]:
    """Where a state puts the points: in the world at each moment, and in the pixels of each view."""
    points, joints = body.of_shape(state.shape)
    transforms = body.transforms(joints, state.root, state.rotations, state.translation)
    posed = body.posed(points, transforms, body.face_displacements(targets.moments.expression))
    positions = (transforms[..., :3] @ joints[..., None])[..., 0] + transforms[..., 3]
    of_moments = Prediction(state, body, posed, {}, positions)
    seen = {name: group[targets.moment] for name, group in posed.items()}
    pixels = {name: _project(targets, group) for name, group in seen.items()}
    return of_moments, Prediction(state[targets.moment], body, seen, pixels, positions[targets.moment])


def run_rig_stage(
    problem: RigProblem, targets: RigTargets, state: FitState, stage: RigStage
) -> tuple[FitState, Float[Tensor, "landmarks 3"]]:
    """Lower the objective from ``state``; the result, and the person's shift of landmarks, have no gradients."""
    weights = {
        name: value * getattr(problem.config.weights, name, 1.0) for name, value in stage.weights.items() if value
    }
    silhouette = any(name in weights for name in SILHOUETTE_TERMS)
    body = problem.body if silhouette else problem.body.without_surface()
    state = state.settled()
    iterations = max(10, round(stage.iterations * problem.config.effort))
    groups = [{"params": [t.requires_grad_(True) for t in (state.rotations, state.root_delta, state.translation)]}]
    if stage.shape:
        groups.append({"params": [state.shape.requires_grad_(True)], "lr": SHAPE_RATE * stage.rate})  # type: ignore[dict-item]
    shift = problem.shift.detach().clone()
    if stage.shift:
        groups.append({"params": [shift.requires_grad_(True)], "lr": SHIFT_RATE * stage.rate})  # type: ignore[dict-item]
    optimiser = torch.optim.Adam(groups, lr=stage.rate, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations, 0.1 * stage.rate)
    partner = torch.zeros_like(targets.views.contour_weight, dtype=torch.long)
    seen_from = targets.views
    outline = Outline(seen_from.contour, targets.contour_normal, seen_from.contour_weight, seen_from.person_height)
    allowed = allowance(body)
    beside = torch.zeros_like(targets.views.outline[..., 0], dtype=torch.long)
    for iteration in range(iterations):
        optimiser.zero_grad()
        moments, views = predict(problem, targets, state, with_landmarks_shifted(body, shift))
        if silhouette and iteration % PARTNER_REFRESH == 0:
            partner = nearest_surface_points(views, targets.views)
            beside = outline_partners(views, targets.views)
        seen = TermContext(views, targets.views, problem.limits, problem.config, 1.0, partner, beside, stage.cutoff)
        posed = replace(seen, prediction=moments, targets=targets.moments)
        parts = [shift_prior(body, shift)] if stage.shift else []
        for name, weight in weights.items():
            if name == "coverage":
                near = _blended(stage.outline_cutoffs, 2.0 * iteration / iterations)
                parts.append(weight * outline_term(outline, views.pixels["surface"], partner, allowed, near))
            elif name == "points":
                parts.append(weight * points_term(moments, targets, stage.point_cutoff))
            elif name in VIEW_TERMS:
                parts.append(weight * TERMS[name](seen))
            else:
                parts.append(weight * TERMS[name](posed))
        torch.stack(parts).sum().backward()
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            state.rotations.copy_(problem.limits.fitted_part(state.rotations))
    return state.settled(), symmetric(body, shift.detach())


def _blended(ends: tuple[float, float], share: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * min(1.0, share)


def points_term(prediction: Prediction, targets: RigTargets, cutoff: float) -> Float[Tensor, ""]:
    """Distance of body points from the triangulated ones, robust."""
    squared = ((prediction.points["body"] - targets.points) / POINT_SIGMA).square().sum(dim=-1)
    return (targets.point_weight * robust(squared, cutoff)).sum(dim=1).mean()


def _project(targets: RigTargets, points: Float[Tensor, "views points 3"]) -> Float[Tensor, "views points 2"]:
    in_camera = transform_points(targets.camera_from_world, points)
    depth = in_camera[..., 2:].clamp(min=NEAREST)
    return (in_camera / depth) @ targets.intrinsics[:, :2].mT
