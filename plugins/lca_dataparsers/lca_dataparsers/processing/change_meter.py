"""How much a clip changes from picture to picture."""

import cv2
import numpy as np

from lca_shared.tensors import UInt8

_SIDE = 64


class ChangeMeter:
    """How much each picture of a clip differs from the one before."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def change(self, image: UInt8[np.ndarray, "h w 3"]) -> float:
        """Mean absolute difference of a pixel to the picture given before, grey levels; 255 for the first."""
        small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
        last, self._last = self._last, small
        return 255.0 if last is None else float(np.abs(small - last).mean())
