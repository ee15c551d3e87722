"""People through MediaPipe: body on the picture, then face and hands on crops, then the outline."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lca_dataparsers.processing.estimators.crops import (
    HAND_LANDMARKS,
    NOSE,
    SquareCrop,
    body_scale,
    hand_square,
    head_square,
    square_around,
)
from lca_dataparsers.processing.estimators.masks import fused_mask, mask_box
from lca_dataparsers.processing.estimators.mediapipe_models import as_mediapipe, load_models
from lca_dataparsers.processing.estimators.protocol import PersonDetails, Sighting
from lca_dataparsers.processing.observations import ARKIT_NAMES, FACE_POINTS, HAND_POINTS
from lca_shared.tensors import Float, UInt8

_SMALL_PERSON = 0.45
"""A person shorter than this share of the picture's long side is looked at again in a crop."""
_BODY_PICTURE = 640
"""Long side of the picture handed to the body model, pixels: a person that fills it still has all it looks at."""
_HEAD_CROP, _HAND_CROP = 384, 448
"""Largest sides of the crops handed to the face and hand models, pixels."""
_HAND_FACTORS = (2.0, 1.4)
"""Widths of hand crops in forearms; the second is tried where the first fails and the wrist is plain to see."""
_WRIST_SEEN, _WRIST_PLAIN = 0.3, 0.7
"""Visibility of the wrist from which a hand is looked for at all, and a second time."""
_NOSE_TIP = 1
"""Of the face points."""
_SIDES = ("Left", "Right")


