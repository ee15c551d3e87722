"""A few pictures of what was left out, so that a person can see whether the filters are right."""

from pathlib import Path

import cv2
import numpy as np

from lca_shared.storage import atomic_path
from lca_shared.tensors import UInt8

MOST_SAMPLES = 3
"""Of each reason and clip."""
MOST_SHOWN = 6
"""Of each reason on the sheet."""
_HEIGHT = 180
"""Of the small pictures, pixels."""
SAMPLE_SIDE = 2 * _HEIGHT
"""Long side from which a picture has enough pixels to be made small."""
_LABEL = 26

Samples = dict[str, list[np.ndarray]]
"""Small pictures, uint8 [180, w, 3], by reason."""


def add_sample(samples: Samples, reason: str, image: UInt8[np.ndarray, "h w 3"]) -> None:
    """Keep a picture, unless there are enough of that reason."""
    kept = samples.setdefault(reason, [])
    if len(kept) < MOST_SAMPLES:
        width = max(1, min(4 * _HEIGHT, round(image.shape[1] * _HEIGHT / image.shape[0])))
        kept.append(cv2.resize(image, (width, _HEIGHT), interpolation=cv2.INTER_AREA))


def merge_samples(into: Samples, more: Samples) -> None:
    """Add ``more`` as far as the sheet can show them."""
    for reason, pictures in more.items():
        kept = into.setdefault(reason, [])
        kept += pictures[: MOST_SHOWN - len(kept)]


def write_samples(path: Path, samples: Samples, counts: dict[str, int]) -> None:
    """A sheet (JPEG) with a row per reason, the most frequent first."""
    rows = []
    for reason in sorted(samples, key=lambda name: -counts.get(name, 0)):
        pictures = np.hstack([np.pad(picture, ((0, 0), (0, 4), (0, 0))) for picture in samples[reason]])
        label = np.full((_LABEL, max(pictures.shape[1], 420), 3), 255, np.uint8)
        text = f"{reason}: {counts.get(reason, 0)} pictures"
        cv2.putText(label, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (0, 0, 0), 1, cv2.LINE_AA)
        rows += [label, pictures]
    width = max(row.shape[1] for row in rows)
    sheet = np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows])
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.ascontiguousarray(sheet[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 88])
