"""Square crops around parts of a person, and the way back to the picture."""

from dataclasses import dataclass

import cv2
import numpy as np

from lca_shared.tensors import Float, UInt8

NOSE, LEFT_EAR, RIGHT_EAR = 0, 7, 8
LEFT_SHOULDER, RIGHT_SHOULDER, LEFT_HIP, RIGHT_HIP = 11, 12, 23, 24
HAND_LANDMARKS = ((13, 15, 17, 19), (14, 16, 18, 20))
"""(elbow, wrist, little finger, index finger) of the left and the right arm, in MediaPipe's body points."""


@dataclass(frozen=True)
class SquareCrop:
    """A square of the picture with whole-pixel corners; it may leave the picture."""

    left: int
    top: int
    side: int

    def cut(self, image: UInt8[np.ndarray, "h w *channels"], size: int) -> UInt8[np.ndarray, "..."]:
        """The square resampled to ``size`` x ``size``; edge pixels are repeated outside the picture."""
        right, bottom = self.left + self.side, self.top + self.side
        inner = image[max(self.top, 0) : max(bottom, 0), max(self.left, 0) : max(right, 0)]
        if inner.size == 0:
            return np.zeros((size, size, *image.shape[2:]), np.uint8)
        # The part inside is resampled before the rest is filled in: that keeps far-off squares cheap.
        scale = size / self.side
        part_size = [max(1, min(size, round(length * scale))) for length in (inner.shape[1], inner.shape[0])]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        part = cv2.resize(inner, part_size, interpolation=method)
        before = [
            min(size - length, round(max(-start, 0) * scale)) for length, start in zip(part_size, (self.left, self.top))
        ]
        after = [size - length - first for length, first in zip(part_size, before)]
        return cv2.copyMakeBorder(part, before[1], after[1], before[0], after[0], cv2.BORDER_REPLICATE)

    def to_picture(self, points: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points 2"]:
        """Positions in the crop, 0..1, in pixels of the picture."""
        return np.asarray(points, np.float32) * self.side + np.array([self.left, self.top], np.float32)

    def meets(self, width: int, height: int) -> bool:
        """Whether some of it lies in a picture of that size."""
        return self.left < width and self.top < height and self.left + self.side > 0 and self.top + self.side > 0


def square_around(center: Float[np.ndarray, "2"], side: float) -> SquareCrop:
    """The square with that middle and side (at least 8 pixels)."""
    length = max(8, round(float(side)))
    return SquareCrop(round(float(center[0]) - length / 2), round(float(center[1]) - length / 2), length)


def body_scale(points: Float[np.ndarray, "33 2"]) -> float:
    """Length of the trunk in pixels, or of what stands for it when a person is seen from the side or close up."""
    shoulders, hips = points[[LEFT_SHOULDER, RIGHT_SHOULDER]], points[[LEFT_HIP, RIGHT_HIP]]
    trunk = np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0))
    return float(max(trunk, np.linalg.norm(shoulders[0] - shoulders[1]), 1.0))


def head_square(points: Float[np.ndarray, "33 2"]) -> SquareCrop:
    """A square around the head with room on all sides."""
    face = points[:11]
    shoulders = np.linalg.norm(points[LEFT_SHOULDER] - points[RIGHT_SHOULDER])
    ears = np.linalg.norm(points[LEFT_EAR] - points[RIGHT_EAR])
    side = float(max(2.6 * ears, 0.9 * shoulders, 2.2 * np.ptp(face, axis=0).max(), 0.35 * body_scale(points)))
    return square_around(face.mean(axis=0), side)


def hand_square(points: Float[np.ndarray, "33 2"], side: int, factor: float) -> SquareCrop:
    """A square around a hand, ``factor`` forearms wide. ``side``: 0 = left, 1 = right.

    A palm detector wants to see the hand with its arm: with two forearms it found twice as many as with one.
    """
    elbow, wrist, little, index = points[list(HAND_LANDMARKS[side])]
    forearm = max(float(np.linalg.norm(wrist - elbow)), 0.45 * body_scale(points))
    center = 0.5 * wrist + 0.25 * little + 0.25 * index + 0.15 * (wrist - elbow)
    return square_around(center, factor * forearm)