class MediaPipeEstimator:
    """MediaPipe Tasks in image mode: every picture by itself, so that frames may be spread over threads.

    Args:
        model_dir: where to look for the ``.task`` files first.

    Raises:
        MissingWeightsError: a model file is neither on disk nor fetchable.
    """

    name = "mediapipe-0.10-2"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._models = load_models(model_dir)

    def close(self) -> None:
        """Free the models."""
        self._models.close()

    def people(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        height, width = image.shape[:2]
        found = self._bodies(image)
        for number, person in enumerate(found):
            size = person.box[2:] - person.box[:2]
            if size.max() < _SMALL_PERSON * max(width, height):
                found[number] = self._closer(image, person)
        return sorted(found, key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))

    def details(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool) -> PersonDetails:
        """Face, hands and outline of one person."""
        face_points, blendshapes, head = self._face(image, person)
        hands = [self._hand(image, person, side) for side in (0, 1)]
        mask = fused_mask(image, person.mask, person.box, self._portrait, alone)
        return PersonDetails(
            face_points=face_points,
            blendshapes=blendshapes,
            head_from_canonical=head,
            hand_points=np.stack([points for points, _ in hands]),
            hand_scores=np.array([score for _, score in hands], np.float32),
            mask=mask,
            box=mask_box(mask),
        )

    def _bodies(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        height, width = image.shape[:2]
        factor = min(1.0, _BODY_PICTURE / max(height, width))
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        seen = cv2.resize(image, small, interpolation=cv2.INTER_AREA) if factor < 1 else image
        result = self._models.pose.detect(as_mediapipe(seen))
        found = []
        for points, world, mask in zip(
            result.pose_landmarks, result.pose_world_landmarks, result.segmentation_masks or []
        ):
            pixels = np.array([[p.x * width, p.y * height] for p in points], np.float32)
            visibility = np.array([p.visibility for p in points], np.float32)
            soft = (np.clip(mask.numpy_view().reshape(small[1], small[0]), 0, 1) * 255).round().astype(np.uint8)
            found.append(
                Sighting(
                    points=pixels,
                    visibility=visibility,
                    points_world=np.array([[p.x, p.y, p.z] for p in world], np.float32),
                    mask=soft,
                    box=_person_box(soft, pixels, visibility, (width, height)),
                )
            )
        return found

    def _closer(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> Sighting:
        """The same person from a crop that they fill; as before if nobody is found there."""
        height, width = image.shape[:2]
        square = square_around(
            (person.box[:2] + person.box[2:]) / 2, 1.6 * float((person.box[2:] - person.box[:2]).max())
        )
        left, top = max(square.left, 0), max(square.top, 0)
        right, bottom = min(square.left + square.side, width), min(square.top + square.side, height)
        offset = np.array([left, top], np.float32)
        middle = np.nanmean(person.points, axis=0)
        found = self._bodies(image[top:bottom, left:right]) if right - left > 8 and bottom - top > 8 else []
        near = min(
            found, key=lambda other: float(np.linalg.norm(other.points.mean(axis=0) + offset - middle)), default=None
        )
        if near is None or np.linalg.norm(near.points.mean(axis=0) + offset - middle) > 0.3 * square.side:
            return person
        mask = np.zeros((height, width), np.uint8)
        mask[top:bottom, left:right] = cv2.resize(near.mask, (right - left, bottom - top))
        box = near.box + np.concatenate([offset, offset])
        return Sighting(near.points + offset, near.visibility, near.points_world, mask, box)

    def _face(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting
    ) -> tuple[Float[np.ndarray, "478 2"], Float[np.ndarray, "52"], Float[np.ndarray, "4 4"]]:
        unseen = (
            np.full((FACE_POINTS, 2), np.nan, np.float32),
            np.zeros(len(ARKIT_NAMES), np.float32),
            np.full((4, 4), np.nan, np.float32),
        )
        square = head_square(person.points)
        if not square.meets(image.shape[1], image.shape[0]):
            return unseen
        result = self._models.face.detect(as_mediapipe(square.cut(image, min(_HEAD_CROP, max(64, square.side)))))
        if not result.face_landmarks:
            return unseen
        points = square.to_picture(np.array([[p.x, p.y] for p in result.face_landmarks[0]], np.float32))
        # Another person's face, or a pattern taken for one, lies elsewhere than this body's nose.
        if np.linalg.norm(points[_NOSE_TIP] - person.points[NOSE]) > 0.6 * np.ptp(points, axis=0).max():
            return unseen
        scores = {shape.category_name: shape.score for shape in result.face_blendshapes[0]}
        blendshapes = np.array([scores.get(name, 0.0) for name in ARKIT_NAMES], np.float32)
        return points, blendshapes, np.asarray(result.facial_transformation_matrixes[0], np.float32)

    def _hand(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, side: int
    ) -> tuple[Float[np.ndarray, "21 2"], float]:
        """(points, score); NaN and 0 where this hand was not seen."""
        joint = HAND_LANDMARKS[side][1]
        wrist, visibility = person.points[joint], person.visibility[joint]
        height, width = image.shape[:2]
        if visibility >= _WRIST_SEEN and (wrist >= 0).all() and (wrist < [width, height]).all():
            for factor in _HAND_FACTORS[: 2 if visibility >= _WRIST_PLAIN else 1]:
                square = hand_square(person.points, side, factor)
                points, score = self._hand_in(image, square, wrist, side, 0.25 * body_scale(person.points))
                if score > 0:
                    return points, score
        return np.full((HAND_POINTS, 2), np.nan, np.float32), 0.0

    def _hand_in(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        square: SquareCrop,
        wrist: Float[np.ndarray, "2"],
        side: int,
        reach: float,
    ) -> tuple[Float[np.ndarray, "21 2"], float]:
        """The hand of the right side nearest to the body's wrist, if it is within ``reach`` pixels."""
        result = self._models.hand.detect(as_mediapipe(square.cut(image, min(_HAND_CROP, max(64, square.side)))))
        best, best_score, best_distance = np.full((HAND_POINTS, 2), np.nan, np.float32), 0.0, reach
        for points, labels in zip(result.hand_landmarks, result.handedness):
            pixels = square.to_picture(np.array([[p.x, p.y] for p in points], np.float32))
            distance = float(np.linalg.norm(pixels[0] - wrist))
            if labels[0].category_name == _SIDES[side] and distance < best_distance:
                best, best_score, best_distance = pixels, float(labels[0].score), distance
        return best, best_score

    def _portrait(self, square: Any) -> Float[np.ndarray, "size size"]:
        return self._models.portrait.segment(as_mediapipe(square)).confidence_masks[0].numpy_view().squeeze().copy()


def _person_box(
    mask: UInt8[np.ndarray, "h w"],
    points: Float[np.ndarray, "33 2"],
    visibility: Float[np.ndarray, "33"],
    size: tuple[int, int],
) -> Float[np.ndarray, "4"]:
    """Around the mask and the points that are seen, within the picture."""
    width, height = size
    box = mask_box(mask) * np.tile([width / mask.shape[1], height / mask.shape[0]], 2).astype(np.float32)
    seen = points[(visibility > 0.5) & (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)]
    if len(seen):
        low, high = np.fmin(box[:2], seen.min(axis=0)), np.fmax(box[2:], seen.max(axis=0))
        box = np.concatenate([low, high])
    return np.nan_to_num(box, nan=0.0).astype(np.float32)
