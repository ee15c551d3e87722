"""Small videos and photos drawn for tests."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(
    path: Path, frames: list[np.ndarray], times: list[float] | None = None, options=None, codec="libx264"
) -> Path:
    """Encode uint8 [h, w, 3 or 4] pictures at ``times`` (seconds; 25 frames a second by default)."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        alpha = frames[0].shape[2] == 4
        stream.pix_fmt = "yuva420p" if alpha else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for count, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba" if alpha else "rgb24")
            frame.pts = round(1000 * (times[count] if times else count / 25))
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turned_by_container(path: Path) -> Path:
    """Change the display matrix of an MP4 so that players turn it by 90 degrees clockwise, as phones do."""
    content = bytearray(path.read_bytes())
    plain = b"".join(int(value).to_bytes(4, "big", signed=True) for value in (65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30))
    turned = b"".join(
        int(value).to_bytes(4, "big", signed=True) for value in (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    )
    place = content.find(plain, content.find(b"tkhd"))
    assert place > 0
    content[place : place + 36] = turned
    path.write_bytes(content)
    return path


def numbered(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Grey pictures whose brightness tells their number: 10 + 8 n."""
    return [np.full((height, width, 3), 10 + 8 * number, np.uint8) for number in range(count)]


def number_of(image: np.ndarray) -> int:
    """The inverse of :func:`numbered`, for at most 28 pictures."""
    return round((float(image.mean()) - 10) / 8)


def person_like(box: tuple[int, int, int, int], size: tuple[int, int] = (160, 240)) -> np.ndarray:
    """A picture of ``size`` (width, height) with a white box (left, top, right, bottom) on dark noise."""
    image = np.random.default_rng(0).integers(0, 60, (size[1], size[0], 3), np.uint8)
    image[box[1] : box[3], box[0] : box[2]] = 250
    return image
