"""A contact sheet: labelled rows of square pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from lca_shared.tensors import Float, Tensor

LABEL_HEIGHT = 22
GAP = 6


@dataclass(frozen=True)
class Row:
    """One row: groups of pictures under the sheet's headings, and a line of text below."""

    groups: tuple[tuple[Float[Tensor, "3 h w"], ...], ...]
    caption: str = ""


def contact_sheet(headings: Sequence[str], rows: Sequence[Row], cell: int = 160) -> np.ndarray:
    """Draw the sheet.

    Args:
        headings: one for each group of a row.
        rows: pictures are sRGB 0..1 and are resized to ``cell`` pixels; a group is as wide as its longest in any row.

    Returns:
        uint8 [height, width, 3] RGB.

    Raises:
        ValueError: a row has another number of groups than there are headings.
    """
    if any(len(row.groups) != len(headings) for row in rows):
        raise ValueError(f"every row needs {len(headings)} groups: {', '.join(headings)}")
    widest = [max(len(row.groups[i]) for row in rows) for i in range(len(headings))]
    starts = np.cumsum([GAP] + [count * cell + 3 * GAP for count in widest])
    height = LABEL_HEIGHT + len(rows) * (cell + LABEL_HEIGHT) + GAP
    sheet = np.full((height, int(starts[-1]) - 2 * GAP, 3), 255, np.uint8)
    for heading, start in zip(headings, starts):
        _write(sheet, heading, int(start), LABEL_HEIGHT - 6)
    for index, row in enumerate(rows):
        top = LABEL_HEIGHT + index * (cell + LABEL_HEIGHT)
        for group, start in zip(row.groups, starts):
            for position, picture in enumerate(group):
                left = int(start) + position * cell
                sheet[top : top + cell, left : left + cell] = as_bytes(picture, cell)
        _write(sheet, row.caption, GAP, top + cell + LABEL_HEIGHT - 8)
    return sheet


def as_bytes(picture: Float[Tensor, "3 h w"], size: int | None = None) -> np.ndarray:
    """A picture as uint8 [height, width, 3] RGB, resized to a square of ``size`` if given."""
    values = picture.detach().cpu()
    if size is not None and values.shape[-2:] != (size, size):
        values = torch.nn.functional.interpolate(values[None], size=(size, size), mode="bilinear", antialias=True)[0]
    return (values.clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def _write(sheet: np.ndarray, text: str, left: int, baseline: int) -> None:
    cv2.putText(sheet, text, (left, baseline), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
