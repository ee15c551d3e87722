"""People through MediaPipe: body on the picture, then face and hands on crops, then the outline."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lca_dataparsers.processing.estimators.crops import (
    HAND_LANDMARKS,
    NOSE,
    body_scale,
    hand_square,
    head_square,
    square_around,
)
from lca_dataparsers.processing.estimators.masks import fused_mask, mask_box
from lca_dataparsers.processing.estimators.mediapipe_models import as_mediapipe, load_models
from lca_dataparsers.processing.estimators.protocol import PersonDetails, Sighting
from lca_dataparsers.processing.observations import ARKIT_NAMES, FACE_POINTS, HAND_POINTS
from lca_dataparsers.processing.timing import StepTimes
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

    name = "mediapipe-0.10-3"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._models = load_models(model_dir)
        self.times = StepTimes()

    def close(self) -> None:
        """Free the models."""
        self._models.close()

    def people(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        height, width = image.shape[:2]
        with self.times.step("bodies"):
            found = self._bodies(image)
            for number, person in enumerate(found):
                size = person.box[2:] - person.box[:2]
                if size.max() < _SMALL_PERSON * max(width, height):
                    found[number] = self._closer(image, person)
        return sorted(found, key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))

    def details(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool, hands: tuple[bool, bool] = (True, True)
    ) -> PersonDetails:
        """Face, hands and outline of one person."""
        with self.times.step("face"):
            face_points, blendshapes, head = self._face(image, person)
        with self.times.step("hands"):
            hand_points, hand_scores = self._hands(image, person, hands)
        with self.times.step("mask"):
            mask = fused_mask(image, person.mask, person.box, self._portrait, alone)
        return PersonDetails(
            face_points=face_points,
            blendshapes=blendshapes,
            head_from_canonical=head,
            hand_points=hand_points,
            hand_scores=hand_scores,
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

    def _hands(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, wanted: tuple[bool, bool]
    ) -> tuple[Float[np.ndarray, "2 21 2"], Float[np.ndarray, "2"]]:
        """(points, scores) of left and right hand; NaN and 0 where one was not seen."""
        points, scores = np.full((2, HAND_POINTS, 2), np.nan, np.float32), np.zeros(2, np.float32)
        for side in (0, 1):
            visibility = person.visibility[HAND_LANDMARKS[side][1]]
            for factor in _HAND_FACTORS[: 2 if visibility >= _WRIST_PLAIN else 1]:
                if not wanted[side] or scores[side] > 0 or not _wrist_seen(person, side, image):
                    break
                for found_side, (hand, score) in self._hands_in(image, person, side, factor).items():
                    # a crop around one hand often shows the other as well
                    if scores[found_side] == 0 and wanted[found_side] and _wrist_seen(person, found_side, image):
                        points[found_side], scores[found_side] = hand, score
        return points, scores

    def _hands_in(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, side: int, factor: float
    ) -> dict[int, tuple[Float[np.ndarray, "21 2"], float]]:
        """By side the hand of that side that is nearest to the body's wrist, if it is near, in the crop of ``side``."""
        square = hand_square(person.points, side, factor)
        result = self._models.hand.detect(as_mediapipe(square.cut(image, min(_HAND_CROP, max(64, square.side)))))
        found: dict[int, tuple[np.ndarray, float]] = {}
        reach = [0.25 * body_scale(person.points)] * 2
        for points, labels in zip(result.hand_landmarks, result.handedness):
            pixels = square.to_picture(np.array([[p.x, p.y] for p in points], np.float32))
            of = _SIDES.index(labels[0].category_name)
            distance = float(np.linalg.norm(pixels[0] - person.points[HAND_LANDMARKS[of][1]]))
            if distance < reach[of]:
                found[of], reach[of] = (pixels, float(labels[0].score)), distance
        return found

    def _portrait(self, square: Any) -> Float[np.ndarray, "size size"]:
        return self._models.portrait.segment(as_mediapipe(square)).confidence_masks[0].numpy_view().squeeze().copy()


def _wrist_seen(person: Sighting, side: int, image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether there is any use in looking for a hand."""
    joint = HAND_LANDMARKS[side][1]
    wrist = person.points[joint]
    inside = (wrist >= 0).all() and (wrist < [image.shape[1], image.shape[0]]).all()
    return bool(inside and person.visibility[joint] >= _WRIST_SEEN)


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
