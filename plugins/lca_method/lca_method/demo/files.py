"""Pictures and videos on disk, whole or absent."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from lca_shared.storage import atomic_path


def write_picture(picture: np.ndarray, path: Path) -> None:
    """Write uint8 [height, width, 3] RGB.

    Raises:
        UserError: the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary)


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float | int) -> int:
    """Write uint8 [height, width, 3] RGB frames as H.264 that browsers play; odd sides lose a pixel.

    Returns:
        How many frames were written.

    Raises:
        UserError: the folder cannot be written.
        ValueError: there are no frames.
    """
    count = 0
    with atomic_path(path) as temporary, av.open(str(temporary), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1000))
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        for frame in frames:
            frame = frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
            if count == 0:
                stream.height, stream.width = frame.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
            count += 1
        if count == 0:
            raise ValueError("a video needs at least one frame")
        container.mux(stream.encode())
    return count
