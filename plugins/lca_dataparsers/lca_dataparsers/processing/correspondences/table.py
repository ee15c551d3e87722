"""The table of correspondences between MediaPipe's landmarks and Anny.

A *body point* hangs rigidly on a joint, at an offset in the rest pose: detectors put "the shoulder" where people who
label pictures see it, not where a rig rotates. A *face point* lies on the surface, in a triangle.
"""

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from lca_shared.errors import SchemaError
from lca_shared.storage import atomic_path

SCHEMA_VERSION = 1
TABLE_PATH = Path(__file__).parent / "anny_mediapipe.json"

HAND_JOINTS: tuple[str, ...] = (
    "wrist",
    *("finger1-1", "finger1-2", "finger1-3", "finger1-tip"),
    *(f"finger{finger}-{part}" for finger in (2, 3, 4, 5) for part in ("1", "2", "3", "tip")),
)
"""Joints of MediaPipe's 21 hand landmarks without their side; ``-tip`` is the end of the finger's last bone."""


@dataclass(frozen=True)
class BodyPoint:
    """One of MediaPipe's 33 body landmarks."""

    landmark: int
    joint: str
    offset: tuple[float, float, float]
    """From the joint, metres, rest pose of the template."""
    spread: float
    """Median distance of detections from the point on renders, metres at the point's depth."""


@dataclass(frozen=True)
class FacePoint:
    """One of MediaPipe's 478 face landmarks."""

    landmark: int
    vertices: tuple[int, int, int]
    barycentric: tuple[float, float, float]
    spread: float
    """Median distance of detections from the point on renders, metres on the surface."""


@dataclass(frozen=True)
class Correspondences:
    """All landmarks with a place on the body model."""

    body: tuple[BodyPoint, ...]
    face: tuple[FacePoint, ...]

    def save(self, path: Path = TABLE_PATH) -> None:
        """Write the table as JSON, atomically."""
        content = {"schema_version": SCHEMA_VERSION, "body_model": "anny", "detector": "mediapipe", **asdict(self)}
        with atomic_path(path) as temporary:
            temporary.write_text(_compact_json(content))


@cache
def load_correspondences(path: Path = TABLE_PATH) -> Correspondences:
    """The table that ships with the package.

    Raises:
        SchemaError: the file has another schema version.
    """
    content = json.loads(path.read_text())
    if content.get("schema_version") != SCHEMA_VERSION:
        raise SchemaError(f"{path} has schema version {content.get('schema_version')}, not {SCHEMA_VERSION}.")
    body = tuple(BodyPoint(**{**row, "offset": tuple(row["offset"])}) for row in content["body"])
    face = tuple(
        FacePoint(row["landmark"], tuple(row["vertices"]), tuple(row["barycentric"]), row["spread"])
        for row in content["face"]
    )
    return Correspondences(body, face)


def mirrored_name(joint: str) -> str:
    """The joint on the other side of the body; the same for joints in the middle."""
    swap = {".L": ".R", ".R": ".L"}
    return joint[:-2] + swap[joint[-2:]] if joint[-2:] in swap else joint


def _compact_json(content: dict) -> str:
    """JSON with one landmark a line."""
    lines = []
    for key, value in content.items():
        if isinstance(value, (list, tuple)):
            rows = ",\n    ".join(json.dumps(row) for row in value)
            lines.append(f"  {json.dumps(key)}: [\n    {rows}\n  ]")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
