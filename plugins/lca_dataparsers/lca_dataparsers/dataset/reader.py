"""Reading a dataset: tables when asked for, pictures one at a time."""

import math
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, get_origin

import numpy as np
import torch

from lca_dataparsers.dataset.frames import Frame, FrameTable
from lca_dataparsers.dataset.lights import LightRig, read_lights
from lca_dataparsers.dataset.pictures import COLOR, GREY, decode_picture, encode_picture
from lca_dataparsers.dataset.schema import (
    DATASET_FILE,
    FRAMES_FILE,
    SCHEMA_VERSION,
    SHARDS_FILE,
    SUBJECT_FILE,
    SUBJECTS_FOLDER,
    DatasetInfo,
    SubjectInfo,
    garment_path,
)
from lca_dataparsers.dataset.sources import InPlacePictures, read_sources
from lca_dataparsers.dataset.tables import read_frame_table
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import check_schema, read_json


class Subject:
    """One person of a dataset. The table is read when first asked for, pictures by :meth:`load`."""

    def __init__(self, folder: Path, info: SubjectInfo, dataset_info: DatasetInfo) -> None:
        self.folder, self.info, self._dataset_info = folder, info, dataset_info

    @property
    def id(self) -> str:
        """The subject's id."""
        return self.info.id

    @cached_property
    def frames(self) -> FrameTable:
        """The rows of ``frames.parquet``.

        Raises:
            SchemaError: the table does not follow the schema.
            UserError: it is missing or broken.
        """
        return read_frame_table(self.folder / FRAMES_FILE, self._dataset_info)

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> torch.Tensor:
        """Shape coefficients of the body model, [coefficients]."""
        return torch.tensor(self.info.shape, dtype=torch.float32)

    @cached_property
    def lights(self) -> LightRig | None:
        """The light stage; None where the light was not controlled.

        Raises:
            SchemaError: ``lights.json`` does not follow its schema.
        """
        return read_lights(self.folder)

    @cached_property
    def in_place(self) -> InPlacePictures | None:
        """Pictures that stayed in the capture they were imported from; None where all are the dataset's own.

        Raises:
            SchemaError: ``sources.json`` does not follow its schema.
            UserError: the capture is gone.
        """
        return read_sources(self.folder)

    def image_path(self, row: int) -> Path:
        """File of a row's image; pictures in place have none (see :attr:`in_place`)."""
        return self.folder / self.frames["image"][row]

    def mask_path(self, row: int) -> Path:
        """File of a row's mask."""
        return self.folder / self.frames["mask"][row]

    def garment_path(self, row: int) -> Path:
        """File of a row's mask of the loose garment; it exists where such garments are known."""
        return self.folder / garment_path(str(self.frames["mask"][row]))

    def load(self, row: int) -> Frame:
        """One frame with its image and mask.

        Raises:
            UserError: a picture is missing, broken or of another size than its row says.
            IndexError: there is no such row.
        """
        record = self.frames.record(row)
        image = self._picture(row, "image", COLOR)[..., ::-1]
        mask = self._picture(row, "mask", GREY)
        return Frame(
            image=torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255.0,
            mask=torch.from_numpy(mask)[None].float() / 255.0,
            camera=Cameras(_tensor(record.camera_from_world), _tensor(record.intrinsics), record.width, record.height),
            distortion=_tensor(record.distortion),
            pose=BodyPose(
                _tensor(record.joint_rotations),
                _tensor(record.root_rotation),
                _tensor(record.root_translation),
                _tensor(record.gaze),
            ),
            expression=_tensor(record.expression),
            joint_confidence=_tensor(record.joint_confidence),
            person_box=_tensor(record.person_box),
            face_box=_tensor(record.face_box),
            confidence_face=record.confidence_face,
            fit_quality=record.fit_quality,
            time=record.time,
            light_pattern=record.light_pattern,
            subject=self.info.id,
            row=row,
            garment=self._garment(row),
        )

    def picture_name(self, row: int, column: str) -> str:
        """What messages call the picture in ``column`` (``image`` or ``mask``) of a row."""
        return str(self.folder / self.frames[column][row])

    def picture_bytes(self, row: int, column: str) -> bytes:
        """The encoded picture in ``column`` (``image`` or ``mask``) of a row; encoded anew if it is in place.

        Raises:
            UserError: the file cannot be read.
        """
        elsewhere = self._read_in_place(row, column)
        if elsewhere is not None:
            return encode_picture(elsewhere, str(self.frames[column][row]))
        try:
            return Path(self.folder / self.frames[column][row]).read_bytes()
        except OSError as error:
            name = self.picture_name(row, column)
            raise UserError(f"Cannot read {name}: {error.strerror}. Restore it, or make the dataset again.") from error

    def garment_bytes(self, row: int) -> bytes | None:
        """The encoded mask of a row's loose garment; None where nothing is known of one.

        Raises:
            UserError: the file cannot be read.
        """
        path = self.garment_path(row)
        if not path.exists():
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise UserError(f"Cannot read {path}: {error.strerror}. Restore it, or make the dataset again.") from error

    def _garment(self, row: int) -> torch.Tensor | None:
        encoded = self.garment_bytes(row)
        if encoded is None:
            return None
        mask = decode_picture(encoded, str(self.garment_path(row)), GREY)
        self._check_size(row, mask, str(self.garment_path(row)))
        return torch.from_numpy(mask)[None].float() / 255.0

    def _read_in_place(self, row: int, column: str) -> np.ndarray | None:
        """A picture that is not the dataset's own, in OpenCV's channel order; None if it is."""
        path = str(self.frames[column][row])
        if self.in_place is None or path not in self.in_place.pictures or (self.folder / path).exists():
            return None
        if column == "mask":
            return self.in_place.mask(path)
        return np.ascontiguousarray(self.in_place.image(path)[..., ::-1])

    def _picture(self, row: int, column: str, flags: int) -> np.ndarray:
        picture = self._read_in_place(row, column)
        if picture is None:
            picture = decode_picture(self.picture_bytes(row, column), self.picture_name(row, column), flags)
        self._check_size(row, picture, self.picture_name(row, column))
        return picture

    def _check_size(self, row: int, picture: np.ndarray, name: str) -> None:
        size = int(self.frames["width"][row]), int(self.frames["height"][row])
        if picture.shape[1::-1] != size:
            raise UserError(
                f"{name} is {picture.shape[1]}x{picture.shape[0]}, but {FRAMES_FILE} says "
                f"{size[0]}x{size[1]}. Restore the picture, or make the dataset again."
            )


