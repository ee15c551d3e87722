"""What a dataset folder holds (docs/data_format.md says it in prose).

``dataset.json``, and per subject ``subjects/<id>/`` with ``subject.json``, ``frames.parquet`` (one row per image, the
fields of :class:`FrameRecord`), ``images/``, ``masks/``, and ``garments/`` where loose garments have masks of their
own. Every array in a row is stored flat, row-major, float32.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa

SCHEMA_VERSION = 1
"""Raised whenever a reader of the previous version would misread the files."""

KINDS = ("wild", "studio")
SPLITS = ("train", "val", "test")

DATASET_FILE = "dataset.json"
SUBJECTS_FOLDER = "subjects"
SUBJECT_FILE = "subject.json"
FRAMES_FILE = "frames.parquet"
GARMENTS_FOLDER = "garments"
SHARDS_FILE = "shards.json"
"""Of a folder of shards (``lca_dataparsers.shards``) instead."""


@dataclass(frozen=True)
class DatasetInfo:
    """``dataset.json``."""

    kind: str
    """``wild`` (one moving or static camera per clip) or ``studio`` (several calibrated cameras per moment)."""
    body_model: str
    """The body model whose parameters the rows hold, e.g. ``anny``."""
    driven_joints: tuple[str, ...]
    """Names of the joints in ``joint_rotations``, in order."""
    shape_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    source: str
    """What made it: a command or a capture's name."""
    licence: str
    """Of the pictures; ``unknown`` when nobody said."""


@dataclass(frozen=True)
class SubjectInfo:
    """``subject.json``."""

    id: str
    shape: tuple[float, ...]
    """Shape coefficients of the body model: one shape per person."""
    split: str
    """``train``, ``val`` or ``test``: splits are by subject."""
    source: str
    licence: str
    report: dict[str, Any]
    """Counts and quality figures of what made it (frames refused by reason, residuals); may be empty."""


@dataclass(frozen=True)
class FrameRecord:
    """One row of ``frames.parquet``: one image. Shapes of the arrays are given in brackets."""

    frame: int
    """Index of the moment in the source; rows of one moment in a studio capture share it."""
    camera: str
    """Camera name; ``0`` for a wild clip."""
    time: float
    """Seconds from the start."""
    image: str
    """Path of the image, relative to the subject's folder; the writer sets it (as ``mask``, ``width``, ``height``)."""
    mask: str
    """Path of the person mask (one channel, 255 = person), relative to the subject's folder."""
    width: int
    height: int
    intrinsics: np.ndarray
    """[3, 3] pixels of the stored image; pixel centres at +0.5."""
    camera_from_world: np.ndarray
    """[4, 4] OpenCV axes, metres."""
    distortion: np.ndarray
    """[4] k1, k2, p1, p2; zeros when the stored image is undistorted."""
    joint_rotations: np.ndarray
    """[driven, 3] rotation vectors (see lca_shared.body.BodyPose)."""
    root_rotation: np.ndarray
    """[3]"""
    root_translation: np.ndarray
    """[3] metres"""
    gaze: np.ndarray
    """[2, 2] (left, right) x (yaw, pitch), radians, relative to the head."""
    expression: np.ndarray
    """[52] coefficients named by ``DatasetInfo.expression_names``."""
    person_box: np.ndarray
    """[4] left, top, right, bottom of the person, pixels."""
    face_box: np.ndarray
    """[4] left, top, right, bottom of a square around the head, pixels; NaN when the face was not seen."""
    joint_confidence: np.ndarray
    """[driven] 0 = the joint was not seen (its rotation is the prior's guess), 1 = seen."""
    confidence_body: float
    confidence_face: float
    """0 when the face was not seen: expression is then neutral and not to be learned from."""
    confidence_gaze: float
    confidence_left_hand: float
    confidence_right_hand: float
    fit_quality: float
    """0 to 1, how well the body explains the frame; 1 for exact truth."""
    light_pattern: int
    """Index into ``lights.json``; -1 for uncontrolled light."""
    joint_visible: np.ndarray | None = None
    """[driven] share of what the joint moves that this picture shows, 0 = hidden or outside; None = not known. The
    column is there where all rows know it."""


ARRAY_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(FrameRecord) if f.type in (np.ndarray, "np.ndarray"))
"""Fields of :class:`FrameRecord` stored as flat float32 lists."""
VISIBLE_FIELD = "joint_visible"
"""The field that a table may lack."""
ROW_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(FrameRecord) if f.name != VISIBLE_FIELD)
"""Fields that every table has."""


def garment_path(mask: str) -> str:
    """Path of a row's mask of the loose garment, beside the path of its mask of the person."""
    return f"{GARMENTS_FOLDER}/{mask.rpartition('/')[2]}"


def array_shapes(info: DatasetInfo) -> dict[str, tuple[int, ...]]:
    """The shape of each array field of :class:`FrameRecord` in a dataset."""
    driven = len(info.driven_joints)
    return {
        "intrinsics": (3, 3),
        "camera_from_world": (4, 4),
        "distortion": (4,),
        "joint_rotations": (driven, 3),
        "root_rotation": (3,),
        "root_translation": (3,),
        "gaze": (2, 2),
        "expression": (len(info.expression_names),),
        "person_box": (4,),
        "face_box": (4,),
        "joint_confidence": (driven,),
        VISIBLE_FIELD: (driven,),
    }


def frame_schema(visible: bool = False) -> pa.Schema:
    """The Arrow schema of ``frames.parquet``, with the column ``joint_visible`` or without."""
    scalar = {int: pa.int64(), str: pa.string(), float: pa.float64()}
    columns = []
    for field in fields(FrameRecord):
        if field.name == VISIBLE_FIELD:
            continue
        kind = pa.list_(pa.float32()) if field.name in ARRAY_FIELDS else scalar[field.type]  # type: ignore[index]
        columns.append(pa.field(field.name, kind, nullable=False))
    if visible:
        columns.append(pa.field(VISIBLE_FIELD, pa.list_(pa.float32()), nullable=False))
    return pa.schema(columns)
