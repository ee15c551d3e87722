"""Observations of a rig's views as tensors with weights."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from lca_dataparsers.processing.fitting.expression import (
    expression_from_blendshapes,
    gaze_from_blendshapes,
    neutral_blendshapes,
)
from lca_dataparsers.processing.fitting.point_body import BODY_LANDMARKS, PointBody
from lca_dataparsers.processing.fitting.targets import ADULT_HEIGHT, CONTOUR_POINTS, Targets, largest_part, make_targets
from lca_dataparsers.processing.fitting.visibility import faces_seen
from lca_dataparsers.studio_fit.outline import outward
from lca_dataparsers.studio_fit.triangulate import MIRRORED, Triangulated, triangulate
from lca_dataparsers.studio_fit.views import StudioViews
from lca_shared.tensors import Float, Int, Tensor

LEAST_VISIBILITY = 0.3
UNSEEN_LIMIT = 0.5
"""Agreeing weight (about: views) below which a landmark counts as not seen, and above which (three times) as seen."""
JUMP_SPEED = 4.0
"""Metres a second: neighbouring moments between which the body moved faster than this are not one motion."""
AGREEING_FACTOR = 0.25
"""Weight left to a landmark in a view that disagrees with the others."""


@dataclass(frozen=True)
class RigTargets:
    """What the terms of the studio fit compare the body with."""

    views: Targets
    """One row per view; pixels of the cuts."""
    moments: Targets
    """One row per moment: times, which joints were seen, expression and gaze. Its pictures are not used."""
    moment: Int[Tensor, "views"]
    intrinsics: Float[Tensor, "views 3 3"]
    camera_from_world: Float[Tensor, "views 4 4"]
    points: Float[Tensor, "moments landmarks 3"]
    """Triangulated body landmarks (``PointBody.body_landmarks``), world, metres."""
    point_weight: Float[Tensor, "moments landmarks"]
    """0 where fewer than two views agree."""
    face_weight: Float[Tensor, "moments"]
    """How well the expression was seen, 0..1."""
    contour_normal: Float[Tensor, "views contour 2"]
    """Out of the mask, at the points of ``views.contour``."""


def triangulate_moments(views: StudioViews) -> tuple[list[Triangulated], StudioViews]:
    """Landmarks of every moment, and the views with swapped sides put right."""
    sizes = _first_sizes(views)
    visibility = views.observations.body_visibility
    weights = np.where(visibility < LEAST_VISIBILITY, 0.0, visibility)
    found = []
    swapped = np.zeros(len(views), bool)
    for moment in range(len(views.times)):
        rows = np.flatnonzero(views.moment == moment)
        found.append(
            triangulate(
                views.projections()[rows].astype(float),
                views.observations.body_points[rows].astype(float),
                weights[rows].astype(float),
                sizes[rows],
            )
        )
        swapped[rows] = found[-1].swapped
    return found, _with_sides_exchanged(views, swapped)


def make_rig_targets(
    views: StudioViews, found: list[Triangulated], driven_joints: tuple[str, ...], body: PointBody
) -> RigTargets:
    """Weigh the observations of views whose sides are right."""
    observations, moment = views.observations, views.moment
    landmarks = list(BODY_LANDMARKS)
    depth = _depths(views, found)
    known = replace(
        observations,
        body_points=np.nan_to_num(observations.body_points),
        body_points_world=np.nan_to_num(observations.body_points_world),
        body_visibility=np.where(np.isfinite(observations.body_points[..., 0]), observations.body_visibility, 0.0),
        masks=np.asarray(observations.masks),
    )
    face = faces_seen(observations)
    neutral = neutral_blendshapes(observations.blendshapes, face)
    targets = make_targets(known, driven_joints, body, neutral)
    inlier = np.concatenate([one.inlier for one in found])[:, landmarks]
    agreed = np.where(inlier, 1.0, AGREEING_FACTOR)
    distances, contours, normals, contour_weights = zip(
        *(_silhouette(mask, inside, observations.mask_scale) for mask, inside in zip(known.masks, views.inside)),
        strict=True,
    )
    height = ADULT_HEIGHT * views.intrinsics[:, 0, 0] / depth
    targets = replace(
        targets,
        body_weight=targets.body_weight * _tensor(agreed),
        person_height=_tensor(height),
        outside_distance=_tensor(np.stack(distances))[:, None],
        contour=_tensor(np.stack(contours)),
        contour_weight=_tensor(np.stack(contour_weights)),
    )
    points = np.stack([one.points[landmarks] for one in found])
    agreeing = np.stack([one.agreeing[landmarks] for one in found])
    weight = np.where(np.isfinite(points[..., 0]), np.sqrt(agreeing), 0.0) * np.array(list(BODY_LANDMARKS.values()))
    frontal = _frontal(observations.head_from_canonical, face)
    moments, face_weight = _of_moments(views, targets, found, driven_joints, frontal, neutral)
    return RigTargets(
        views=targets,
        moments=moments,
        moment=torch.from_numpy(moment.astype(np.int64)),
        intrinsics=_tensor(views.intrinsics),
        camera_from_world=_tensor(views.camera_from_world),
        points=_tensor(np.nan_to_num(points)),
        point_weight=_tensor(weight),
        face_weight=face_weight,
        contour_normal=_tensor(np.stack(normals)),
    )


def _of_moments(
    views: StudioViews,
    targets: Targets,
    found: list[Triangulated],
    driven_joints: tuple[str, ...],
    frontal: np.ndarray,
    neutral: np.ndarray,
) -> tuple[Targets, Tensor]:
    """One row per moment: the view that sees the face best stands for it, with what all views know of the joints."""
    best = np.array(
        [rows[frontal[rows].argmax()] for rows in (np.flatnonzero(views.moment == m) for m in range(len(views.times)))]
    )
    observations = views.observations
    share = np.stack([frontal * (views.moment == m) for m in range(len(views.times))])
    share = share / share.sum(axis=1, keepdims=True).clip(1e-6)
    blended = share @ observations.blendshapes
    face_weight = np.array([frontal[views.moment == m].max(initial=0.0) for m in range(len(views.times))])
    seen = face_weight > 0
    hands = np.stack(
        [targets.hand_weight[views.moment == m].sum(dim=0).clamp(max=1.0).numpy() for m in range(len(views.times))]
    )
    moments = replace(
        targets[torch.from_numpy(best)],
        times=_tensor(smoothed_times(views.times, found)),
        joint_seen=joints_seen(found, driven_joints, hands, seen),
        expression=expression_from_blendshapes(blended, seen, neutral),
        gaze=gaze_from_blendshapes(blended, seen),
        face_seen=_tensor(seen),
        hand_weight=_tensor(hands),
    )
    return moments, _tensor(face_weight)


def joints_seen(
    found: list[Triangulated], driven_joints: tuple[str, ...], hands: np.ndarray, faces: np.ndarray
) -> Float[Tensor, "moments driven"]:
    """How far each joint's rotation was seen by at least two cameras that agree: 0..1."""
    from lca_dataparsers.processing.fitting.visibility import JOINT_LANDMARKS, LEFT_OF

    agreeing = np.stack([one.agreeing for one in found])
    sure = ((agreeing - UNSEEN_LIMIT) / (2 * UNSEEN_LIMIT)).clip(0.0, 1.0)
    columns = []
    for joint in driven_joints:
        name, _, side = joint.partition(".")
        if name.startswith("finger"):
            columns.append(hands[:, LEFT_OF[side]])
        elif name in JOINT_LANDMARKS:
            columns.append(sure[:, [k + LEFT_OF[side] for k in JOINT_LANDMARKS[name]]].min(axis=1))
        elif name.startswith("spine"):
            columns.append(np.minimum(sure[:, 11:13].mean(axis=1), sure[:, 23:25].mean(axis=1)))
        elif name == "jaw":
            columns.append(faces.astype(float))
        else:
            columns.append(np.maximum(faces, sure[:, [0, 7, 8]].mean(axis=1)))
    return _tensor(np.stack(columns, axis=-1))


