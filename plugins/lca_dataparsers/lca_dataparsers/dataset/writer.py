"""Writing a dataset: ``dataset.json`` first, then subjects that appear whole or not at all."""

import os
import re
import shutil
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lca_dataparsers.dataset.lights import LightRig
from lca_dataparsers.dataset.reader import read_dataset_info
from lca_dataparsers.dataset.schema import (
    ARRAY_FIELDS,
    DATASET_FILE,
    FRAMES_FILE,
    GARMENTS_FOLDER,
    KINDS,
    ROW_FIELDS,
    SCHEMA_VERSION,
    SPLITS,
    SUBJECT_FILE,
    SUBJECTS_FOLDER,
    VISIBLE_FIELD,
    DatasetInfo,
    FrameRecord,
    SubjectInfo,
    array_shapes,
    frame_schema,
    garment_path,
)
from lca_dataparsers.dataset.sources import InPlacePictures
from lca_shared.errors import UserError
from lca_shared.storage import write_json

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
WrittenFrame = (
    tuple[FrameRecord, np.ndarray | None, np.ndarray]
    | tuple[FrameRecord, np.ndarray | None, np.ndarray, np.ndarray | None]
    | tuple[FrameRecord, Path, Path]
)
"""A row with its picture, its mask and perhaps a mask of the loose garment; or with files that hold the first two."""
_SAME = ("kind", "body_model", "driven_joints", "shape_names", "expression_names")


