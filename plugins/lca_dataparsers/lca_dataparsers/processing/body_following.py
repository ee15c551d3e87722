"""Where a person is likely to be in a picture between two pictures in which people were looked for."""

import numpy as np

from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float

_APART = 0.4
"""Of the smaller place's side: how far the person may have moved between the two pictures."""
_GROWN = 1.5
"""How much larger one place may be than the other."""


def expected_place(
    row: int, before: tuple[int, list[Sighting]], after: tuple[int, list[Sighting]]
) -> Float[np.ndarray, "4"] | None:
    """The place (see :class:`Sighting`) in picture ``row`` of one who is alone ``before`` and ``after`` it.

    None if they are not alone in both, or moved so far between them that it may be somebody else: then everybody has to
    be looked for.

    Args:
        row: number of the picture.
        before: number of an earlier picture, and who is in it.
        after: likewise of a later one.
    """
    (first, there), (last, here) = before, after
    if len(there) != 1 or len(here) != 1:
        return None
    start, end = there[0].place, here[0].place
    if start is None or end is None:
        return None
    small, large = sorted([float(start[2]), float(end[2])])
    if np.linalg.norm(end[:2] - start[:2]) > _APART * small or large > _GROWN * small:
        return None
    step = end - start
    step[3] = (step[3] + np.pi) % (2 * np.pi) - np.pi
    return (start + (row - first) / (last - first) * step).astype(np.float32)
