"""Hands through MediaPipe."""

from pathlib import Path

import numpy as np

from lca_dataparsers.processing.estimators.crops import HAND_LANDMARKS, body_scale, hand_square, square_around
from lca_dataparsers.processing.estimators.mediapipe_models import load_hand_points, load_hands
from lca_dataparsers.processing.estimators.mediapipe_packets import (
    landmark_list,
    landmark_lists,
    score_list,
    score_lists,
)
from lca_dataparsers.processing.estimators.protocol import ExpectedHands, Sighting
from lca_dataparsers.processing.observations import HAND_POINTS
from lca_shared.tensors import Float, UInt8

_HAND_CROP = 448
"""Largest side of the crops handed to the model, pixels."""
_HAND_FACTORS = (2.0, 1.4)
"""Widths of hand crops in forearms; the second is tried where the first fails and the wrist is plain to see."""
_WRIST_SEEN, _WRIST_PLAIN = 0.3, 0.7
"""Visibility of the wrist from which a hand is looked for at all, and a second time."""
_SIDES = ("Left", "Right")
_REACH, _REACH_OF_HAND = 0.06, 0.6
"""Of the trunk's length, and of the hand's from wrist to middle finger: how far from the body's wrist a hand may begin.
The fit believes no other (``accepted_hands``)."""
_NEARLY = 1.3
"""Times as far, and a hand is still followed: in the next picture it may be nearer. Sleeves taken for hands, and hands
seen the wrong way round, begin farther off."""
_ROOT, _MIDDLE, _KNUCKLES = 0, 9, (5, 9, 13)
"""Wrist, and where index, middle and ring finger begin: they give a hand's direction."""
_PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)
"""Points whose extent gives a hand's place: no finger's outer half."""
_ROOM, _FORWARD = 2.3, 0.1
"""Side of a hand's square over that extent, and how far it is moved towards the fingers. MediaPipe has 2 and 0.1; of 17
hands found by their palms, 14 were found again with 2, 16 with 2.3, 12 with 3."""
_SURE = 0.8
"""Probability from which a followed hand is taken for the other one."""


