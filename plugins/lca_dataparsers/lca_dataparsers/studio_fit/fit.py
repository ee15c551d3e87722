"""The studio fit: one shape, and a pose for every moment, from all views."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable, make_limit_table
from lca_dataparsers.processing.fitting.point_body import get_point_body
from lca_dataparsers.processing.fitting.start import TORSO_WEIGHTS
from lca_dataparsers.processing.fitting.state import FitState, rest_state
from lca_dataparsers.processing.fitting.windows import joined, windows
from lca_dataparsers.studio_fit.solve import RigProblem, RigStage, run_rig_stage
from lca_dataparsers.studio_fit.targets import RigTargets, make_rig_targets, triangulate_moments
from lca_dataparsers.studio_fit.triangulate import Triangulated
from lca_dataparsers.studio_fit.views import StudioViews
from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.gaze import with_eyelids
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_rotation_vector, nearest_rotation
from lca_shared.tensors import Float, Tensor

PRIORS = {"pose_prior": 6.0, "joint_limits": 1.0, "smoothness": 0.2, "shape_prior": 1.2}
PICTURE = {"body": 1.0, "face": 6.0}
SILHOUETTE = {"outside": 300.0, "coverage": 50.0, "head_outline": 4.0, "shape_prior": 0.6}
"""With it the masks tell the shape, so that its prior counts less. They are means over points most of which lie where
they should: only with factors like these do they say which way a pelvis faces, which landmarks hardly know."""
STAGES = (
    RigStage("points", 150, 0.05, {"points": 1.0, **PRIORS}, point_cutoff=40.0),
    RigStage("pictures", 150, 0.02, {**PICTURE, "points": 0.1, **PRIORS}, shift=True, cutoff=6.0, point_cutoff=10.0),
    RigStage("outlines", 150, 0.01, {**PICTURE, "hands": 6.0, **PRIORS, **SILHOUETTE}, shift=True),
)
SHAPE_MOMENTS = 12
"""Moments that shape is read from; more of them get their poses window by window."""
WELL_SEEN = 0.75
"""Of the most cameras that see one moment: shape is not read from moments that fewer see."""
WINDOW, OVERLAP = 24, 4
"""Moments fitted together, and shared by neighbouring windows."""
SPINE_STIFFNESS = (2.0, 0.5, 2.0)
"""Over that of the single-camera fit, about hinge, bone and across: clothes hide where the spine bends, but a rig sees
how far the shoulders are turned against the pelvis."""
LEAST_POINTS = 6
"""Triangulated landmarks without which a moment's pose is taken from its neighbours to start with."""


@dataclass(frozen=True)
class StudioFit:
    """One person at T moments."""

    shape: Float[Tensor, "coefficients"]
    pose: BodyPose
    """[T], world."""
    expression: Float[Tensor, "moments 52"]
    joint_confidence: Float[Tensor, "moments driven"]
    """0 = fewer than two cameras saw it and agreed: its rotation is the prior's; 1 = seen."""
    face_confidence: Float[Tensor, "moments"]
    hand_confidence: Float[Tensor, "moments 2"]
    found: tuple[Triangulated, ...]
    targets: RigTargets
    """Of all moments, for measuring."""


