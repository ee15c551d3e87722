"""Which joints a frame tells anything about."""

import numpy as np
import torch

from lca_dataparsers.processing.estimators.protocol import HAND_SCORE
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.tensors import Float, Tensor

LEFT_OF = {"L": 0, "R": 1}
"""MediaPipe's body landmarks alternate: left, right."""
JOINT_LANDMARKS: dict[str, tuple[int, ...]] = {
    "clavicle": (11,),
    "upperarm01": (11, 13),
    "lowerarm01": (13, 15),
    "lowerarm02": (13, 15),
    "wrist": (15, 19),
    "upperleg01": (23, 25),
    "lowerleg01": (25, 27),
    "foot": (27, 31),
}
"""Landmarks (left side) without which a joint's rotation is a guess."""
PICTURE_MARGIN = 0.02
"""Landmarks may lie this far outside the picture, as a share of its size, and still count as seen."""


def faces_seen(observations: ClipObservations) -> np.ndarray:
    """[frames] bool: face landmarks were found."""
    return np.all(np.isfinite(observations.face_points), axis=(1, 2))


def inside_picture(
    points: Float[np.ndarray, "frames points 2"], image_size: tuple[int, int], margin: float = PICTURE_MARGIN
) -> np.ndarray:
    """[frames, points] bool."""
    size = np.asarray(image_size, np.float32)
    return np.all((points > -margin * size) & (points < (1.0 + margin) * size), axis=-1)


def landmark_visibility(observations: ClipObservations) -> Float[np.ndarray, "frames 33"]:
    """The detector's visibility, 0 outside the picture and in frames without a person."""
    inside = inside_picture(observations.body_points, observations.image_size)
    return np.where(inside, observations.body_visibility, 0.0).clip(0.0, 1.0).astype(np.float32)


def accepted_hands(observations: ClipObservations, person_height: Float[np.ndarray, "frames"]) -> np.ndarray:
    """[frames, 2] bool: hands that the detector is sure of and whose wrist lies near the body's wrist."""
    accepted = []
    for side, wrist in ((0, 15), (1, 16)):
        hand = np.nan_to_num(observations.hand_points[:, side])
        size = np.linalg.norm(hand[:, 0] - hand[:, 9], axis=-1)
        off = np.linalg.norm(hand[:, 0] - np.nan_to_num(observations.body_points[:, wrist]), axis=-1)
        near = off < 0.6 * size + 0.02 * person_height
        whole = np.isfinite(observations.hand_points[:, side]).all(axis=(1, 2))
        accepted.append(whole & near & (observations.hand_scores[:, side] > HAND_SCORE))
    return np.stack(accepted, axis=-1)


def joint_confidence(
    observations: ClipObservations, driven_joints: tuple[str, ...], hands: Float[np.ndarray, "frames 2"]
) -> Float[Tensor, "frames driven"]:
    """How far each joint's rotation was seen: 0 = not at all, it is the prior's guess; 1 = clearly.

    Args:
        observations: T frames.
        driven_joints: names.
        hands: 0..1, confidence in the left and right hand's landmarks.
    """
    visible = landmark_visibility(observations)
    face = faces_seen(observations).astype(np.float32)
    shoulders, hips = visible[:, 11:13].mean(axis=1), visible[:, 23:25].mean(axis=1)
    columns = []
    for joint in driven_joints:
        name, _, side = joint.partition(".")
        if name.startswith("finger"):
            columns.append(hands[:, LEFT_OF[side]])
        elif name in JOINT_LANDMARKS:
            columns.append(visible[:, [k + LEFT_OF[side] for k in JOINT_LANDMARKS[name]]].min(axis=1))
            if name == "wrist":
                columns[-1] = np.maximum(columns[-1], hands[:, LEFT_OF[side]])
        elif name.startswith("spine"):
            columns.append(np.minimum(shoulders, hips))
        elif name == "jaw":
            columns.append(face)
        else:  # neck and head
            columns.append(np.maximum(face, np.minimum(visible[:, 0], visible[:, 7:9].max(axis=1))))
    seen = np.stack(columns, axis=-1)
    return torch.from_numpy(((seen - 0.3) / 0.4).clip(0.0, 1.0).astype(np.float32))
