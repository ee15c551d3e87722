"""Observations as tensors with weights: what the terms of the fit compare the body with."""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch

from lca_dataparsers.processing.fitting.expression import (
    expression_from_blendshapes,
    gaze_from_blendshapes,
    neutral_blendshapes,
)
from lca_dataparsers.processing.fitting.point_body import BODY_LANDMARKS, PointBody
from lca_dataparsers.processing.fitting.standing import still_feet
from lca_dataparsers.processing.fitting.visibility import (
    accepted_hands,
    faces_seen,
    joint_confidence,
    landmark_visibility,
)
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.tensors import Bool, Float, Tensor

ADULT_HEIGHT = 1.7
"""Metres; turns the size of the detector's 3D skeleton into a person's height in pixels."""
CONTOUR_POINTS = 120
FACE_TOP, FACE_BOTTOM = 10, 152
"""Face landmarks at the middle of the forehead's edge and under the chin: their distance is the face's size."""
FACE_OVAL: tuple[int, ...] = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
"""Face landmarks around the face, in order. They slide over the skin as the head turns, but stay on its outline."""
SEEN_VISIBILITY = 0.3
SKIN_WEIGHT = 10.0
SKIN_REACH = 0.15
"""Of the face's size: the mask's outline this near to the face's outline, below the eyes, is cheek or ear or little
hair."""
EYE_CORNERS = (33, 263)
ARM_LANDMARKS = (13, 15, 17, 19, 21)
"""Body landmarks of the left arm below the shoulder; the right arm's are the next ones."""


@dataclass(frozen=True)
class Targets:
    """Observations of T frames in which a person was seen."""

    times: Float[Tensor, "frames"]
    body: Float[Tensor, "frames landmarks 2"]
    """Pixels; landmarks are ``PointBody.body_landmarks``."""
    body_weight: Float[Tensor, "frames landmarks"]
    """Squared visibility times the landmark's weight; 0 outside the picture."""
    body_world: Float[Tensor, "frames landmarks 3"]
    """Metres, camera axes (x right, y down, z forward)."""
    world_weight: Float[Tensor, "frames landmarks"]
    person_height: Float[Tensor, "frames"]
    """Pixels that a standing adult would cover at the person's distance."""
    face: Float[Tensor, "frames points 2"]
    """Pixels; points are ``PointBody.face_landmarks``."""
    face_seen: Float[Tensor, "frames"]
    face_size: Float[Tensor, "frames"]
    """Pixels from forehead to chin."""
    outline: Float[Tensor, "frames oval 2"]
    """Pixels of the face landmarks around forehead, cheeks and jaw (:data:`FACE_OVAL`)."""
    outline_normal: Float[Tensor, "frames oval 2"]
    """Unit vectors out of the face."""
    arm_visibility: Float[Tensor, "frames 2 arm"]
    """The detector's, 0..1, of :data:`ARM_LANDMARKS`, left and right."""
    foot_still: Float[Tensor, "frames 2"]
    """0..1: how far the left and the right foot are seen not to move."""
    hands: Float[Tensor, "frames 2 21 2"]
    hand_weight: Float[Tensor, "frames 2"]
    outside_distance: Float[Tensor, "frames 1 height width"]
    """Distance to the person's mask in image pixels, on the reduced mask's grid; 0 inside."""
    contour: Float[Tensor, "frames contour 2"]
    """Points of the mask's outline in image pixels, without the picture's border."""
    contour_weight: Float[Tensor, "frames contour"]
    """1; 0 for padding; :data:`SKIN_WEIGHT` beside cheeks and ears, where nothing stands off the skin."""
    joint_seen: Float[Tensor, "frames driven"]
    expression: Float[Tensor, "frames expressions"]
    gaze: Float[Tensor, "frames 2 2"]
    picture: Float[Tensor, "2"]
    """Width and height of the pictures, pixels."""

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: slice | Tensor) -> "Targets":
        """Some of the frames."""
        names = [f.name for f in fields(self) if f.name != "picture"]
        return replace(self, **{name: getattr(self, name)[index] for name in names})


