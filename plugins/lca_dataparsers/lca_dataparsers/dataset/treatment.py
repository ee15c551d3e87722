"""What a stored picture goes through before anybody sees it: colour, distortion, scale."""

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Treatment:
    """From the stored picture to the one that is seen, in this order: colour, distortion, scale.

    Masks take ``mask``, distortion and scale.
    """

    black: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from the channels (0..255)."""
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """The channels are multiplied by it afterwards."""
    polynomials: tuple[float, ...] = ()
    """a, b, c of each channel (red, green, blue): a v^2 + b v + c of its values 0..255; empty = none."""
    intrinsics: tuple[float, ...] = ()
    """fx, fy, cx, cy of the stored picture, pixel centres at +0.5: needed to undo distortion."""
    distortion: tuple[float, ...] = ()
    """OpenCV's coefficients, or, if ``fisheye``, its fisheye model's; empty = none."""
    fisheye: bool = False
    size: tuple[int, int] = (0, 0)
    """Width and height of the picture that is seen, pixels; zeros = as stored."""
    mask: str = "over_127"
    """Which mask pixels are the person: a name in :data:`MASK_RULES`."""

    @property
    def colors(self) -> bool:
        """Whether it changes colours."""
        return self.black != (0.0, 0.0, 0.0) or self.gain != (1.0, 1.0, 1.0) or bool(self.polynomials)

    def image(self, stored: np.ndarray) -> np.ndarray:
        """A stored picture (uint8 [h, w, 3] RGB) as it is seen."""
        if self.colors:
            values = (stored.astype(np.float32) - self.black) * self.gain
            if self.polynomials:
                a, b, c = np.array(self.polynomials, np.float32).reshape(3, 3).T
                values = (a * values + b) * values + c
            stored = np.clip(values + 0.5, 0, 255).astype(np.uint8)
        return self._resized(self._undistorted(stored))

    def person_mask(self, stored: np.ndarray) -> np.ndarray:
        """A stored mask (uint8 [h, w] or [h, w, c]) as it is seen: uint8 [h, w], 255 = person."""
        plain = MASK_RULES[self.mask](stored if stored.ndim == 2 else stored.max(axis=2))
        return self._resized(self._undistorted(plain))

    def _undistorted(self, picture: np.ndarray) -> np.ndarray:
        if not any(self.distortion):
            return picture
        import cv2  # readers of motions need no pictures

        maps = _undistortion(self, picture.shape[1], picture.shape[0])
        return cv2.remap(picture, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)

    def _resized(self, picture: np.ndarray) -> np.ndarray:
        if self.size == (0, 0) or self.size == (picture.shape[1], picture.shape[0]):
            return picture
        import cv2

        shrinks = self.size[0] < picture.shape[1]
        return cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


MASK_RULES = {
    "over_127": lambda mask: mask,
    "nonzero": lambda mask: np.where(mask > 0, 255, 0).astype(np.uint8),
    "inverted": lambda mask: (255 - mask).astype(np.uint8),
}
"""By name: from the grey values of a stored mask to 255 = person. ``over_127`` keeps soft edges."""

_MAPS: OrderedDict[tuple, tuple[np.ndarray, np.ndarray]] = OrderedDict()
_MAPS_LOCK = threading.Lock()
_KEPT_MAPS = 16


def _undistortion(treatment: Treatment, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Maps for ``cv2.remap``; a few are kept, a rig's pictures come camera by camera."""
    key = (treatment.intrinsics, treatment.distortion, treatment.fisheye, width, height)
    with _MAPS_LOCK:
        if key in _MAPS:
            _MAPS.move_to_end(key)
            return _MAPS[key]
    import cv2

    fx, fy, cx, cy = treatment.intrinsics
    matrix = np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])  # OpenCV's pixel centres are integers
    distortion = np.array(treatment.distortion, float)
    if treatment.fisheye:
        maps = cv2.fisheye.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, (width, height), cv2.CV_32FC1)
    else:
        maps = cv2.initUndistortRectifyMap(matrix, distortion, np.eye(3), matrix, (width, height), cv2.CV_32FC1)
    with _MAPS_LOCK:
        _MAPS[key] = (maps[0], maps[1])
        while len(_MAPS) > _KEPT_MAPS:
            _MAPS.popitem(last=False)
    return maps[0], maps[1]