def smoothed_times(times: Float[np.ndarray, "moments"], found: list[Triangulated]) -> Float[np.ndarray, "moments"]:
    """Times for the smoothness term: with a long pause where the body jumped, so that poses that have nothing to do
    with each other (a capture of chosen moments) do not pull at each other."""
    steps = np.diff(times).astype(float)
    for i, step in enumerate(steps):
        moved = np.linalg.norm(found[i + 1].points[11:] - found[i].points[11:], axis=-1)
        moved = moved[np.isfinite(moved)]
        if not len(moved) or np.quantile(moved, 0.75) > JUMP_SPEED * step:
            steps[i] = max(step, 10.0)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _first_sizes(views: StudioViews) -> np.ndarray:
    """Pixels of an adult's height in each view, before depths are known: from the detector's skeleton, or the box."""
    points, world = views.observations.body_points, views.observations.body_points_world
    spread = np.linalg.norm(points - np.nanmean(points, axis=1, keepdims=True), axis=-1)
    flat = np.linalg.norm(world[..., :2] - np.nanmean(world[..., :2], axis=1, keepdims=True), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sizes = ADULT_HEIGHT * np.sqrt(np.nanmean(spread**2, axis=1)) / np.sqrt(np.nanmean(flat**2, axis=1))
    return np.where(np.isfinite(sizes), sizes, views.observations.image_size[0]).clip(8.0)


def _depths(views: StudioViews, found: list[Triangulated]) -> np.ndarray:
    """Distance of the person along each view's axis, metres."""
    middles = []
    for one in found:
        known = one.points[np.isfinite(one.points[:, 0])]
        middles.append(np.median(known, axis=0) if len(known) else np.full(3, np.nan))
    middle = np.array(middles)
    middle = np.where(np.isfinite(middle), middle, np.nanmedian(middle, axis=0))[views.moment]
    pose = views.camera_from_world
    return (np.einsum("vi,vi->v", pose[:, 2, :3], middle) + pose[:, 2, 3]).clip(0.2)


def _frontal(head_from_canonical: np.ndarray, face: np.ndarray) -> np.ndarray:
    """[views] how much of the face a view sees, 0..1: the cosine of its angle to the front, sharpened."""
    forward = np.nan_to_num(head_from_canonical[:, 2, 2])
    return np.where(face, forward.clip(0.05, 1.0) ** 4, 0.0)


def _with_sides_exchanged(views: StudioViews, swapped: np.ndarray) -> StudioViews:
    """Views whose left and right were mixed up, put right; their hands are taken to be mixed up as well."""
    if not swapped.any():
        return views
    seen = views.observations
    exchanged = {
        name: np.where(swapped.reshape(-1, *[1] * (getattr(seen, name).ndim - 1)), getattr(seen, name)[:, order], value)
        for name, order in (
            ("body_points", MIRRORED),
            ("body_visibility", MIRRORED),
            ("body_points_world", MIRRORED),
            ("hand_points", [1, 0]),
            ("hand_scores", [1, 0]),
        )
        for value in (getattr(seen, name),)
    }
    return replace(views, observations=replace(seen, **exchanged))


def _silhouette(
    mask: np.ndarray, inside: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Distance to the mask [h, w] (0 outside of the picture), outline [CONTOUR_POINTS, 2] with its normals and
    weights; cut's pixels."""
    person = largest_part(mask).astype(np.uint8)
    nothing = np.zeros((CONTOUR_POINTS, 2)), np.zeros((CONTOUR_POINTS, 2)), np.zeros(CONTOUR_POINTS)
    if not person.any():
        return np.zeros(mask.shape, np.float32), *nothing
    distance = cv2.distanceTransform(1 - person, cv2.DIST_L2, 5) / scale * inside
    outlines, _ = cv2.findContours(person, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([outline[:, 0] for outline in outlines])
    well_inside = np.zeros(inside.shape, bool)
    well_inside[2:-2, 2:-2] = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8))[2:-2, 2:-2] > 0
    columns, rows = points.T
    points = points[well_inside[rows, columns]]
    if len(points) == 0:
        return distance, *nothing
    chosen = points[np.linspace(0, len(points) - 1, CONTOUR_POINTS).astype(int)]
    return distance, (chosen + 0.5) / scale, outward(255 * person, chosen), np.ones(CONTOUR_POINTS)


def _tensor(values: object) -> Tensor:
    return torch.as_tensor(np.asarray(values, np.float32))
