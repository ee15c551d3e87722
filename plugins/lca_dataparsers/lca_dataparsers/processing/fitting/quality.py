"""How good a fit is: residuals, overlap with the mask, jitter, joint angles, and which frames to learn from."""

from typing import Any

import numpy as np
import torch

from lca_dataparsers.mesh_raster import covered_pixels
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.point_body import BODY_LANDMARKS, PointBody
from lca_dataparsers.processing.fitting.result import ClipFit, FitQuality
from lca_dataparsers.processing.fitting.state import Prediction
from lca_dataparsers.processing.fitting.targets import Targets
from lca_dataparsers.processing.fitting.terms.contact import FOOT_LANDMARKS
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.body import BodyPose
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import Cameras, project
from lca_shared.rotations import matrix_to_rotation_vector
from lca_shared.tensors import Float, Tensor

COUNTED_WEIGHT = 0.06
"""Body landmarks whose weight over their own factor is below this (visibility below a quarter) are not measured."""
BODY_JOINTS = ("spine", "neck", "head", "clavicle", "upperarm", "lowerarm01", "wrist", "upperleg", "lowerleg", "foot")
"""Joints whose acceleration is reported, by the start of their names: all but fingers, jaw and eyes."""
ENOUGH_LANDMARKS = 6
WORST_BODY, WORST_FACE = 1.5, 4.0
"""Percent of the person's height and of the face's size that a frame's median residual may reach."""
LEAST_IOU, LEAST_INSIDE = 0.5, 0.7
_AT_ONCE = 8
"""Bodies that are posed together."""
LIMIT_TOLERANCE = 0.1
"""Radians beyond a limit that count as a violation."""


def measure_frames(
    prediction: Prediction, in_world: Prediction, targets: Targets, limits: LimitTable
) -> dict[str, np.ndarray]:
    """Residuals, accelerations and angles of fitted frames: fields of :class:`FitQuality` but the masks'.

    Args:
        prediction: before each frame's own camera: what its picture shows.
        in_world: the same poses before the first frame's camera: how the person moves. The same where the camera
            stands.
        targets: what the pictures show.
        limits: of the joints' angles.
    """
    body = prediction.body
    distance = (prediction.pixels["body"] - targets.body).norm(dim=-1) / targets.person_height[:, None]
    point_weight = torch.tensor(list(BODY_LANDMARKS.values()))
    below_head = torch.tensor([k > 10 for k in body.body_landmarks])
    counted = (targets.body_weight / point_weight > COUNTED_WEIGHT) & below_head
    face = (prediction.pixels["face"] - targets.face).norm(dim=-1) / targets.face_size[:, None]
    names = [i for i, name in enumerate(body.joint_names) if name.startswith(BODY_JOINTS)]
    relative = in_world.joints[:, names] - in_world.state.translation[:, None]
    nan = torch.full((), torch.nan)
    return {
        "body_residuals": torch.where(counted, 100.0 * distance, nan).numpy(),
        "face_residuals": torch.where(targets.face_seen[:, None] > 0, 100.0 * face, nan).numpy(),
        "acceleration": _acceleration(relative),
        "root_acceleration": _acceleration(in_world.state.translation[:, None]),
        "total_acceleration": _acceleration(in_world.joints[:, names]),
        "foot_slide": _foot_slide(in_world, targets),
        "limit_excess": limits.excess(prediction.state.rotations).amax(dim=(1, 2)).numpy(),
    }


def mask_overlap(
    body: CompactBody,
    shape: Float[Tensor, "coefficients"],
    pose: BodyPose,
    cameras: Cameras,
    observations: ClipObservations,
) -> tuple[Float[np.ndarray, "frames"], Float[np.ndarray, "frames"]]:
    """(intersection over union, share of the body inside) of the whole mesh and the masks, per frame."""
    shaped = body.shaped(shape)
    height, width = observations.masks.shape[1:]
    overlap = np.full((2, len(observations)), np.nan, np.float32)
    for frame in range(len(observations)):
        if frame % _AT_ONCE == 0:
            rows = slice(frame, frame + _AT_ONCE)
            places, depth = project(cameras[rows], body.skinned(shaped, pose[rows]))
            places = torch.where(depth[..., None] > 0.05, places * observations.mask_scale, torch.nan)
        ours = covered_pixels(places[frame % _AT_ONCE], body.faces, height, width).numpy()
        theirs = observations.masks[frame] > 127
        both = (ours & theirs).sum()
        overlap[:, frame] = both / max(1, (ours | theirs).sum()), both / max(1, ours.sum())
    return overlap[0], overlap[1]


