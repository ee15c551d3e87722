"""Where hands are likely to be in a picture between two pictures in which they were looked for."""

import numpy as np

from lca_dataparsers.processing.estimators.crops import HAND_LANDMARKS
from lca_dataparsers.processing.estimators.protocol import ExpectedHands
from lca_dataparsers.processing.observations import HAND_POINTS
from lca_shared.tensors import Float

Looked = tuple[int, Float[np.ndarray, "33 2"], Float[np.ndarray, "2 21 2"], Float[np.ndarray, "2"]]
"""Number of a picture, the body's points in it, the hands' (left, right; NaN = not seen), pixels, and their scores."""


def expected_hands(row: int, body: Float[np.ndarray, "33 2"], around: list[Looked]) -> ExpectedHands:
    """Hands in picture ``row``: those of the pictures ``around`` it, moved along with the wrist and weighed by their
    nearness; NaN for a hand that none of them has.
    """
    points, scores = np.full((2, HAND_POINTS, 2), np.nan, np.float32), np.zeros(2, np.float32)
    for side in (0, 1):
        seen = [
            (1.0 / abs(row - other), hands[side] + _anchor(body, side) - _anchor(there, side), sure[side])
            for other, there, hands, sure in around
            if np.isfinite(hands[side]).all()
        ]
        if seen:
            weight = np.array([nearness for nearness, _, _ in seen]) / sum(nearness for nearness, _, _ in seen)
            points[side] = np.tensordot(weight, np.stack([moved for _, moved, _ in seen]), axes=1)
            scores[side] = weight @ np.array([sure for _, _, sure in seen])
    return ExpectedHands(points, scores)


def _anchor(body: Float[np.ndarray, "33 2"], side: int) -> Float[np.ndarray, "2"]:
    """What a hand moves with: the middle of wrist, little finger's and index finger's root."""
    return body[list(HAND_LANDMARKS[side][1:])].mean(axis=0)
