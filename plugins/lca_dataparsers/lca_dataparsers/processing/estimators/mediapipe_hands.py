"""Hands through MediaPipe."""

from pathlib import Path

import numpy as np

from lca_dataparsers.processing.estimators.crops import HAND_LANDMARKS, body_scale, hand_square
from lca_dataparsers.processing.estimators.mediapipe_models import as_mediapipe, load_hands
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_dataparsers.processing.observations import HAND_POINTS
from lca_shared.tensors import Float, UInt8

_HAND_CROP = 448
"""Largest side of the crops handed to the model, pixels."""
_HAND_FACTORS = (2.0, 1.4)
"""Widths of hand crops in forearms; the second is tried where the first fails and the wrist is plain to see."""
_WRIST_SEEN, _WRIST_PLAIN = 0.3, 0.7
"""Visibility of the wrist from which a hand is looked for at all, and a second time."""
_SIDES = ("Left", "Right")


class MediaPipeHands:
    """MediaPipe's hand landmarker on crops around the wrists.

    Args:
        model_dir: where to look for the ``.task`` file first.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-hands-0.10-3"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._model = load_hands(model_dir)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def hands(
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
        result = self._model.detect(as_mediapipe(square.cut(image, min(_HAND_CROP, max(64, square.side)))))
        found: dict[int, tuple[np.ndarray, float]] = {}
        reach = [0.25 * body_scale(person.points)] * 2
        for points, labels in zip(result.hand_landmarks, result.handedness):
            pixels = square.to_picture(np.array([[p.x, p.y] for p in points], np.float32))
            of = _SIDES.index(labels[0].category_name)
            distance = float(np.linalg.norm(pixels[0] - person.points[HAND_LANDMARKS[of][1]]))
            if distance < reach[of]:
                found[of], reach[of] = (pixels, float(labels[0].score)), distance
        return found


def _wrist_seen(person: Sighting, side: int, image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether there is any use in looking for a hand."""
    joint = HAND_LANDMARKS[side][1]
    wrist = person.points[joint]
    inside = (wrist >= 0).all() and (wrist < [image.shape[1], image.shape[0]]).all()
    return bool(inside and person.visibility[joint] >= _WRIST_SEEN)
