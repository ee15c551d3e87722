"""Left and right of a person through a clip: a detector that looks at single pictures takes one for the other now and
then, mostly from behind.
"""

from dataclasses import replace

import numpy as np

from lca_dataparsers.processing.observations import BODY_POINTS, ClipObservations
from lca_shared.tensors import Bool, Float

SWAPPED: tuple[int, ...] = (
    *(0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9),
    *(partner for left in range(11, BODY_POINTS, 2) for partner in (left + 1, left)),
)
"""MediaPipe's body points with left and right exchanged."""
_LIMBS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Points that tell: shoulders to ankles."""
_DISBELIEF = 0.01
"""Cost of a frame taken for swapped, in heights of the person a limb point: as much as two jumps of a tenth of the
height spread over twenty frames."""
_LONGEST_STEP = 0.15
"""Seconds: frames farther apart are not compared."""


def untangled(observations: ClipObservations) -> tuple[ClipObservations, int]:
    """The same with left and right exchanged where that makes the motion smooth; and in how many frames it was.

    Frames of which it cannot be told, as when a person turns slowly, stay as they are.
    """
    swapped = swapped_frames(observations)
    if not swapped.any():
        return observations, 0
    changed = {}
    for name in ("body_points", "body_visibility", "body_points_world"):
        values = getattr(observations, name).copy()
        values[swapped] = values[swapped][:, SWAPPED]
        changed[name] = values
    return replace(observations, **changed), int(swapped.sum())


def swapped_frames(observations: ClipObservations) -> Bool[np.ndarray, "frames"]:
    """The cheapest way through the clip, each frame as it is or swapped (Viterbi)."""
    seen = np.flatnonzero(observations.seen)
    swapped = np.zeros(len(observations), bool)
    if len(seen) < 3:
        return swapped
    points = observations.body_points[seen]
    boxes = observations.person_boxes[seen]
    height = np.maximum((boxes[:, 2:] - boxes[:, :2]).max(axis=1), 1.0)
    weight = observations.body_visibility[seen][:, list(_LIMBS)]
    as_is, other = points[:, list(_LIMBS)], points[:, SWAPPED][:, list(_LIMBS)]
    stay, change = (
        _steps(as_is[:-1], after[1:], np.minimum(weight[1:], weight[:-1]), height[1:]) for after in (as_is, other)
    )
    apart = np.diff(observations.times[seen]) > _LONGEST_STEP
    stay[apart], change[apart] = 0.0, 0.0
    cost, back = np.array([0.0, _DISBELIEF]), []
    for same, turned in zip(stay, change):
        # distances do not change when both frames are swapped
        ways = cost[:, None] + np.array([[same, turned], [turned, same]])
        back.append(ways.argmin(axis=0))
        cost = ways.min(axis=0) + (0.0, _DISBELIEF)
    state = int(cost.argmin())
    for at in range(len(seen) - 1, -1, -1):
        swapped[seen[at]] = bool(state)
        if at:
            state = int(back[at - 1][state])
    return swapped


def _steps(
    before: Float[np.ndarray, "steps points 2"],
    after: Float[np.ndarray, "steps points 2"],
    weight: Float[np.ndarray, "steps points"],
    height: Float[np.ndarray, "steps"],
) -> Float[np.ndarray, "steps"]:
    """How far the points move, over the person's height."""
    moved = np.linalg.norm(after - before, axis=-1) * weight
    return moved.sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6) / height
