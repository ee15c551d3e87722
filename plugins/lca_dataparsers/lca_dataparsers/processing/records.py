"""A fitted clip as rows of the dataset."""

from dataclasses import dataclass

import numpy as np
import torch

from lca_dataparsers.dataset.schema import FrameRecord
from lca_dataparsers.processing.filters import NO_FACE, NO_FILTERS, POOR_FIT, FilterConfig
from lca_dataparsers.processing.fitting.result import ClipFit
from lca_dataparsers.processing.notes import BLURRED, FrameNote, blurred
from lca_dataparsers.processing.observations import ClipObservations
from lca_dataparsers.processing.one_camera import Placement
from lca_shared.body import CompactBody
from lca_shared.body.model import ShapedBody
from lca_shared.cameras import project
from lca_shared.tensors import Float

_HEAD_ROOM = 0.6
"""Half the side of the face box over the extent of the projected head: a tenth to spare on each side, and no hair."""
_AT_ONCE = 64
"""Frames whose heads are posed together."""


@dataclass(frozen=True)
class FittedClip:
    """Everything known about the pictures of one person."""

    observations: ClipObservations
    """In the fit's camera."""
    fit: ClipFit
    notes: list[FrameNote]
    placements: list[Placement]
    """Where each stored picture lies in the fit's camera."""

    def reasons(self, filters: FilterConfig = NO_FILTERS) -> list[str]:
        """Per picture why it is left out; empty where it is kept."""
        unsharp = blurred(self.notes)
        return [
            note.refused
            or ("" if usable else reason)
            or (BLURRED if smeared or note.sharpness < filters.min_sharpness else "")
            or (NO_FACE if filters.need_face and not self.fit.face_confidence[row] > 0 else "")
            or (POOR_FIT if filters.min_quality > 0 and fit_quality(self.fit, row) < filters.min_quality else "")
            for row, (note, usable, reason, smeared) in enumerate(
                zip(self.notes, self.fit.usable, self.fit.reasons, unsharp)
            )
        ]


def head_of(body: CompactBody) -> CompactBody:
    """The body's head alone."""
    return body.subset(torch.nonzero(body.regions["head"])[:, 0])


def head_boxes(body: CompactBody, fit: ClipFit) -> Float[np.ndarray, "frames 4"]:
    """Squares around the fitted head in the fit's camera: left, top, right, bottom, pixels."""
    head = head_of(body)
    shaped, boxes = head.shaped(fit.shape), []
    for start in range(0, len(fit.expression), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        moved = ShapedBody(
            head.with_expression(shaped.vertices.expand(len(fit.expression[rows]), -1, -1), fit.expression[rows]),
            head.shaped_joints(fit.shape, fit.expression[rows]),
        )
        pixels = project(fit.cameras[rows], head.skinned(moved, fit.pose[rows]))[0]
        low, high = pixels.amin(dim=1), pixels.amax(dim=1)
        half = _HEAD_ROOM * (high - low).amax(dim=1, keepdim=True)
        boxes.append(torch.cat([(low + high) / 2 - half, (low + high) / 2 + half], dim=1).numpy())
    return np.concatenate(boxes)


def frame_record(clip: FittedClip, row: int, head_box: Float[np.ndarray, "4"]) -> FrameRecord:
    """One row of the dataset; what the writer sets itself is left empty."""
    fit, note, place = clip.fit, clip.notes[row], clip.placements[row]
    pose, observations = fit.pose[row], clip.observations
    face = float(fit.face_confidence[row])
    visible = observations.body_visibility[row]
    return FrameRecord(
        frame=note.index,
        camera="0",
        time=note.time,
        image="",
        mask="",
        width=note.width,
        height=note.height,
        intrinsics=place.own_intrinsics(fit.cameras.intrinsics[row].double().numpy()),
        camera_from_world=fit.cameras.camera_from_world[row].double().numpy(),
        distortion=np.zeros(4),
        joint_rotations=pose.joint_rotations.numpy(),
        root_rotation=pose.root_rotation.numpy(),
        root_translation=pose.root_translation.numpy(),
        gaze=pose.gaze.numpy(),
        expression=fit.expression[row].numpy(),
        person_box=place.own_points(observations.person_boxes[row].reshape(2, 2)).ravel(),
        face_box=place.own_points(head_box.reshape(2, 2)).ravel() if face > 0 else np.full(4, np.nan),
        joint_confidence=fit.joint_confidence[row].numpy(),
        confidence_body=float(visible.mean()),
        confidence_face=face,
        confidence_gaze=float(fit.gaze_confidence[row]),
        confidence_left_hand=float(fit.hand_confidence[row, 0]),
        confidence_right_hand=float(fit.hand_confidence[row, 1]),
        fit_quality=fit_quality(fit, row),
        light_pattern=-1,
    )


def fit_quality(fit: ClipFit, row: int) -> float:
    """0 to 1: the share of the body's pixels inside the mask, less for every per cent that points are off."""
    residuals = np.concatenate([fit.quality.body_residuals[row], fit.quality.face_residuals[row] / 3])
    known = residuals[np.isfinite(residuals)]
    off = float(np.median(known)) if len(known) else 1.0
    inside = float(np.nan_to_num(fit.quality.inside[row]))
    return float(np.clip(inside * np.exp(-0.3 * off), 0, 1))
