"""What is noted about each picture beside the detections, and the reasons for leaving one out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from lca_shared.tensors import Float, UInt8

BLANK, NO_PERSON, TOO_SMALL, OUT_OF_FRAME, BLURRED = "blank frame", "no person", "too small", "out of frame", "blurred"

_BLANK_DEVIATION = 4.0
"""Grey levels: a picture with less contrast shows nothing."""
_FEWEST_POINTS = 5
"""Body points that must be seen within the picture; a head alone has eleven."""
_BLUR_SHARE = 0.12
"""Of the clip's median sharpness."""
_SHARPNESS_SIDE = 256


@dataclass(frozen=True)
class FrameNote:
    """One picture of the source."""

    index: int
    """In the source."""
    time: float
    """Seconds."""
    name: str
    """File name of a photo; empty in a video."""
    width: int
    """Of the stored picture."""
    height: int
    focal: float | None
    """From metadata, pixels of the stored picture."""
    people: int
    """How many were seen."""
    sharpness: float
    """Variance of the Laplacian around the person at a fixed size; 0 where nobody was seen."""
    change: float
    """Mean difference of a pixel to the picture before, grey levels; 255 for a clip's first."""
    refused: str
    """Why nothing was made of it; empty if something was."""


def is_blank(image: UInt8[np.ndarray, "h w 3"]) -> bool:
    """Whether there is nothing in the picture: one colour."""
    _, deviation = cv2.meanStdDev(np.ascontiguousarray(image[::4, ::4]))
    return float(deviation.max()) < _BLANK_DEVIATION


def refused_person(
    box: Float[np.ndarray, "4"],
    points: Float[np.ndarray, "33 2"],
    visibility: Float[np.ndarray, "33"],
    size: tuple[int, int],
    smallest: int,
) -> str:
    """Why a person found cannot be used; empty if they can. ``smallest``: long side of the box, pixels."""
    if not np.isfinite(box).all():
        return NO_PERSON
    if (box[2:] - box[:2]).max() < smallest:
        return TOO_SMALL
    inside = (points >= 0).all(axis=1) & (points < np.array(size)).all(axis=1)
    return OUT_OF_FRAME if (inside & (visibility > 0.5)).sum() < _FEWEST_POINTS else ""


def sharpness(image: UInt8[np.ndarray, "h w 3"], box: Float[np.ndarray, "4"]) -> float:
    """Variance of the Laplacian of a person's surroundings brought to one size: small when blurred."""
    left, top = np.floor(box[:2]).astype(int).clip(0)
    right, bottom = np.ceil(box[2:]).astype(int)
    part = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY)
    scale = _SHARPNESS_SIDE / max(part.shape)
    small = cv2.resize(part, [max(1, round(side * scale)) for side in part.shape[::-1]], interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(small, cv2.CV_32F).var())


def blurred(notes: list[FrameNote]) -> list[bool]:
    """Which pictures of a clip are far less sharp than the clip's median."""
    seen = [note.sharpness for note in notes if not note.refused]
    limit = _BLUR_SHARE * float(np.median(seen)) if len(seen) >= 10 else 0.0
    return [not note.refused and note.sharpness < limit for note in notes]


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How many for each reason, most frequent first; empty ones are not counted."""
    return dict(Counter(reason for reason in reasons if reason).most_common())