class MediaPipeHands:
    """MediaPipe's hand landmarker on crops around the wrists.

    Args:
        model_dir: where to look for the ``.task`` file first.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-hands-0.10-5"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._model, self._points = load_hands(model_dir), load_hand_points(model_dir)

    def close(self) -> None:
        """Free the models."""
        self._model.close()
        self._points.close()

    def hands(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        person: Sighting,
        wanted: tuple[bool, bool],
        expected: ExpectedHands | None = None,
    ) -> tuple[Float[np.ndarray, "2 21 2"], Float[np.ndarray, "2"]]:
        """(points, scores) of left and right hand; NaN and 0 where one was not seen."""
        points, scores = np.full((2, HAND_POINTS, 2), np.nan, np.float32), np.zeros(2, np.float32)
        for side in (0, 1):
            if expected is None or not wanted[side] or not np.isfinite(expected.points[side]).all():
                continue
            if _wrist_seen(person, side, image):
                found = self._followed(image, person, side, expected.points[side])
                if found is not None:
                    points[side], scores[side] = found[0], max(found[1], expected.scores[side])
        for side in (0, 1):  # one that was not where it was expected is looked for
            visibility = person.visibility[HAND_LANDMARKS[side][1]]
            for factor in _HAND_FACTORS[: 2 if visibility >= _WRIST_PLAIN else 1]:
                if not wanted[side] or scores[side] > 0 or not _wrist_seen(person, side, image):
                    break
                for found_side, (hand, score) in self._hands_in(image, person, side, factor).items():
                    # a crop around one hand often shows the other as well
                    if scores[found_side] == 0 and wanted[found_side] and _wrist_seen(person, found_side, image):
                        points[found_side], scores[found_side] = hand, score
        return points, scores

    def _followed(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, side: int, expected: Float[np.ndarray, "21 2"]
    ) -> tuple[Float[np.ndarray, "21 2"], float] | None:
        """Points of the hand near ``expected`` (pixels) and how sure its side is, unless it is not there or surely the
        other one.

        The network tells the sides less well by this square than by the one around a palm that was looked for.
        """
        center, length, turned = hand_place(expected)
        square = square_around(center, 1.5 * length)  # whichever way it is turned, it is in there
        if not square.meets(image.shape[1], image.shape[0]):
            return None
        x, y = (center - (square.left, square.top)) / square.side
        share = length / square.side
        cut = square.cut(image, min(_HAND_CROP, max(64, square.side)))
        found = self._points.run(cut, (float(x), float(y), share, share, turned))
        if "LANDMARKS" not in found or "HANDEDNESS" not in found:
            return None
        points = square.to_picture(landmark_list(found["LANDMARKS"])[:, :2])
        label, score = max(score_list(found["HANDEDNESS"]).items(), key=lambda one: one[1])
        right = label == _SIDES[side]
        if (not right and score > _SURE) or _off(points, person, side) > _NEARLY:
            return None
        return points, score if right else 0.0

    def _hands_in(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, side: int, factor: float
    ) -> dict[int, tuple[Float[np.ndarray, "21 2"], float]]:
        """By side the hand of that side that is nearest to the body's wrist, if it is near, in the crop of ``side``."""
        square = hand_square(person.points, side, factor)
        packets = self._model.run(square.cut(image, min(_HAND_CROP, max(64, square.side))))
        if "LANDMARKS" not in packets:
            return {}
        found: dict[int, tuple[np.ndarray, float]] = {}
        reach = [_NEARLY, _NEARLY]
        for points, labels in zip(landmark_lists(packets["LANDMARKS"]), score_lists(packets["HANDEDNESS"])):
            pixels = square.to_picture(points[:, :2])
            label, score = max(labels.items(), key=lambda one: one[1])
            of = _SIDES.index(label)
            distance = _off(pixels, person, of)
            if distance < reach[of]:
                found[of], reach[of] = (pixels, score), distance
        return found


def hand_place(points: Float[np.ndarray, "21 2"]) -> tuple[Float[np.ndarray, "2"], float, float]:
    """Middle and side (pixels) and rotation (radians) of the square in which MediaPipe looks for a hand's points, from
    where they were in the picture before: ``HandLandmarksToRectCalculator`` and ``RectTransformationCalculator``.
    """
    ahead = 0.25 * points[_KNUCKLES[0]] + 0.5 * points[_KNUCKLES[1]] + 0.25 * points[_KNUCKLES[2]] - points[_ROOT]
    turned = float(np.arctan2(ahead[0], -ahead[1]))
    along, across = np.array([np.cos(turned), np.sin(turned)]), np.array([-np.sin(turned), np.cos(turned)])
    axes = np.stack([along, across])
    upright = points[list(_PALM)] @ axes.T
    low, high = upright.min(axis=0), upright.max(axis=0)
    middle = (low + high) / 2 - (0.0, _FORWARD * (high - low)[1])
    return (middle @ axes).astype(np.float32), _ROOM * float((high - low).max()), turned


def _off(points: Float[np.ndarray, "21 2"], person: Sighting, side: int) -> float:
    """How far from the body's wrist a hand begins; 1 = as far as it may."""
    palm = float(np.linalg.norm(points[_MIDDLE] - points[_ROOT]))
    off = float(np.linalg.norm(points[_ROOT] - person.points[HAND_LANDMARKS[side][1]]))
    return off / (_REACH * body_scale(person.points) + _REACH_OF_HAND * palm)


def _wrist_seen(person: Sighting, side: int, image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether there is any use in looking for a hand."""
    joint = HAND_LANDMARKS[side][1]
    wrist = person.points[joint]
    inside = (wrist >= 0).all() and (wrist < [image.shape[1], image.shape[0]]).all()
    return bool(inside and person.visibility[joint] >= _WRIST_SEEN)
