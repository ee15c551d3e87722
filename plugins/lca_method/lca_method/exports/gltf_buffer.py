"""The binary half of a glTF file: accessors over one buffer (glTF 2.0, section 3.6)."""

import json
import struct
from typing import Any

import numpy as np

_COMPONENTS = {"float32": 5126, "uint8": 5121, "uint16": 5123, "uint32": 5125}
_TYPES = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (4, 4): "MAT4"}
ARRAY_BUFFER, ELEMENT_ARRAY_BUFFER = 34962, 34963


class Buffer:
    """Collects arrays and describes them."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def add(self, values: np.ndarray, target: int | None = None, bounds: bool = False) -> int:
        """An accessor of ``values`` [count, ...]; matrices are given row by row and stored by columns.

        Args:
            values: float32 or unsigned integers.
            target: what the GPU uses it for.
            bounds: state the smallest and largest values, as positions and times must.
        """
        accessor = self._described(values)
        if values.ndim == 3:
            values = values.swapaxes(1, 2)
        accessor["bufferView"] = self._view(values, target)
        if bounds:
            accessor |= {"min": _listed(values.min(axis=0)), "max": _listed(values.max(axis=0))}
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def add_sparse(self, values: np.ndarray, index: np.ndarray, count: int) -> int:
        """An accessor of ``count`` rows of zeros but for ``values`` at the increasing rows ``index``."""
        accessor = self._described(values) | {"count": count}
        whole = np.zeros((1, *values.shape[1:]), values.dtype)
        both = np.concatenate([values, whole]) if len(values) < count else values
        accessor |= {"min": _listed(both.min(axis=0)), "max": _listed(both.max(axis=0))}
        if len(index):
            accessor["sparse"] = {
                "count": len(index),
                "indices": {"bufferView": self._view(index.astype(np.uint32)), "componentType": _COMPONENTS["uint32"]},
                "values": {"bufferView": self._view(values)},
            }
        self.accessors.append(accessor)
        return len(self.accessors) - 1

    def glb(self, content: dict[str, Any]) -> bytes:
        """A whole ``.glb`` of the JSON half ``content`` and what was added here."""
        binary = b"".join(self._parts)
        described = {**content, "accessors": self.accessors, "bufferViews": self.views}
        described["buffers"] = [{"byteLength": len(binary)}]
        text = json.dumps(described, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(binary)
        head = struct.pack("<4sII", b"glTF", 2, length)
        return (
            head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary
        )

    def _described(self, values: np.ndarray) -> dict[str, Any]:
        return {
            "componentType": _COMPONENTS[values.dtype.name],
            "count": len(values),
            "type": _TYPES[values.shape[1:]],
        }

    def _view(self, values: np.ndarray, target: int | None = None) -> int:
        data = np.ascontiguousarray(values).tobytes()
        view = {"buffer": 0, "byteOffset": self._size, "byteLength": len(data)}
        self.views.append(view if target is None else {**view, "target": target})
        padding = -len(data) % 4
        self._parts.append(data + b"\0" * padding)
        self._size += len(data) + padding
        return len(self.views) - 1


def _listed(values: np.ndarray | np.generic) -> list[float]:
    return [float(value) for value in np.atleast_1d(values)]
