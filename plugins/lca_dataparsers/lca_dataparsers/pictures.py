"""Pictures and videos on disk, whole or absent. The one place that writes videos; a thread of its own encodes them."""

import queue
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lca_shared.storage import atomic_path

_WAITING = 4
"""Pictures that may wait for being encoded."""


def write_picture(picture: np.ndarray, path: Path, compression: int = 6) -> None:
    """Write uint8 [height, width, 3] RGB, or with alpha [height, width, 4].

    Args:
        picture: what to write.
        path: its suffix says how.
        compression: of PNGs, 0 (fast) to 9 (small).

    Raises:
        UserError: the folder cannot be written.
    """
    from PIL import Image

    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, compress_level=compression)


def write_video(frames: Iterable[np.ndarray], path: Path, fps: float | int) -> int:
    """Write uint8 [height, width, 3] RGB frames as H.264 that browsers play; odd sides lose a pixel.

    Returns:
        How many frames were written.

    Raises:
        UserError: the folder cannot be written.
        ValueError: there are no frames.
    """
    with VideoWriter(path, fps) as writer:
        for frame in frames:
            writer.add(frame)
    return writer.count


class FrameWriter(Protocol):
    """Takes pictures one after another."""

    count: int
    """Pictures taken so far."""

    def add(self, picture: np.ndarray) -> None:
        """Take a picture, uint8 [height, width, channels]; it is copied."""
        ...


class VideoWriter(AbstractContextManager["VideoWriter"]):
    """An H.264 video that appears at ``path`` when the block ends well; the first picture sets its size.

    Pictures are copied into a few buffers that are used again and again, and a thread encodes them meanwhile.

    Args:
        path: of the ``.mp4``.
        fps: frames a second.
        crf: x264's constant rate factor: 0 = without loss, 51 = worst.
        preset: x264's: ``veryfast`` takes about a third of ``medium``'s time for a few per cent more bytes.

    Raises:
        UserError: the folder cannot be written.
        ValueError: the block ended well without a picture.
    """

    def __init__(self, path: Path, fps: float | int, crf: int = 18, preset: str = "veryfast") -> None:
        self.count = 0
        self._atomic, self._fps = atomic_path(path), Fraction(fps).limit_denominator(1001)
        self._options = {"crf": str(crf), "preset": preset}
        self._free: queue.Queue[np.ndarray] = queue.Queue()
        self._full: queue.Queue[np.ndarray | None] = queue.Queue()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._encode_all, name="video encoder", daemon=True)

    def __enter__(self) -> "VideoWriter":
        self._temporary = self._atomic.__enter__()
        return self

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, uint8 [height, width, 3] RGB; odd sides lose a pixel.

        Raises:
            av.FFmpegError: an earlier one could not be encoded.
        """
        picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
        if self.count == 0:
            for _ in range(_WAITING):
                self._free.put(np.empty(picture.shape, np.uint8))
            self._thread.start()
        buffer = self._free.get()
        if self._error is not None:
            raise self._error
        buffer[...] = picture
        self._full.put(buffer)
        self.count += 1

    def __exit__(self, *error: Any) -> None:
        if self._thread.ident is not None:
            self._full.put(None)
            self._thread.join()
        failure = self._error
        if error[0] is None and failure is None and self.count == 0:
            failure = ValueError("a video needs at least one frame")
        if failure is not None and error[0] is None:
            self._atomic.__exit__(type(failure), failure, failure.__traceback__)
            raise failure
        self._atomic.__exit__(*error)

    def _encode_all(self) -> None:
        waiting = self._waiting()
        try:
            self._encode(waiting)
        except BaseException as error:  # raised again by the thread that adds
            self._error = error
            for picture in waiting:
                self._free.put(picture)

    def _waiting(self) -> Iterator[np.ndarray]:
        while (picture := self._full.get()) is not None:
            try:
                yield picture
            finally:
                self._free.put(picture)

    def _encode(self, pictures: Iterator[np.ndarray]) -> None:
        import av

        with av.open(str(self._temporary), "w", format="mp4", options={"movflags": "faststart"}) as container:
            stream: Any = None
            for picture in pictures:
                if stream is None:
                    stream = container.add_stream("libx264", rate=self._fps)
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt, stream.options = "yuv420p", self._options
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


class PictureWriter(AbstractContextManager["PictureWriter"]):
    """Pictures ``000000.png``, ``000001.png`` ... in a folder, compressed lightly by two threads.

    Args:
        folder: made if it is not there.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._folder = folder
        self._pool = ThreadPoolExecutor(2, "picture writer")
        self._running: list[Future[None]] = []

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, uint8 [height, width, 3 or 4]."""
        while len(self._running) >= _WAITING:
            self._running.pop(0).result()
        path = self._folder / f"{self.count:06d}.png"
        self._running.append(self._pool.submit(write_picture, picture.copy(), path, 1))
        self.count += 1

    def __exit__(self, *error: Any) -> None:
        self._pool.shutdown()
        if error[0] is None:
            for future in self._running:
                future.result()