def make_targets(
    observations: ClipObservations,
    driven_joints: tuple[str, ...],
    body: PointBody,
    neutral: Float[np.ndarray, "52"] | None = None,
) -> Targets:
    """Weigh the observations of frames in which a person was seen (``observations.seen`` everywhere).

    Args:
        observations: T frames.
        driven_joints: names of the body model's driven joints.
        body: the points that are fitted.
        neutral: blendshapes of the person's neutral face; read from these observations if None.
    """
    landmarks = list(BODY_LANDMARKS)
    visible = landmark_visibility(observations)
    squared = np.where(visible < SEEN_VISIBILITY, 0.0, visible**2)
    height = person_height(observations, squared)
    face_seen = faces_seen(observations)
    face = np.nan_to_num(observations.face_points)
    size = np.linalg.norm(face[:, FACE_TOP] - face[:, FACE_BOTTOM], axis=-1)
    if neutral is None:
        neutral = neutral_blendshapes(observations.blendshapes, face_seen)
    hands = accepted_hands(observations, height).astype(np.float32)
    point_weight = np.array(list(BODY_LANDMARKS.values()), np.float32)
    weight = squared[:, landmarks] * point_weight
    # The face landmarks say the same with more precision.
    on_head = np.array([k <= 10 for k in landmarks])
    weight = weight * np.where(on_head, 1.0 - 0.7 * face_seen[:, None], 1.0)
    distances, contours, contour_weight = zip(
        *(_silhouette(mask, observations.mask_scale) for mask in observations.masks), strict=True
    )

    def tensor(values: object) -> Tensor:
        return torch.as_tensor(np.asarray(values, np.float32))

    return Targets(
        times=tensor(observations.times),
        arm_visibility=tensor(np.stack([visible[:, [k + side for k in ARM_LANDMARKS]] for side in (0, 1)], axis=1)),
        foot_still=tensor(still_feet(observations, height)),
        body=tensor(observations.body_points[:, landmarks]),
        body_weight=tensor(weight),
        body_world=tensor(observations.body_points_world[:, landmarks]),
        world_weight=tensor(squared[:, landmarks].clip(0.02) * point_weight),
        person_height=tensor(height),
        face=tensor(face[:, list(body.face_landmarks)]),
        face_seen=tensor(face_seen),
        face_size=tensor(np.where(face_seen, size, 1.0).clip(1.0)),
        outline=tensor(face[:, list(FACE_OVAL)]),
        outline_normal=tensor(_outward(face[:, list(FACE_OVAL)])),
        hands=tensor(np.nan_to_num(observations.hand_points)),
        hand_weight=tensor(hands),
        outside_distance=tensor(np.stack(distances))[:, None],
        contour=tensor(np.stack(contours)),
        contour_weight=tensor(_skin_weighed(np.stack(contours), np.stack(contour_weight), face, face_seen)),
        joint_seen=joint_confidence(observations, driven_joints, hands),
        expression=expression_from_blendshapes(observations.blendshapes, face_seen, neutral),
        gaze=gaze_from_blendshapes(observations.blendshapes, face_seen),
        picture=tensor(observations.image_size),
    )


def _skin_weighed(
    contour: Float[np.ndarray, "frames contour 2"],
    weight: Float[np.ndarray, "frames contour"],
    face: Float[np.ndarray, "frames landmarks 2"],
    face_seen: Bool[np.ndarray, "frames"],
) -> Float[np.ndarray, "frames contour"]:
    """Weights of outline points, raised where they run along cheeks and ears."""
    top, chin, eyes = face[:, FACE_TOP], face[:, FACE_BOTTOM], face[:, EYE_CORNERS].mean(axis=1)
    size = np.linalg.norm(top - chin, axis=-1).clip(1.0)[:, None]
    up = (top - chin) / size
    height = ((contour - chin[:, None]) * up[:, None]).sum(axis=-1)
    below_eyes = (height > 0.0) & (height < ((eyes - chin) * up).sum(axis=-1)[:, None])
    gap = np.linalg.norm(contour[:, :, None] - face[:, None, list(FACE_OVAL)], axis=-1).min(axis=-1)
    skin = below_eyes & (gap < SKIN_REACH * size) & face_seen[:, None]
    return weight * np.where(skin, SKIN_WEIGHT, 1.0)


def _outward(oval: Float[np.ndarray, "frames oval 2"]) -> Float[np.ndarray, "frames oval 2"]:
    """Unit normals of closed curves, pointing away from their middle."""
    along = np.roll(oval, -1, axis=1) - np.roll(oval, 1, axis=1)
    normal = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-6)
    outwards = ((oval - oval.mean(axis=1, keepdims=True)) * normal).sum(axis=-1, keepdims=True)
    return normal * np.where(outwards < 0.0, -1.0, 1.0)


def person_height(
    observations: ClipObservations, weight: Float[np.ndarray, "frames 33"]
) -> Float[np.ndarray, "frames"]:
    """Pixels that a standing adult would cover: right also when only a part of the person is in the picture.

    Pixels per metre come from the detector's skeletons in the picture and in 3D.
    """
    flat = np.nan_to_num(observations.body_points_world[..., :2])
    picture = np.nan_to_num(observations.body_points)
    total = weight.sum(axis=1).clip(1e-6)[:, None, None]

    def extent(points: np.ndarray) -> np.ndarray:
        middle = (points * weight[..., None]).sum(axis=1, keepdims=True) / total
        return np.sqrt((((points - middle) ** 2).sum(axis=-1) * weight).sum(axis=1))

    return ADULT_HEIGHT * extent(picture) / extent(flat).clip(1e-3)


def largest_part(mask: np.ndarray) -> Bool[np.ndarray, "height width"]:
    """The largest connected part of a mask (uint8, 255 = person)."""
    inside = (mask > 127).astype(np.uint8)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(inside)
    return labels == 1 + statistics[1:, cv2.CC_STAT_AREA].argmax() if count > 1 else inside.astype(bool)


def _silhouette(mask: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance to the mask [h, w], outline [CONTOUR_POINTS, 2] and its weights, in image pixels."""
    inside = largest_part(mask).astype(np.uint8)
    if not inside.any():  # nothing known: no pull in or out
        return np.zeros(mask.shape, np.float32), np.zeros((CONTOUR_POINTS, 2)), np.zeros(CONTOUR_POINTS)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) / scale
    outlines, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate([outline[:, 0] for outline in outlines])
    height, width = mask.shape
    border = (points <= 1).any(axis=1) | (points[:, 0] >= width - 2) | (points[:, 1] >= height - 2)
    points = points[~border]
    if len(points) == 0:
        return distance, np.zeros((CONTOUR_POINTS, 2)), np.zeros(CONTOUR_POINTS)
    chosen = points[np.linspace(0, len(points) - 1, CONTOUR_POINTS).astype(int)]
    return distance, (chosen + 0.5) / scale, np.ones(CONTOUR_POINTS)
