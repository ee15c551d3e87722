"""A reader of .glb files written from the glTF 2.0 specification alone, to hold the exporter to."""

import json
import struct

import numpy as np

_DTYPES = {5126: "<f4", 5121: "<u1", 5123: "<u2", 5125: "<u4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A file's JSON as ``content``, its arrays by :meth:`array`, its skin by :meth:`skinned`."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON" and size % 4 == 0
        self.content = json.loads(data[20 : 20 + size])
        binary, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        self.binary = data[28 + size : 28 + size + binary]
        assert len(self.binary) == self.content["buffers"][0]["byteLength"]

    def array(self, index: int) -> np.ndarray:
        """An accessor's values [count, numbers], matrices by columns as stored."""
        accessor = self.content["accessors"][index]
        width, kind = _WIDTHS[accessor["type"]], _DTYPES[accessor["componentType"]]
        if "bufferView" in accessor:
            values = self._view(accessor["bufferView"], kind, accessor["count"] * width).reshape(-1, width).copy()
        else:
            values = np.zeros((accessor["count"], width), kind)
        if sparse := accessor.get("sparse"):
            rows = self._view(
                sparse["indices"]["bufferView"], _DTYPES[sparse["indices"]["componentType"]], sparse["count"]
            )
            assert (np.diff(rows.astype(int)) > 0).all()
            values[rows] = self._view(sparse["values"]["bufferView"], kind, sparse["count"] * width).reshape(-1, width)
        if "min" in accessor:
            np.testing.assert_allclose(values.min(0), accessor["min"], atol=1e-6)
            np.testing.assert_allclose(values.max(0), accessor["max"], atol=1e-6)
        return values

    def _view(self, index: int, kind: str, count: int) -> np.ndarray:
        view = self.content["bufferViews"][index]
        start = view.get("byteOffset", 0)
        assert start % np.dtype(kind).itemsize == 0
        return np.frombuffer(self.binary[start : start + view["byteLength"]], kind, count)

    def globals(self, local: dict[int, dict]) -> dict[int, np.ndarray]:
        """World matrices of all nodes; ``local`` replaces properties of nodes."""
        nodes, found = self.content["nodes"], {}

        def visit(index: int, above: np.ndarray) -> None:
            node = {**nodes[index], **local.get(index, {})}
            matrix = np.eye(4)
            matrix[:3, :3] = _rotation(node.get("rotation", [0, 0, 0, 1]))
            matrix[:3, 3] = node.get("translation", [0, 0, 0])
            found[index] = above @ matrix
            for child in nodes[index].get("children", []):
                visit(child, found[index])

        for root in self.content["scenes"][self.content["scene"]]["nodes"]:
            visit(root, np.eye(4))
        return found

    def skinned(self, local: dict[int, dict], weights: np.ndarray) -> np.ndarray:
        """Positions of the first mesh, morphed and skinned (sections 3.7.2.2 and 3.7.3)."""
        primitive, skin = self.content["meshes"][0]["primitives"][0], self.content["skins"][0]
        points = self.array(primitive["attributes"]["POSITION"]).astype(float)
        for weight, target in zip(weights, primitive["targets"], strict=True):
            points = points + weight * self.array(target["POSITION"])
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        world = self.globals(local)
        joints = np.stack([world[node] for node in skin["joints"]]) @ bind
        blended = 0.0
        for number in range(9):
            if f"JOINTS_{number}" not in primitive["attributes"]:
                break
            index = self.array(primitive["attributes"][f"JOINTS_{number}"])
            share = self.array(primitive["attributes"][f"WEIGHTS_{number}"])
            blended = blended + (share[..., None, None] * joints[index]).sum(1)
        return np.einsum("nij,nj->ni", blended, np.c_[points, np.ones(len(points))])[:, :3]

    def frame(self, animation: int, frame: int) -> tuple[dict[int, dict], np.ndarray]:
        """Properties of nodes and morph weights at a key frame."""
        found, weights = {}, np.zeros(len(self.content["meshes"][0]["weights"]))
        described = self.content["animations"][animation]
        for channel in described["channels"]:
            sampler = described["samplers"][channel["sampler"]]
            count = self.content["accessors"][sampler["input"]]["count"]
            value = self.array(sampler["output"]).reshape(count, -1)[frame]
            if channel["target"]["path"] == "weights":
                weights = value
            else:
                found.setdefault(channel["target"]["node"], {})[channel["target"]["path"]] = value
        return found, weights


def _rotation(xyzw) -> np.ndarray:
    x, y, z, w = np.asarray(xyzw, float)
    assert abs(x * x + y * y + z * z + w * w - 1) < 1e-4
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
