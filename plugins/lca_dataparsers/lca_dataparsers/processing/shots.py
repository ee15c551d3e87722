"""Cuts of a video: where one camera's view ends and another begins."""

import itertools

import numpy as np

from lca_dataparsers.processing.decode import Source
from lca_dataparsers.processing.video import Span, VideoFile
from lca_shared.tensors import Float, UInt8

THUMBNAIL = (32, 32)
"""(width, height) of the pictures that are compared."""
_BINS = 8
_COLOURS_CHANGE = 0.25
"""Share of the pixels whose colour is not found in the other picture, from which there may be a cut."""
_PIXELS_CHANGE = 0.08
"""Mean change of a pixel, 0..1, from which there may be a cut."""
_ABOVE_NEIGHBOURS = 2.5
"""How much larger a cut's change is than any change around it: motion and flicker last longer than one frame."""
_AROUND = 6


def find_shots(source: Source) -> list[Span]:
    """The shots of a video, in order: every frame is in one. Dissolves are not found.

    Raises:
        UserError: the video cannot be read.
    """
    video = VideoFile(source.files[0])
    most = source.max_frames if source.fps is None else None
    times, pictures = [], []
    for time, picture in video.thumbnails(*THUMBNAIL):
        if most is not None and len(times) == most:
            break
        times.append(time)
        pictures.append(picture)
    if not times:
        return []
    bounds = [0, *cuts(np.stack(pictures)), len(times)]
    ends = [*times, np.inf if most is None else times[-1] + 1e-3]
    return [
        Span(times[start], float(ends[end]), start, video.origin, end - start)
        for start, end in itertools.pairwise(bounds)
    ]


def cuts(pictures: UInt8[np.ndarray, "frames h w 3"]) -> list[int]:
    """Indices of the frames with which a new shot begins."""
    colours, pixels = changes(pictures)
    found = []
    for at in range(len(colours)):
        if colours[at] < _COLOURS_CHANGE or pixels[at] < _PIXELS_CHANGE:
            continue
        around = np.concatenate([pixels[max(0, at - _AROUND) : at], pixels[at + 1 : at + 1 + _AROUND]])
        if len(around) == 0 or pixels[at] > _ABOVE_NEIGHBOURS * np.quantile(around, 0.8):
            found.append(at + 1)
    return found


def changes(
    pictures: UInt8[np.ndarray, "frames h w 3"],
) -> tuple[Float[np.ndarray, "steps"], Float[np.ndarray, "steps"]]:
    """Between neighbouring frames: the share of pixels whose colour is not found in the other, and the mean change of
    a pixel, both 0..1.
    """
    levels = (pictures // (256 // _BINS)).astype(np.int64)
    codes = (levels[..., 0] * _BINS + levels[..., 1]) * _BINS + levels[..., 2]
    histograms = np.stack([np.bincount(code.ravel(), minlength=_BINS**3) for code in codes]) / codes[0].size
    colours = 1 - np.minimum(histograms[1:], histograms[:-1]).sum(axis=1)
    pixels = [np.abs(after.astype(np.int16) - before).mean() / 255 for before, after in itertools.pairwise(pictures)]
    return colours, np.array(pixels)
