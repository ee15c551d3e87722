"""Our body in the place of an MHR body: shape and poses whose joints and surface are the other's.

MHR fits of a capture (SAM 3D Body's, Goliath's) come as vertices and joints. Joints that both rigs name put the body in
place; then the two surfaces are brought onto each other by nearest points, in both directions, and joints hardly count:
the rigs do not place them alike inside the body. Expressions and gaze stay neutral.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from lca_dataparsers.processing.fitting.limits import LimitTable, make_limit_table
from lca_shared.body import BodyPose, get_body_model
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.mhr import JOINTS
from lca_shared.rotations import matrix_to_rotation_vector, nearest_rotation, rotation_vector_to_matrix
from lca_shared.tensors import Float, Int, Tensor

_LIMBS = {
    "upperleg01": "upleg",
    "lowerleg01": "lowleg",
    "foot": "foot",
    "clavicle": "clavicle",
    "upperarm01": "uparm",
    "lowerarm01": "lowarm",
    "wrist": "wrist",
    "eye": "eye",
    **{f"finger{number}-{part}": f"{name}{part}" for number, name in enumerate(("index", "middle", "ring", "pinky"), 2)
       for part in (1, 2, 3)},
}  # fmt: skip
PARTNERS: dict[str, str] = {
    "neck01": "c_neck",
    "head": "c_head",
    **{f"{ours}.{side}": f"{side.lower()}_{theirs}" for ours, theirs in _LIMBS.items() for side in "LR"},
}
"""Joints of MHR by ours. Trunk and thumbs are divided in other ways in the two rigs."""
_TORSO = ("upperleg01.L", "upperleg01.R", "upperarm01.L", "upperarm01.R", "neck01")
JOINT_SIGMA, SURFACE_SIGMA = 0.03, 0.01
"""Metres: how far joints of the two rigs, and their surfaces, are apart."""
SURFACE_POINTS = 2400
"""Of each surface."""
REFRESH = 5
"""Iterations between searches for nearest points."""
STAGES = ((80, 0.05, 1.0, 0.0), (160, 0.02, 0.05, 1.0))
"""Iterations, learning rate, weights of joints and of surfaces."""
POSE_PRIOR, SHAPE_PRIOR = 0.02, 0.01
"""Against the mean squared residuals in standard deviations."""


@dataclass(frozen=True)
class MHRFit:
    """One person at T moments in our body model."""

    shape: Float[Tensor, "coefficients"]
    pose: BodyPose
    """[T], in the world of the given vertices."""
    residual: Float[np.ndarray, "moments"]
    """Median distance of our surface's points from the nearest vertex, metres."""


def fit_to_mhr(
    vertices: Float[np.ndarray, "moments vertices 3"],
    joints: Float[np.ndarray, "moments 127 3"],
    progress: Callable[[float], None] | None = None,
) -> MHRFit:
    """Fit the body model to an MHR body's surface and joints at T moments.

    Args:
        vertices: metres, world Z up; MHR's mesh at any level of detail, whole.
        joints: of MHR's 127 joints.
        progress: told the share that is done.

    Raises:
        ValueError: arrays that do not belong together, or numbers that are not finite.
    """
    if len(vertices) != len(joints) or joints.shape[1:] != (len(JOINTS), 3):
        raise ValueError(f"vertices {vertices.shape} and joints {joints.shape} do not belong together")
    if not (np.isfinite(vertices).all() and np.isfinite(joints).all()):
        raise ValueError("vertices and joints must be finite")
    whole = get_body_model("anny")
    body = whole.subset(_spread(whole))
    theirs = torch.from_numpy(joints[:, [JOINTS.index(name) for name in PARTNERS.values()]]).float()
    ours_at = [body.joint_names.index(name) for name in PARTNERS]
    every = max(1, vertices.shape[1] // SURFACE_POINTS)
    surface = torch.from_numpy(np.ascontiguousarray(vertices)).float()
    trees = [cKDTree(moment) for moment in vertices]
    limits = make_limit_table(whole)
    shape = torch.zeros(len(body.shape_names))
    rotations = torch.zeros(len(joints), len(body.driven_joints), 3)
    root_start, translation = _placed(body, theirs)
    root_delta = torch.zeros(len(joints), 3)
    done, total = 0, sum(stage[0] for stage in STAGES)
    residual = np.zeros(len(joints))
    for iterations, rate, joint_weight, surface_weight in STAGES:
        free = [t.requires_grad_(True) for t in (rotations, root_delta, translation)]
        optimiser = torch.optim.Adam(
            [{"params": free}, {"params": [shape.requires_grad_(True)], "lr": 2 * rate}], lr=rate, betas=(0.9, 0.99)
        )
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations, 0.1 * rate)
        for iteration in range(iterations):
            optimiser.zero_grad()
            pose = _pose(root_start, root_delta, rotations, translation)
            shaped = body.shaped(shape)
            found = body.posed(shaped.joints, pose).joints[:, ours_at]
            loss = joint_weight * _robust((found - theirs) / JOINT_SIGMA)
            loss = loss + SHAPE_PRIOR * shape.square().mean() + POSE_PRIOR * _stiffness(limits, rotations)
            if surface_weight:
                points = body.skinned(shaped, pose)
                if iteration % REFRESH == 0:
                    near, back = _partners(points.detach().numpy(), surface, trees, every)
                there = torch.gather(surface, 1, near[..., None].expand(-1, -1, 3))
                here = torch.gather(points, 1, back[..., None].expand(-1, -1, 3))
                pulled = _robust((points - there) / SURFACE_SIGMA)
                loss = loss + surface_weight * (pulled + _robust((here - surface[:, ::every]) / SURFACE_SIGMA))
                residual = (points - there).detach().norm(dim=-1).median(dim=1).values.numpy()
            loss.backward()
            optimiser.step()
            schedule.step()
            with torch.no_grad():
                rotations.copy_(limits.fitted_part(rotations))
            done += 1
            if progress is not None:
                progress(done / total)
    pose = _pose(root_start, root_delta, rotations, translation)
    held = BodyPose(*(t.detach() for t in (pose.joint_rotations, pose.root_rotation, pose.root_translation, pose.gaze)))
    return MHRFit(shape.detach(), held, residual)