class DatasetWriter:
    """Writes one dataset folder; several processes may write different subjects of it at once.

    Args:
        root: the folder; made if absent. A dataset that is there already is added to.
        info: goes to ``dataset.json``.
        image_format: ``jpg`` (quality ``jpeg_quality``, full colour resolution) or ``png`` (lossless).
        jpeg_quality: 1 to 100.

    Raises:
        UserError: the folder cannot be written, or holds a dataset of another kind or body model.
        SchemaError: it holds a dataset of another schema version.
    """

    def __init__(
        self, root: Path, info: DatasetInfo, *, image_format: Literal["jpg", "png"] = "jpg", jpeg_quality: int = 95
    ) -> None:
        if info.kind not in KINDS:
            raise ValueError(f"kind must be one of {KINDS}, not {info.kind!r}")
        self.root, self.info = Path(root), info
        self._image_format, self._jpeg_quality = image_format, jpeg_quality
        if (self.root / DATASET_FILE).exists():
            self._check_same(read_dataset_info(self.root))
        else:
            content = {"kind_of_file": "dataset", "schema_version": SCHEMA_VERSION, **asdict(info)}
            write_json(self.root / DATASET_FILE, content)
        self._make(self.root / SUBJECTS_FOLDER)

    def has_subject(self, subject: str) -> bool:
        """Whether a subject has been written (whole)."""
        return (self.root / SUBJECTS_FOLDER / subject / SUBJECT_FILE).exists()

    def remove_leftovers(self) -> None:
        """Remove what killed writers left behind. Call it only while nothing else writes here."""
        for folder in (self.root / SUBJECTS_FOLDER).glob(".*.writing"):
            shutil.rmtree(folder)

    def write_subject(
        self,
        subject: SubjectInfo,
        frames: Iterable[WrittenFrame],
        *,
        overwrite: bool = False,
        lights: LightRig | None = None,
        in_place: InPlacePictures | None = None,
        backgrounds: Mapping[str, np.ndarray] | None = None,
        work: Path | None = None,
    ) -> Path:
        """Write a subject; frames are taken one at a time, so that a generator keeps memory small.

        Args:
            subject: goes to ``subject.json``.
            frames: records with image (uint8 [h, w, 3] RGB), mask (uint8 [h, w], 255 = person) and, if it is known,
                mask of the loose garment (the same, 255 = garment; or None). The record's ``image``, ``mask``,
                ``width`` and ``height`` are set here. Pairs (frame, camera) must be unique. Of paths to a picture
                and a mask in the writer's formats, of the size that the record says, the files are taken over.
            overwrite: replace a subject of the same id.
            lights: of a light stage; goes to ``lights.json``.
            in_place: where pictures lie that are not copied: of frames whose path (``picture_paths``) is listed there
                only the row is written.
            backgrounds: the empty studio by camera (uint8 [h, w, 3] RGB); goes to ``backgrounds/{camera}.png``.
            work: a folder on the same disk where the subject is put together. It is kept if that breaks off, and
                images that are in it need not be given again (None in place of the image).

        Returns:
            The subject's folder.

        Raises:
            UserError: the subject exists, no frames came, or the disk refuses.
            ValueError: a record does not follow the schema.
        """
        if not _ID.fullmatch(subject.id):
            raise ValueError(f"subject id {subject.id!r}: use letters, digits, '.', '_' and '-'")
        if subject.split not in SPLITS:
            raise ValueError(f"split must be one of {SPLITS}, not {subject.split!r}")
        if len(subject.shape) != len(self.info.shape_names):
            raise ValueError(f"{len(subject.shape)} shape coefficients, {len(self.info.shape_names)} names")
        target = self.root / SUBJECTS_FOLDER / subject.id
        if target.exists() and not overwrite:
            raise UserError(f"{target} exists already. Remove it, or choose another output folder.")
        folder = work or target.with_name(f".{subject.id}.{os.getpid()}.writing")
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
        try:
            for name in ("images", "masks"):
                self._make(folder / name)
            elsewhere = in_place.pictures if in_place is not None else {}
            records = [self._write_frame(folder, frame, elsewhere) for frame in frames]
            if not records:
                raise UserError(f"Subject {subject.id} has no frames; nothing was written to {self.root}.")
            names = {record.image for record in records}
            if len(names) != len(records):
                raise ValueError("two records share frame and camera")
            self._write_table(folder / FRAMES_FILE, records)
            if lights is not None:
                lights.save(folder)
            if in_place is not None:
                in_place.save(folder)
            for camera, picture in (backgrounds or {}).items():
                self._make(folder / "backgrounds")
                _write_picture(folder / "backgrounds" / f"{camera}.png", picture[..., ::-1], [])
            content = {"kind_of_file": "subject", "schema_version": SCHEMA_VERSION, **asdict(subject)}
            write_json(folder / SUBJECT_FILE, content)
            self._put_in_place(folder, target)
        finally:
            if work is None:
                shutil.rmtree(folder, ignore_errors=True)
        return target

    def picture_paths(self, frame: int, camera: str) -> tuple[str, str]:
        """Paths of a frame's image and mask, relative to the subject's folder."""
        stem = f"{frame:06d}_{camera}"
        return f"images/{stem}.{self._image_format}", f"masks/{stem}.png"

    def write_image(self, path: Path, image: np.ndarray) -> None:
        """Write a picture (uint8 [h, w, 3] RGB) as this dataset's pictures are, anywhere."""
        options = []
        if self._image_format == "jpg":
            sampling = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
            options = [cv2.IMWRITE_JPEG_QUALITY, self._jpeg_quality, *sampling]
        _write_picture(path, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)

    def _write_frame(self, folder: Path, frame: WrittenFrame, elsewhere: Container[str]) -> FrameRecord:
        record, image, mask = frame[:3]
        if isinstance(image, Path) or isinstance(mask, Path):
            return self._take_over(folder, record, image, mask)
        garment = frame[3] if len(frame) == 4 else None
        if image is not None and (image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3):
            raise ValueError(f"images are uint8 [h, w, 3], not {image.dtype} {image.shape}")
        height, width = mask.shape if image is None else image.shape[:2]
        for one in (mask,) if garment is None else (mask, garment):
            if one.dtype != np.uint8 or one.shape != (height, width):
                raise ValueError(f"masks are uint8 {(height, width)}, not {one.dtype} {one.shape}")
        self._check_arrays(record)
        image_path, mask_path = self.picture_paths(record.frame, record.camera)
        record = replace(record, image=image_path, mask=mask_path, width=width, height=height)
        if image is None and record.image not in elsewhere and not (folder / record.image).exists():
            raise ValueError(f"no image for {record.image}, and none was written before")
        if image is not None and record.image not in elsewhere:
            self.write_image(folder / record.image, image)
        if record.mask not in elsewhere:
            _write_picture(folder / record.mask, mask, [])
        if garment is not None:
            self._make(folder / GARMENTS_FOLDER)
            _write_picture(folder / garment_path(record.mask), garment, [])
        return record

    def _take_over(
        self, folder: Path, record: FrameRecord, image: Path | np.ndarray | None, mask: Path | np.ndarray
    ) -> FrameRecord:
        self._check_arrays(record)
        image_path, mask_path = self.picture_paths(record.frame, record.camera)
        for name, file in ((image_path, image), (mask_path, mask)):
            if not isinstance(file, Path) or file.suffix != Path(name).suffix:
                raise ValueError(f"a file {Path(name).suffix} is needed for {name}, not {file}")
            try:
                _link_or_copy(file, folder / name)
            except OSError as error:
                raise UserError(f"Cannot write {folder / name}: {error.strerror}.") from error
        return replace(record, image=image_path, mask=mask_path)

    def _check_arrays(self, record: FrameRecord) -> None:
        for name, shape in array_shapes(self.info).items():
            if name == VISIBLE_FIELD and record.joint_visible is None:
                continue
            if np.shape(getattr(record, name)) != shape:
                raise ValueError(f"{name} has shape {np.shape(getattr(record, name))}, not {shape}")

    def _write_table(self, path: Path, records: list[FrameRecord]) -> None:
        columns = {}
        visible = all(record.joint_visible is not None for record in records)
        for name in (*ROW_FIELDS, VISIBLE_FIELD) if visible else ROW_FIELDS:
            values = [getattr(record, name) for record in records]
            if name in ARRAY_FIELDS or name == VISIBLE_FIELD:
                values = [np.asarray(value, np.float32).ravel() for value in values]
            columns[name] = values
        schema = frame_schema(visible).with_metadata({"schema_version": str(SCHEMA_VERSION)})
        pq.write_table(pa.table(columns, schema=schema), path)

    def _put_in_place(self, folder: Path, target: Path) -> None:
        old = target.with_name(f".{target.name}.old.{os.getpid()}.writing")
        if target.exists():
            os.rename(target, old)
        os.rename(folder, target)
        shutil.rmtree(old, ignore_errors=True)

    def _check_same(self, found: DatasetInfo) -> None:
        different = [name for name in _SAME if getattr(found, name) != getattr(self.info, name)]
        if different:
            raise UserError(
                f"{self.root} holds another dataset already (its {', '.join(different)} differ). "
                "Choose another output folder."
            )

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot write {folder}: {error.strerror}. Choose a folder you may write to.") from error


def _link_or_copy(file: Path, target: Path) -> None:
    """A second name for a file, or a copy where the disk knows no second names."""
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def _write_picture(path: Path, picture: np.ndarray, options: list[int]) -> None:
    ok, encoded = cv2.imencode(path.suffix, np.ascontiguousarray(picture), options)
    if not ok:
        raise ValueError(f"cannot encode a picture of shape {picture.shape} as {path.suffix}")
    try:
        part = path.with_name(f"{path.name}.part")  # a file of the right name is whole
        part.write_bytes(encoded.tobytes())
        os.replace(part, path)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}.") from error