@dataclass(frozen=True)
class AvatarDataset:
    """A dataset folder."""

    root: Path
    info: DatasetInfo
    subjects: dict[str, Subject]
    """By id, sorted."""

    @staticmethod
    def open(root: Path) -> "AvatarDataset":
        """Open a dataset: reads the JSON files alone.

        Raises:
            SchemaError: it was written with another schema version, or is no dataset.
            UserError: the folder or a file of it is missing.
        """
        root = Path(root)
        info = read_dataset_info(root)
        folders = sorted(p for p in (root / SUBJECTS_FOLDER).glob("*") if p.is_dir() and not p.name.startswith("."))
        subjects = {folder.name: Subject(folder, _read_subject_info(folder), info) for folder in folders}
        return AvatarDataset(root, info, subjects)


def read_dataset_info(root: Path) -> DatasetInfo:
    """Read ``dataset.json``.

    Raises:
        SchemaError, UserError: as :meth:`AvatarDataset.open`.
    """
    path = Path(root) / DATASET_FILE
    if not path.exists() and (Path(root) / SHARDS_FILE).exists():
        raise UserError(f"{root} is a folder of shards, not a dataset. Turn it back with `lca-data unshard {root}`.")
    if not path.exists():
        raise UserError(
            f"{root} is not a dataset: it has no {DATASET_FILE}. Make one with `lca-data process` or `lca-data synth`."
        )
    return dataset_info(read_json(path), path)


def dataset_info(content: dict, path: Path) -> DatasetInfo:
    """The content of a ``dataset.json``.

    Raises:
        SchemaError: it has another schema version, or lacks something. The message names ``path``.
    """
    check_schema(content, path, "dataset", SCHEMA_VERSION)
    names = ("driven_joints", "shape_names", "expression_names")
    return DatasetInfo(**_known_fields(DatasetInfo, content, path, names))


def _read_subject_info(folder: Path) -> SubjectInfo:
    path = folder / SUBJECT_FILE
    return subject_info(read_json(path), path)


def subject_info(content: dict, path: Path) -> SubjectInfo:
    """The content of a ``subject.json``.

    Raises:
        SchemaError: it has another schema version, or lacks something. The message names ``path``.
    """
    check_schema(content, path, "subject", SCHEMA_VERSION)
    return SubjectInfo(**_known_fields(SubjectInfo, content, path, ("shape",)))


def _known_fields(kind: type, content: dict, path: Path, tuples: tuple[str, ...]) -> dict:
    names = {field.name for field in fields(kind)}
    missing = sorted(names - content.keys())
    if missing:
        raise SchemaError(f"{path} lacks {', '.join(missing)}. Make the dataset again.")
    wrong = sorted(field.name for field in fields(kind) if not _fits(content[field.name], field.type))
    if wrong:
        raise SchemaError(f"{path} holds something else than it should as {', '.join(wrong)}. Make the dataset again.")
    return {name: tuple(content[name]) if name in tuples else content[name] for name in names}


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value read from JSON is what a field of the schema wants."""
    if kind == tuple[str, ...]:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind == tuple[float, ...]:
        return isinstance(value, list) and all(type(one) in (int, float) and math.isfinite(one) for one in value)
    return isinstance(value, get_origin(kind) or kind)


def _tensor(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(array, np.float32))
