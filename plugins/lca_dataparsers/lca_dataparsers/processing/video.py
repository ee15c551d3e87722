"""Frames of a video file in order, by their timestamps, upright, one at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lca_shared.errors import UserError

_TEXT_FORMATS = ("tty",)
"""FFmpeg draws text files as pictures; nobody means that."""
_APPLE_FOCAL = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
_EQUIVALENT_WIDTH = 34.6
"""Width in mm of a 4:3 sensor with film's diagonal: phones crop their videos from its full width."""
_HDR_TRANSFERS = (16, 18)
"""PQ and HLG in ITU-T H.273's numbers."""
_HD_LINES = 720
"""Untagged videos use BT.709 from this height on, BT.601 below: the usual convention."""


_WORTH_SEEKING = 5.0
"""Seconds before a span that are sooner decoded than jumped over."""
_CLOCK = 5e-4
"""Seconds by which timestamps are rounded."""


@dataclass(frozen=True)
class Span:
    """Part of a video: frames from ``start`` to just before ``end``, seconds from the first frame."""

    start: float
    end: float
    first_index: int = 0
    """Number of its first frame in the file."""
    origin: float = 0.0
    """Time of the file's first frame on the file's own clock, seconds."""
    frames: int = 0
    """How many there are."""


class VideoFile:
    """A video on disk.

    Args:
        path: the file.

    Raises:
        UserError: the file is not a video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []
        """Told to the user when done, e.g. that the file ends early."""
        self.origin = 0.0
        """Time of the first frame that was read on the file's own clock, seconds."""
        with _opened(path) as container:
            stream = container.streams.video[0]
            self.duration = _duration(container, stream)
            rate = stream.average_rate or stream.guessed_rate
            self.rate = float(rate) if rate else 0.0
            self.frames = stream.frames or round((self.duration or 0) * self.rate)
            equivalent = {**container.metadata, **stream.metadata}.get(_APPLE_FOCAL)
            self.focal_per_width = float(equivalent) / _EQUIVALENT_WIDTH if equivalent else None
            """Focal length over the picture's long side, or None."""

    def read(self, span: "Span | None" = None) -> Iterator[tuple[float, np.ndarray, np.ndarray | None]]:
        """Time in seconds from the first frame, image uint8 [h, w, 3] and alpha uint8 [h, w] or None.

        A damaged file is read as far as it goes; :attr:`notices` then says so. Of a ``span`` alone its frames come,
        and the file is not read to its end.

        Raises:
            UserError: nothing can be decoded.
        """
        for time, frame, stream in self._frames(span):
            yield time, *_pixels(frame, stream)

    def thumbnails(self, width: int, height: int) -> Iterator[tuple[float, np.ndarray]]:
        """Time in seconds from the first frame, and the picture reduced to uint8 [height, width, 3], neither turned nor
        brought to square pixels.

        Raises:
            UserError: nothing can be decoded.
        """
        for time, frame, _ in self._frames(None):
            small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
            yield time, small.to_ndarray()

    def _frames(self, span: "Span | None") -> Iterator[tuple[float, Any, Any]]:
        import av

        self.notices.clear()
        first, last, count, broken, hdr = None if span is None else span.origin, 0.0, 0, None, False
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            if span is not None and span.start > _WORTH_SEEKING:
                _jump(container, span.origin + span.start)
            frames = _decoded(container, stream)
            while True:
                try:
                    frame = next(frames)
                except StopIteration:
                    break
                except av.FFmpegError as error:
                    broken = error
                    break
                if frame.is_corrupt:
                    continue
                time = frame.time if frame.time is not None else count / (self.rate or 30.0)
                first = self.origin = time if first is None else first
                last, count = time - first, count + 1
                hdr = hdr or int(frame.color_trc or 0) in _HDR_TRANSFERS
                if span is None or span.start - _CLOCK <= last < span.end - _CLOCK:
                    yield last, frame, stream
                elif last >= span.end - _CLOCK:
                    return
        if count == 0:
            raise UserError(f"{self.path} holds no frame that can be decoded ({broken or 'no frames'}).")
        step = 1.0 / (self.rate or 30.0)
        if broken or (self.duration and last + 2 * step < 0.95 * self.duration):
            whole = f" of {self.duration:.2f} s" if self.duration else ""
            self.notices.append(f"{self.path} is damaged or cut off: {count} frames ({last:.2f} s{whole}) were read")
        if hdr:
            self.notices.append(f"{self.path} is an HDR video: its colours are not tone-mapped and will look flat")


def _opened(path: Path):
    import av

    if not path.is_file():
        raise UserError(f"{path} does not exist or is not a file.")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise UserError(
            f"{path} is not a video or photo that can be read ({_reason(error)}). "
            "A video that was cut off may have lost its index: copy it again."
        ) from error
    if not container.streams.video or container.format.name in _TEXT_FORMATS:
        container.close()
        raise UserError(f"{path} is not a video: there are no pictures in it.")
    return container


def _jump(container, time: float) -> None:
    """To the last frame before ``time`` that can be decoded by itself; files that cannot jump are read from where they
    are."""
    import av

    try:
        container.seek(int(time * 1e6), backward=True)
    except av.FFmpegError:
        return


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _duration(container, stream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1e6 if container.duration else None


def _decoded(container, stream) -> Iterator:
    """Frames; VP9 with alpha needs libvpx, FFmpeg's own decoder drops it."""
    import av

    if stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name == "vp9":
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                frame.time_base = frame.time_base or stream.time_base
                yield frame
    else:
        yield from container.decode(stream)


def _pixels(frame, stream) -> tuple[np.ndarray, np.ndarray | None]:
    has_alpha = any(component.is_alpha for component in frame.format.components)
    untagged = int(frame.colorspace or 2) == 2
    colours = {"src_colorspace": "ITU709"} if untagged and frame.height >= _HD_LINES else {}
    pixels = frame.to_ndarray(format="rgba" if has_alpha else "rgb24", **colours)
    aspect = float(stream.sample_aspect_ratio or 1)
    if aspect != 1.0:
        import cv2

        pixels = cv2.resize(pixels, (max(1, round(pixels.shape[1] * aspect)), pixels.shape[0]))
    # FFmpeg's rotation says by how much the picture must be turned counter-clockwise to stand upright
    pixels = np.ascontiguousarray(np.rot90(pixels, round((frame.rotation or 0) / 90) % 4))
    if not has_alpha:
        return pixels, None
    alpha = np.ascontiguousarray(pixels[..., 3])
    return np.ascontiguousarray(pixels[..., :3]), None if (alpha == 255).all() else alpha
