"""Frames of a video file in order, by their timestamps, upright, one at a time."""

from collections.abc import Iterator
from pathlib import Path

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
        with _opened(path) as container:
            stream = container.streams.video[0]
            self.duration = _duration(container, stream)
            rate = stream.average_rate or stream.guessed_rate
            self.rate = float(rate) if rate else 0.0
            self.frames = stream.frames or round((self.duration or 0) * self.rate)
            equivalent = {**container.metadata, **stream.metadata}.get(_APPLE_FOCAL)
            self.focal_per_width = float(equivalent) / _EQUIVALENT_WIDTH if equivalent else None
            """Focal length over the picture's long side, or None."""

    def read(self) -> Iterator[tuple[float, np.ndarray, np.ndarray | None]]:
        """Time in seconds from the first frame, image uint8 [h, w, 3] and alpha uint8 [h, w] or None.

        A damaged file is read as far as it goes; :attr:`notices` then says so.

        Raises:
            UserError: nothing can be decoded.
        """
        import av

        self.notices.clear()
        first, last, count, broken, hdr = None, 0.0, 0, None, False
        with _opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
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
                first = time if first is None else first
                last, count = time - first, count + 1
                hdr = hdr or int(frame.color_trc or 0) in _HDR_TRANSFERS
                yield last, *_pixels(frame, stream)
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