def fit_studio(
    views: StudioViews,
    config: FitConfig | None = None,
    progress: Callable[[float], None] | None = None,
) -> StudioFit:
    """Fit the body model to one person seen by calibrated cameras.

    Raises:
        UserError: at no moment two cameras agree on enough of the body.
    """
    config = config or FitConfig()
    body, points = get_body_model("anny"), get_point_body("anny")
    problem = RigProblem(points, rig_limits(), config, torch.zeros(len(points.body_landmarks), 3))
    found, views = triangulate_moments(views)
    good = np.array([int(np.isfinite(one.points[:, 0]).sum()) for one in found]) >= LEAST_POINTS
    if not good.any():
        raise UserError(
            "No two cameras saw the same person at any moment. Check the calibration (its overlay shows it), choose "
            "cameras that see the whole body with --cameras, or import without a body (--body none)."
        )
    tell = progress or (lambda share: None)

    def targets_of(chosen: np.ndarray) -> RigTargets:
        return make_rig_targets(views.of_moments(chosen), [found[i] for i in chosen], body.driven_joints, points)

    cameras = np.bincount(views.moment, minlength=len(views.times))
    candidates = np.flatnonzero(good & (cameras >= WELL_SEEN * cameras[good].max()))
    picked = candidates[np.unique(np.linspace(0, len(candidates) - 1, min(SHAPE_MOMENTS, len(candidates))).astype(int))]
    first = targets_of(picked)
    first_share = 1.0 if len(picked) == len(views.times) else 0.5
    state, shift = _from_scratch(problem, first, STAGES, None, lambda share: tell(first_share * share))
    if len(picked) < len(views.times):
        spans = windows(len(views.times), WINDOW, min(OVERLAP, WINDOW // 2))
        problem, parts = replace(problem, shift=shift), []
        for number, (start, end) in enumerate(spans):
            window = targets_of(np.arange(start, end))
            stages = [replace(stage, shape=False, shift=False) for stage in STAGES]
            parts.append(_from_scratch(problem, window, tuple(stages), state, lambda share: None)[0])
            tell(0.5 + 0.5 * (number + 1) / len(spans))
        state = joined(parts, spans)
    whole = targets_of(np.arange(len(views.times)))
    moments = whole.moments
    pose = BodyPose(state.rotations, matrix_to_rotation_vector(state.root), state.translation, moments.gaze)
    return StudioFit(
        shape=state.shape,
        pose=pose,
        expression=with_eyelids(moments.expression, pose.gaze, body.expression_names),
        joint_confidence=moments.joint_seen,
        face_confidence=whole.face_weight,
        hand_confidence=moments.hand_weight,
        found=tuple(found),
        targets=whole,
    )


def rig_limits() -> LimitTable:
    """The single-camera fit's limits, with a spine that bends less and turns more."""
    body = get_body_model("anny")
    table = make_limit_table(body)
    spine = torch.tensor([name.startswith("spine") for name in body.driven_joints])
    factor = torch.where(spine[:, None], torch.tensor(SPINE_STIFFNESS), torch.ones(3))
    return replace(table, stiffness=factor * table.stiffness)


def _from_scratch(
    problem: RigProblem,
    targets: RigTargets,
    stages: tuple[RigStage, ...],
    person: FitState | None,
    tell: Callable[[float], None],
) -> tuple[FitState, Float[Tensor, "landmarks 3"]]:
    state = start(problem, targets)
    if person is not None:
        state = replace(state, shape=person.shape)
    for number, stage in enumerate(stages):
        state, shift = run_rig_stage(problem, targets, state, stage)
        problem = replace(problem, shift=shift)
        tell((number + 1) / len(stages))
    return state, problem.shift


def start(problem: RigProblem, targets: RigTargets) -> FitState:
    """Rest pose, turned and moved so that the torso lies on its triangulated points (Kabsch).

    Moments with too few points begin as their nearest neighbour.
    """
    body = problem.body
    state = rest_state(len(targets.moments), len(body.shape_points), len(problem.limits.low), body.points)
    chosen = [body.body_landmarks.index(k) for k in TORSO_WEIGHTS]
    factor = body.points.new_tensor(list(TORSO_WEIGHTS.values()))
    rest = body.points[body.groups["body"]][chosen]
    weight = ((targets.point_weight[:, chosen] > 0) * factor)[..., None]
    seen = targets.points[:, chosen]
    total = weight.sum(dim=1, keepdim=True)
    known = (weight[..., 0] > 0).sum(dim=1) >= 3
    rest_middle = (rest * weight).sum(dim=1, keepdim=True) / total.clamp(min=1e-6)
    seen_middle = (seen * weight).sum(dim=1, keepdim=True) / total.clamp(min=1e-6)
    covariance = (weight * (seen - seen_middle)).mT @ (rest - rest_middle)
    turned = nearest_rotation(covariance + 1e-9 * torch.eye(3))
    root = body.joints[0]
    moved = seen_middle[:, 0] - root - (turned @ (rest_middle - root).mT)[..., 0]
    near = _nearest(known)
    return replace(state, root_start=turned[near], translation=moved[near])


def _nearest(known: Tensor) -> Tensor:
    """[moments] position of the nearest moment that is known; raises ValueError if none is."""
    there = torch.nonzero(known)[:, 0]
    if len(there) == 0:
        raise ValueError("no moment in which the torso was seen")
    return there[(torch.arange(len(known))[:, None] - there).abs().argmin(dim=1)]
