"""Pictures of a webcam as they come, or of a video in its place."""

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from lca_shared.errors import UserError

WIDTH, HEIGHT = 640, 480
"""Asked of a webcam: more pixels take longer and tell the networks nothing more."""
_SILENT = 0
"""OpenCV's log level."""


class Webcam:
    """Iterates over pictures, uint8 [h, w, 3] RGB: of a webcam always the newest; of a video one after another.

    Args:
        source: a webcam's number, or a video's path.

    Raises:
        UserError: there is no such webcam or video.
    """

    def __init__(self, source: str) -> None:
        self._is_camera = source.isdigit()
        if not self._is_camera and not Path(source).is_file():
            raise UserError(f"{source} is neither a webcam's number nor a video.")
        level = cv2.setLogLevel(_SILENT)  # it would talk over our one message
        self._capture = cv2.VideoCapture(int(source) if self._is_camera else source)
        cv2.setLogLevel(level)
        if not self._capture.isOpened():
            self._capture.release()
            what = f"webcam {source}" if self._is_camera else source
            raise UserError(
                f"There is no picture from {what}. Plug a webcam in, close other programs that use it, or name another "
                "with --webcam NUMBER (a video's path works too)."
            )
        if self._is_camera:
            self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
            self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate: float = rate if 1 <= rate <= 240 else 30.0
        """Frames a second."""

    @property
    def is_camera(self) -> bool:
        """False = a video in a webcam's place."""
        return self._is_camera

    def __iter__(self) -> Iterator[np.ndarray]:
        if not self._is_camera:
            while (picture := self._read()) is not None:
                yield picture
            return
        yield from self._newest()

    def close(self) -> None:
        """Give the webcam back."""
        self._capture.release()

    def _read(self) -> np.ndarray | None:
        there, picture = self._capture.read()
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB) if there else None

    def _newest(self) -> Iterator[np.ndarray]:
        """A thread empties the camera's queue, so that nobody waits behind old pictures."""
        changed, ended = threading.Condition(), threading.Event()
        kept: list[np.ndarray | None] = [None]

        def read() -> None:
            while not ended.is_set():
                picture = self._read()
                with changed:
                    kept[0] = picture
                    changed.notify()
                if picture is None:
                    ended.set()

        thread = threading.Thread(target=read, name="webcam", daemon=True)
        thread.start()
        try:
            while True:
                with changed:
                    while kept[0] is None and not ended.is_set():
                        changed.wait(0.5)
                    picture, kept[0] = kept[0], None
                if picture is None:
                    return
                yield picture
        finally:
            ended.set()
            thread.join()