def refusal(quality: FitQuality, frame: int) -> str:
    """Why a frame is not good enough to learn from; empty if it is."""
    body, face = quality.body_residuals[frame], quality.face_residuals[frame]
    if np.isfinite(body).sum() >= ENOUGH_LANDMARKS:
        if np.nanmedian(body) > WORST_BODY:
            return "body misfit"
    elif not np.isfinite(face).any():
        return "too little of the person seen"
    elif np.nanmedian(face) > WORST_FACE:
        return "face misfit"
    if quality.silhouette_iou[frame] < LEAST_IOU or quality.inside[frame] < LEAST_INSIDE:
        return "body and mask disagree"
    return ""


def measure_fit(fit: ClipFit) -> dict[str, Any]:
    """Figures of a fit, over the frames in which a person was seen.

    Keys: ``frames``, ``usable_share``, ``refused`` (count by reason), ``body_median`` and ``body_p90`` (% of height),
    ``face_median`` and ``face_p90`` (% of face size), ``iou_median``, ``inside_median``, ``acceleration``,
    ``root_acceleration``, ``total_acceleration`` (means, mm/frame^2), ``foot_slide`` (mean, mm/frame),
    ``limit_violations`` (share of frames), ``focal`` (pixels), ``camera_turn`` (degrees at most, from the first frame),
    ``camera_pitch`` (degrees that the first camera looks down; NaN where nobody stands: taken to be level).
    """
    quality = fit.quality
    refused = [reason for reason in fit.reasons if reason]
    return {
        "frames": len(fit.usable),
        "usable_share": float(np.mean(fit.usable)),
        "refused": {reason: refused.count(reason) for reason in sorted(set(refused))},
        "body_median": _quantile(quality.body_residuals, 0.5),
        "body_p90": _quantile(quality.body_residuals, 0.9),
        "face_median": _quantile(quality.face_residuals, 0.5),
        "face_p90": _quantile(quality.face_residuals, 0.9),
        "iou_median": _quantile(quality.silhouette_iou, 0.5),
        "inside_median": _quantile(quality.inside, 0.5),
        "acceleration": _mean(quality.acceleration),
        "root_acceleration": _mean(quality.root_acceleration),
        "total_acceleration": _mean(quality.total_acceleration),
        "foot_slide": _mean(quality.foot_slide),
        "limit_violations": _mean((quality.limit_excess > LIMIT_TOLERANCE).astype(np.float32)),
        "focal": float(fit.cameras.intrinsics[0, 0, 0]),
        "camera_turn": camera_turn(fit.cameras),
        "camera_pitch": camera_pitch(fit.cameras),
    }


def camera_turn(cameras: Cameras) -> float:
    """How far any of the cameras [T] is turned from the first, degrees."""
    rotations = cameras.camera_from_world[:, :3, :3]
    return float(matrix_to_rotation_vector(rotations @ rotations[0].mT).norm(dim=-1).max().rad2deg())


def camera_pitch(cameras: Cameras) -> float:
    """How far the first camera looks down, degrees; negative: up. NaN where nothing told, so that it was taken to be
    level."""
    down = float(torch.asin(-cameras.camera_from_world[0, 2, 2]).rad2deg())
    return down or float("nan")


def soles(body: PointBody, points: Float[Tensor, "*batch points 3"]) -> Float[Tensor, "*batch 2 2 3"]:
    """Heel and toes of the left and the right foot among body points (or all points of the body, in its order)."""
    return points[..., [[body.body_landmarks.index(k) for k in foot] for foot in FOOT_LANDMARKS], :]


def _foot_slide(prediction: Prediction, targets: Targets) -> Float[np.ndarray, "frames"]:
    """How far heels and toes of feet that look still move from the frame before, mm; NaN where none does."""
    feet = soles(prediction.body, prediction.points["body"])
    slide = np.full(len(feet), np.nan, np.float32)
    if len(feet) > 1:
        steps = 1e3 * (feet[1:] - feet[:-1]).norm(dim=-1).mean(dim=-1).numpy()
        still = torch.minimum(targets.foot_still[1:], targets.foot_still[:-1]).numpy()
        total = still.sum(axis=1)
        slide[1:] = np.where(total > 0.5, (still * steps).sum(axis=1) / np.maximum(total, 1e-6), np.nan)
    return slide


def _acceleration(points: Float[Tensor, "frames points 3"]) -> Float[np.ndarray, "frames"]:
    """Mean length of second differences, mm; NaN at the ends."""
    acceleration = np.full(len(points), np.nan, np.float32)
    if len(points) > 2:
        second = points[2:] - 2.0 * points[1:-1] + points[:-2]
        acceleration[1:-1] = 1e3 * second.norm(dim=-1).mean(dim=1).numpy()
    return acceleration


def _quantile(values: np.ndarray, at: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.quantile(known, at)) if len(known) else float("nan")


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
