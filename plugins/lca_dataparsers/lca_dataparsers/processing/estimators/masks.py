"""A person's mask from two detectors that fail in different places."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lca_dataparsers.processing.estimators.crops import square_around
from lca_shared.tensors import Float, Shaped, UInt8

SEGMENTER_SIZE = 256
"""Side of the square that the portrait segmenter looks at, pixels."""
_TALL = 1.4
"""Height over width from which a person is also looked at in two halves, for twice the resolution."""
_PORTRAIT_SHARE = 0.4
_EDGE_GAIN = 2.0
_CONFIDENT = 4.0
"""Cap on a detector's log-odds, so that one cannot outvote the other by claiming to be certain."""
_SMALLEST_PART = 0.02
_FAINT = 95
"""Values up to this hardly show once the edge is steepened."""

_WORKING_SIDE = 448
"""Long side of the grid on which the detectors' answers are brought together."""
_STEEPER = np.clip((np.arange(256) - 127.5) * _EDGE_GAIN + 127.5, 0, 255).round().astype(np.uint8)

Segmenter = Callable[[UInt8[np.ndarray, "size size 3"]], Float[np.ndarray, "size size"]]
"""Probability of a person per pixel of a square picture of :data:`SEGMENTER_SIZE`."""


@dataclass(frozen=True)
class Grid:
    """A part of the picture, sampled every ``step_x``, ``step_y`` pixels."""

    left: int
    top: int
    step_x: float
    step_y: float
    width: int
    height: int

    def sample(
        self, answer: Shaped[np.ndarray, "ah aw"], corner: Shaped[np.ndarray, "2"], scale: float
    ) -> Shaped[np.ndarray, "gh gw"]:
        """Something with a pixel every ``scale`` pixels of the picture from ``corner`` on; 0 outside of it."""
        # pixel centres are at +0.5 in both grids
        step = np.array([self.step_x, self.step_y])
        shift = (np.array([self.left, self.top]) + 0.5 * step - corner) / scale - 0.5
        matrix = np.column_stack([np.diag(step / scale), shift])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(answer, matrix, (self.width, self.height), flags=flags, borderMode=cv2.BORDER_CONSTANT)


def fused_mask(
    image: UInt8[np.ndarray, "h w 3"],
    body_mask: UInt8[np.ndarray, "mh mw"],
    box: Float[np.ndarray, "4"],
    portrait: Segmenter,
    alone: bool,
) -> UInt8[np.ndarray, "h w"]:
    """The person's mask with crisp edges.

    The body detector's mask knows which person and finds all limbs, but is soft; the portrait segmenter is sharp at
    hair and close-ups, but takes walls for people. Their log-odds are averaged, then the edge is steepened.

    Args:
        image: sRGB.
        body_mask: of the body detector, 255 = person; of the whole picture, at any resolution.
        box: left, top, right, bottom of the person, pixels of the image.
        portrait: the portrait segmenter.
        alone: nobody else is in the picture; otherwise what the body detector does not claim is left out.
    """
    height, width = image.shape[:2]
    size = box[2:] - box[:2]
    margin = 0.06 * size.max() + 4
    left, top = (max(int(low), 0) for low in np.floor(box[:2] - margin))
    right, bottom = (min(int(high), side) for high, side in zip(np.ceil(box[2:] + margin), (width, height)))
    if right <= left or bottom <= top:
        return np.zeros((height, width), np.uint8)
    # The detectors see no more detail than this, so the odds are worked out on a coarser grid and then enlarged.
    factor = min(1.0, _WORKING_SIDE / max(right - left, bottom - top))
    columns, rows = (max(1, round(length * factor)) for length in (right - left, bottom - top))
    grid = Grid(left, top, (right - left) / columns, (bottom - top) / rows, columns, rows)
    if size[1] > _TALL * size[0]:
        sharp = _in_halves(image, box, portrait, grid)
    else:
        sharp = _looked_at(image, box, portrait, grid)
    body = grid.sample(body_mask, np.zeros(2), width / body_mask.shape[1])
    odds = cv2.addWeighted(_BODY_ODDS[body], 1 - _PORTRAIT_SHARE, _log_odds(sharp), _PORTRAIT_SHARE, 0)
    if not alone:
        near = max(3, round(0.02 * _WORKING_SIDE)) | 1
        odds = np.where(cv2.dilate(body, np.ones((near, near))) > 0.3 * 255, odds, np.float32(-_CONFIDENT))
    soft = without_islands((255 / (1 + cv2.exp(-odds))).astype(np.uint8), _FAINT)
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = cv2.LUT(cv2.resize(soft, (right - left, bottom - top)), _STEEPER)
    return mask


def without_islands(mask: UInt8[np.ndarray, "h w"], above: int = 64) -> UInt8[np.ndarray, "h w"]:
    """The mask without parts (of values over ``above``) that are small beside the largest one."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats((mask > above).astype(np.uint8))
    areas = statistics[:, cv2.CC_STAT_AREA].astype(float)
    areas[0] = 0
    if count < 2:
        return np.zeros_like(mask)
    kept = areas >= _SMALLEST_PART * areas.max()
    if kept[1:].all():
        return mask
    # soft pixels around a part that stays, stay
    near = cv2.dilate(kept[labels].astype(np.uint8), np.ones((5, 5)))
    return mask * near


def mask_box(mask: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "4"]:
    """left, top, right, bottom of the pixels above one half; NaN where there are none."""
    inside = mask > 127
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if len(rows) == 0:
        return np.full(4, np.nan, np.float32)
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def _log_odds(probability: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    limit = 1 / (1 + np.exp(_CONFIDENT))
    clipped = np.clip(probability, limit, 1 - limit, dtype=np.float32)
    return cv2.log(clipped / (1 - clipped))


_BODY_ODDS = _log_odds(np.arange(256, dtype=np.float32)[None] / 255)[0]
"""Log-odds of the body detector's 8-bit mask."""


def _looked_at(
    image: UInt8[np.ndarray, "h w 3"], box: Float[np.ndarray, "4"], portrait: Segmenter, grid: Grid
) -> Float[np.ndarray, "gh gw"]:
    """The segmenter's answer for the square around ``box`` on the grid; 0 outside the square."""
    square = square_around((box[:2] + box[2:]) / 2, 1.15 * float((box[2:] - box[:2]).max()))
    answer = portrait(square.cut(image, SEGMENTER_SIZE))
    return grid.sample(answer, np.array([square.left, square.top]), square.side / SEGMENTER_SIZE)


def _in_halves(
    image: UInt8[np.ndarray, "h w 3"], box: Float[np.ndarray, "4"], portrait: Segmenter, grid: Grid
) -> Float[np.ndarray, "gh gw"]:
    """Upper and lower half looked at apart and blended over the tenth in the middle."""
    upper, lower = box.copy(), box.copy()
    height = box[3] - box[1]
    upper[3], lower[1] = box[1] + 0.55 * height, box[1] + 0.45 * height
    rows = grid.top + (np.arange(grid.height, dtype=np.float32)[:, None] + 0.5) * grid.step_y
    share = np.clip((rows - lower[1]) / (0.1 * height), 0, 1).astype(np.float32)
    above, below = (_looked_at(image, half, portrait, grid) for half in (upper, lower))
    return above * (1 - share) + below * share
