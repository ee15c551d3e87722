"""How the camera of a clip turns, read from the background: what moves with it, outside of the person.

One camera does not tell its turning from its own path through the world: all motion of the background is taken to be
turning about the camera's centre, as when a tripod pans or a hand shakes. A camera that walks beside a person comes
out as one that turns with them; pictures and bodies still fit each other exactly, only the way through the world is
another.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from lca_shared.tensors import Float, UInt8

GREY_SIDE = 320
"""Long side of the pictures in which the background is followed, pixels."""
MOST_CORNERS = 150
FEWEST_CORNERS = 12
"""Corners that must agree on one motion; a plain wall says nothing."""
AGREEING = 0.5
"""Share of the corners that must agree."""
_TOLERANCE = 1.0
"""Small pixels that a corner may be off the common motion."""
_MARGIN = 0.03
"""Of the long side, around the person: hair, shadows and what they hold move with them."""
STANDS = 0.01
"""Share of the picture's long side by which the background of a standing camera may seem to wander."""


def small_grey(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "small_h small_w"]:
    """The picture as the background is followed in it."""
    scale = min(1.0, GREY_SIDE / max(image.shape[:2]))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def background_step(
    before: UInt8[np.ndarray, "_ _"], now: UInt8[np.ndarray, "_ _"], person: UInt8[np.ndarray, "_ _"] | None
) -> Float[np.ndarray, "3"]:
    """How the background moved from one picture to the next.

    Args:
        before, now: from :func:`small_grey`, of the same clip.
        person: mask of the person in ``now``, of any size; None if nobody was seen.

    Returns:
        Right and down at the picture's middle, as shares of the long side, and the turn about it in radians, clockwise
        as one looks at the picture. NaN if too little of the background can be followed
        or the pictures differ in size.
    """
    unknown = np.full(3, np.nan)
    if before.shape != now.shape:
        return unknown
    height, width = now.shape
    free = np.full(now.shape, 255, np.uint8)
    if person is not None:
        reach = 2 * round(_MARGIN * max(now.shape)) + 1
        near = cv2.dilate(cv2.resize(person, (width, height), interpolation=cv2.INTER_AREA), np.ones((reach, reach)))
        free[near > 32] = 0
    corners = cv2.goodFeaturesToTrack(now, MOST_CORNERS, 0.02, 6, mask=free)
    if corners is None or len(corners) < FEWEST_CORNERS:
        return unknown
    there, found, _ = cv2.calcOpticalFlowPyrLK(now, before, corners, None, winSize=(15, 15), maxLevel=3)  # type: ignore[call-overload]
    kept = found[:, 0] > 0
    if kept.sum() < FEWEST_CORNERS:
        return unknown
    middle = np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
    # all eight degrees of a homography: where a camera turns, the edges of its picture move further than the middle
    motion, agreeing = cv2.findHomography(
        there[kept, 0] - middle, corners[kept, 0] - middle, cv2.RANSAC, ransacReprojThreshold=_TOLERANCE
    )
    if motion is None or agreeing.sum() < max(FEWEST_CORNERS, AGREEING * len(corners)):
        return unknown
    moved = motion[:2, 2] / motion[2, 2]
    slope = motion[:2, :2] / motion[2, 2] - np.outer(moved, motion[2, :2] / motion[2, 2])  # at the middle
    roll = np.arctan2(slope[1, 0] - slope[0, 1], slope[0, 0] + slope[1, 1])
    return np.array([*moved / max(now.shape), roll])


def background_path(
    before: UInt8[np.ndarray, "_ _"] | None,
    pictures: Sequence[UInt8[np.ndarray, "_ _"]],
    people: Sequence[UInt8[np.ndarray, "_ _"] | None],
) -> Float[np.ndarray, "pictures 3"]:
    """How far the background has moved since the picture ``before``, for the pictures that follow it.

    Each is held against ``before``, so that small errors do not add up, and only where too little is left of its
    background against its neighbour. Where nothing can be followed, nothing is taken to have moved.

    Args:
        before: from :func:`small_grey`; None if there is none, and the first picture takes its place.
        pictures: from :func:`small_grey`, in order.
        people: masks of the person in each; None where nobody was seen.
    """
    path = np.zeros((len(pictures), 3))
    key, last, so_far = before, before, np.zeros(3)
    for row, (picture, person) in enumerate(zip(pictures, people, strict=True)):
        if key is not None and last is not None:
            moved = background_step(key, picture, person)
            if not np.isfinite(moved).all():
                moved = so_far + np.nan_to_num(background_step(last, picture, person))
            so_far = moved
        key, last = picture if key is None else key, picture
        path[row] = so_far
    return path


class BackgroundFollower:
    """The background's path through a clip that comes in pieces.

    Args:
        so_far: how far it has moved up to the picture before the next piece.
    """

    def __init__(self, so_far: Float[np.ndarray, "3"]) -> None:
        self._so_far = so_far.astype(np.float64)
        self._before: np.ndarray | None = None

    def begin(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """The picture before the next piece."""
        self._before = small_grey(image)

    def follow(
        self, images: Sequence[UInt8[np.ndarray, "_ _ 3"]], people: Sequence[UInt8[np.ndarray, "_ _"] | None]
    ) -> Float[np.ndarray, "pictures 3"]:
        """The path at the pictures of the next piece; ``people`` as in :func:`background_path`."""
        greys = [small_grey(image) for image in images]
        path = self._so_far + background_path(self._before, greys, people)
        self._before, self._so_far = greys[-1], path[-1].astype(np.float32).astype(np.float64)  # as it is kept
        return path


def steadied(path: Float[np.ndarray, "frames 3"]) -> Float[np.ndarray, "frames 3"]:
    """The background's path, or none at all (zeros) if it wanders no more than that of a standing camera."""
    extent = np.ptp(path, axis=0) if len(path) else np.zeros(3)
    return np.zeros_like(path) if max(extent) < STANDS else path


def camera_turns(path: Float[np.ndarray, "frames 3"], focal: float, long_side: int) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations ``camera_from_first``: from the axes of the first frame's camera (x right, y down, z away) to each's.

    Args:
        path: sums of the steps of :func:`background_step` up to each frame.
        focal: pixels.
        long_side: of the pictures ``focal`` refers to, pixels.
    """
    turns, turn = np.tile(np.eye(3), (len(path), 1, 1)), np.eye(3)
    share = long_side / focal
    for frame, (right, down, roll) in enumerate(np.diff(path.astype(np.float64), axis=0), start=1):
        # what the camera sees at its middle, (0, 0, 1), goes to the right if its axes turn about y
        turn = cv2.Rodrigues(np.array([-down * share, right * share, roll]))[0] @ turn
        turns[frame] = turn
    return turns
