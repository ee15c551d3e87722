"""What MediaPipe's graphs give, read from its serialized form.

Its Python classes read every point with protobuf's pure Python reader and make objects of it, which takes longer than
finding a face does (42 against 15 ms of a processor), and keeps other threads of Python waiting meanwhile.
"""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from lca_dataparsers.processing.estimators.mediapipe_graph import Rectangle
from lca_shared.tensors import Float

VALUES = 5
"""x, y, z, visibility, presence: fields 1 to 5 of a point."""
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
"""Wire types of protobuf."""


def landmark_lists(packet: Any) -> list[Float[np.ndarray, "points 5"]]:
    """Of a packet with several lists of points."""
    from mediapipe.python._framework_bindings import _packet_getter

    return [landmarks(message) for message in _packet_getter._get_serialized_proto_list(packet)]


def landmark_list(packet: Any) -> Float[np.ndarray, "points 5"]:
    """Of a packet with one list of points."""
    from mediapipe.python._framework_bindings import _packet_getter

    return landmarks(_packet_getter._get_serialized_proto(packet))


def score_lists(packet: Any) -> list[dict[str, float]]:
    """Of a packet with several lists of classifications."""
    from mediapipe.python._framework_bindings import _packet_getter

    return [scores(message) for message in _packet_getter._get_serialized_proto_list(packet)]


def score_list(packet: Any) -> dict[str, float]:
    """Of a packet with one list of classifications."""
    from mediapipe.python._framework_bindings import _packet_getter

    return scores(_packet_getter._get_serialized_proto(packet))


def rectangle_list(packet: Any) -> list[Rectangle]:
    """Of a packet with several rectangles: middle x, y, width, height (shares of the picture), rotation (radians)."""
    from mediapipe.python._framework_bindings import _packet_getter

    return [rectangle(message) for message in _packet_getter._get_serialized_proto_list(packet)]


def one_image(packet: Any) -> np.ndarray:
    """Of a packet with one picture: its pixels."""
    from mediapipe.python import packet_getter

    return packet_getter.get_image(packet).numpy_view()


def landmarks(message: bytes) -> Float[np.ndarray, "points 5"]:
    """x, y, z, visibility and presence of the points of a ``LandmarkList`` or ``NormalizedLandmarkList``; NaN where one
    is not given.
    """
    table = _even_rows(message)
    if table is not None:  # as a rule all points have the same fields
        numbers = table[0, 2::5] >> 3
        kept = (numbers >= 1) & (numbers <= VALUES)
        cells = np.ascontiguousarray(table[:, 2:].reshape(len(table), -1, 5)[:, kept, 1:])
        values = np.full((len(table), VALUES), np.nan, np.float32)
        values[:, numbers[kept] - 1] = cells.view("<f4")[..., 0]
        return values
    rows = []
    for _, point in _fields(message):
        given = dict(_fields(point))
        rows.append([given.get(number, np.nan) for number in range(1, VALUES + 1)])
    return np.array(rows, np.float32).reshape(-1, VALUES)


def scores(message: bytes) -> dict[str, float]:
    """Scores by label of a ``ClassificationList``: fields 2 and 3 of its entries."""
    entries = [dict(_fields(entry)) for _, entry in _fields(message)]
    return {entry[3].decode(): float(entry.get(2, 0.0)) for entry in entries}


def rectangle(message: bytes) -> Rectangle:
    """Of a ``NormalizedRect``, whose fields 3 and 4 are height and width; a field that is 0 is not there."""
    given = dict(_fields(message))
    return given.get(1, 0.0), given.get(2, 0.0), given.get(4, 0.0), given.get(3, 0.0), given.get(5, 0.0)


def _even_rows(message: bytes) -> np.ndarray | None:
    """[points, bytes] of a message whose points all have the same float fields; None if they do not.

    Each point is a tag, its length, and a tag and four bytes for each field.
    """
    size = message[1] if len(message) > 1 else 0
    if size == 0 or size > 127 or size % 5 or len(message) % (size + 2):
        return None
    table = np.frombuffer(message, np.uint8).reshape(-1, size + 2)
    tags = table[:, 2::5]
    even = (table[:, :2] == table[0, :2]).all() and (tags == tags[0]).all() and (tags[0] & 7 == _FOUR_BYTES).all()
    return table if even else None


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _BYTES:
            size, at = _varint(message, at)
            value, at = message[at : at + size], at + size
        elif kind == _FOUR_BYTES:
            value, at = struct.unpack_from("<f", message, at)[0], at + 4
        elif kind == _EIGHT_BYTES:
            value, at = struct.unpack_from("<d", message, at)[0], at + 8
        else:
            raise ValueError(f"wire type {kind} in a message of MediaPipe")
        yield tag >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