def _pose(start: Tensor, delta: Tensor, rotations: Tensor, translation: Tensor) -> BodyPose:
    root = matrix_to_rotation_vector(rotation_vector_to_matrix(delta) @ start)
    return BodyPose(rotations, root, translation, torch.zeros(len(rotations), 2, 2))


def _placed(body: CompactBody, theirs: Float[Tensor, "moments joints 3"]) -> tuple[Tensor, Tensor]:
    """Orientation [moments, 3, 3] and translation [moments, 3] of the root by which the torso lies on the other's."""
    names = list(PARTNERS)
    chosen = [names.index(name) for name in _TORSO]
    rest = body.template_joints[[body.joint_names.index(name) for name in _TORSO]]
    seen = theirs[:, chosen]
    middle, seen_middle = rest.mean(dim=0), seen.mean(dim=1)
    turned = nearest_rotation((seen - seen_middle[:, None]).mT @ (rest - middle))
    root = body.template_joints[0]
    return turned, seen_middle - root - (turned @ (middle - root)[:, None])[..., 0]


def _spread(body: CompactBody) -> Int[Tensor, "chosen"]:
    """Vertices spread over the outer surface, the same each time."""
    outer = torch.nonzero(~(body.regions["hidden"] | body.regions["eyes"]))[:, 0]
    corners = body.template_vertices[body.faces]
    area = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=-1)
    share = torch.zeros(len(body.template_vertices)).index_add(0, body.faces.flatten(), area.repeat_interleave(3))[
        outer
    ]
    steps = torch.cumsum(share, 0) / share.sum()
    return outer[torch.unique(torch.searchsorted(steps, torch.linspace(0, 1, SURFACE_POINTS)[:-1]))]


def _partners(
    points: Float[np.ndarray, "moments points 3"], surface: Tensor, trees: list[cKDTree], every: int
) -> tuple[Int[Tensor, "moments points"], Int[Tensor, "moments others"]]:
    """The nearest vertex of each point, and the nearest point of every so manyeth vertex."""
    near = np.stack([tree.query(own)[1] for tree, own in zip(trees, points)])
    back = np.stack([cKDTree(own).query(other)[1] for own, other in zip(points, surface[:, ::every].numpy())])
    return torch.from_numpy(near), torch.from_numpy(back)


def _robust(residual: Float[Tensor, "*batch 3"]) -> Float[Tensor, ""]:
    """Mean of Geman and McClure's norm with a cut-off at four standard deviations."""
    squared = residual.square().sum(dim=-1)
    return (squared / (1 + squared / 16)).mean()


def _stiffness(limits: LimitTable, rotations: Float[Tensor, "moments driven 3"]) -> Float[Tensor, ""]:
    return (limits.stiffness * limits.in_joint_frames(rotations).square()).mean()
