"""Pictures as files of a dataset: encoding and decoding."""

from pathlib import Path

import numpy as np

from lca_shared.errors import UserError

COLOR, GREY = 1, 0
"""How a picture is decoded: OpenCV's ``IMREAD_COLOR`` and ``IMREAD_GRAYSCALE``."""


def encode_picture(picture: np.ndarray, path: str) -> bytes:
    """A picture in OpenCV's channel order, encoded as the suffix of ``path`` says (JPEG at quality 95, 4:4:4)."""
    import cv2  # readers of motions need no pictures

    options: list[int] = []
    if path.endswith((".jpg", ".jpeg")):
        sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
        options = [cv2.IMWRITE_JPEG_QUALITY, 95, *sampling]
    ok, encoded = cv2.imencode(Path(path).suffix, picture, options)
    if not ok:
        raise ValueError(f"cannot encode a picture of shape {picture.shape} as {path}")
    return encoded.tobytes()


def decode_picture(encoded: bytes, name: str, flags: int) -> np.ndarray:
    """Decode a picture in OpenCV's channel order, uint8.

    Raises:
        UserError: it is broken; the message calls it ``name``.
    """
    import cv2

    data = np.frombuffer(encoded, np.uint8)
    picture = cv2.imdecode(data, flags | cv2.IMREAD_IGNORE_ORIENTATION) if data.size else None
    if picture is None:
        raise UserError(f"{name} is not a readable picture. Restore it, or make the dataset again.")
    return picture
