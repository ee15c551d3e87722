"""Where a picture comes from; :mod:`.treatment` says what it goes through before anybody sees it.

Importers use this to copy pictures into a dataset; a dataset whose pictures stayed in the capture keeps the same in
``sources.json`` of each subject and reads them in place.
"""

import io
import os
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lca_dataparsers.dataset.treatment import MASK_RULES, Treatment
from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import check_schema, read_json, write_json

SCHEMA_VERSION = 1
SOURCES_FILE = "sources.json"
LARGEST_PICTURE = 400_000_000
"""Bytes of an encoded picture; what is larger is no picture."""
LARGEST_SIDE = 20_000
"""Pixels."""
OPEN_ARCHIVES = 48
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError)
"""What zipfile and h5py raise for members that are damaged, encrypted or compressed in unknown ways."""


@dataclass(frozen=True)
class PictureSource:
    """A picture in a file, in a member of a zip archive, or in a data set of an HDF5 file."""

    file: str
    """Relative to the capture's root."""
    member: str = ""
    """Inside ``file`` if that is an archive."""

    def name(self, root: Path) -> str:
        """What messages call it."""
        return f"{root / self.file}" + (f" ({self.member})" if self.member else "")


class SourceReader:
    """Reads pictures of a capture; archives stay open between calls. Safe to use from several threads.

    Args:
        root: what sources are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self._lock = threading.RLock()
        self._open: OrderedDict[str, Any] = OrderedDict()

    def bytes(self, source: PictureSource) -> bytes:
        """The encoded picture.

        Raises:
            UserError: it is missing, lies outside the capture, or its archive is damaged.
        """
        path = safe_path(self.root, source.file)
        try:
            if not source.member:
                self._check_size(path.stat().st_size, source)
                return path.read_bytes()
            with self._lock:
                archive = self._archive(path)
                if isinstance(archive, zipfile.ZipFile):
                    self._check_size(archive.getinfo(source.member).file_size, source)
                    return archive.read(source.member)
                return np.asarray(archive[source.member][()], np.uint8).tobytes()
        except (KeyError, FileNotFoundError) as error:
            raise UserError(f"{source.name(self.root)} is missing. Restore the capture, or import it again.") from error
        except _UNREADABLE as error:
            raise UserError(f"{source.name(self.root)} cannot be read ({error}). Restore the file.") from error

    def image(self, source: PictureSource, treatment: Treatment) -> np.ndarray:
        """A picture as it is seen, uint8 [h, w, 3] RGB.

        Raises:
            UserError: it is missing or no picture.
        """
        return treatment.image(decode(self.bytes(source), source.name(self.root), gray=False))

    def mask(self, source: PictureSource, treatment: Treatment) -> np.ndarray:
        """A mask as it is seen, uint8 [h, w], 255 = person.

        Raises:
            UserError: it is missing or no picture.
        """
        return treatment.person_mask(decode(self.bytes(source), source.name(self.root), gray=True))

    def close(self) -> None:
        """Close the archives."""
        with self._lock:
            for archive in self._open.values():
                archive.close()
            self._open.clear()

    def _check_size(self, size: int, source: PictureSource) -> None:
        if size > LARGEST_PICTURE:
            raise UserError(f"{source.name(self.root)} says it is {size} bytes long: that is no picture.")

    def _archive(self, path: Path) -> Any:
        key = str(path)
        if key not in self._open:
            self._open[key] = open_archive(path)
            while len(self._open) > OPEN_ARCHIVES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(key)
        return self._open[key]


def open_archive(path: Path) -> Any:
    """A zip archive or an HDF5 file (``.smc``, ``.h5``), open for reading.

    Raises:
        OSError, zipfile.BadZipFile: it is neither, or damaged.
    """
    if path.suffix in (".smc", ".h5", ".hdf5"):
        import h5py

        return h5py.File(path, "r")
    return zipfile.ZipFile(path)


def safe_path(root: Path, inside: str) -> Path:
    """A path of a capture.

    Raises:
        UserError: it leads out of the capture's folder.
    """
    plain = PurePosixPath(inside)
    if plain.is_absolute() or ".." in plain.parts or "\\" in inside or "\0" in inside:
        raise UserError(f"{root}: the path {inside!r} leads out of the capture. Nothing was read from there.")
    return root / plain


def decode(encoded: bytes, name: str, gray: bool) -> np.ndarray:
    """A picture as uint8: [h, w, 3] RGB, or [h, w] if ``gray`` (the largest channel; of ``.npy`` as stored).

    Raises:
        UserError: it is none, or absurdly large.
    """
    from PIL import Image, UnidentifiedImageError

    if encoded[:6] == b"\x93NUMPY":
        return _numpy_mask(encoded, name)
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            if max(picture.size) > LARGEST_SIDE:
                raise UserError(f"{name} says it is {picture.size[0]} x {picture.size[1]} pixels: that is no picture.")
            if gray:
                array = np.asarray(picture if picture.mode in ("L", "P", "I;16", "I") else picture.convert("RGB"))
                array = array.max(axis=2) if array.ndim == 3 else array
                return np.ascontiguousarray(np.clip(array, 0, 255).astype(np.uint8))
            return np.ascontiguousarray(np.asarray(picture.convert("RGB")))
    except UserError:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} is not a readable picture ({error}). Restore it.") from error


def _numpy_mask(encoded: bytes, name: str) -> np.ndarray:
    try:
        array = np.load(io.BytesIO(encoded), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{name} is not a readable array ({error}). Restore it.") from error
    if array.ndim != 2:
        raise UserError(f"{name} holds an array of shape {array.shape}, not a mask.")
    return np.clip(array.astype(np.float64) * (255 if array.max(initial=0) <= 1 else 1), 0, 255).astype(np.uint8)


def picture_size(encoded: bytes, name: str) -> tuple[int, int]:
    """Width and height of an encoded picture, without decoding it.

    Raises:
        UserError: it is no picture.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            return picture.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{name} is not a readable picture ({error}). Restore it.") from error


@dataclass(frozen=True)
class InPlacePictures:
    """The content of ``sources.json``: pictures of a subject that stayed where they were."""

    root: Path
    pictures: Mapping[str, tuple[PictureSource, str]]
    """By path in the table: the source, and the name of its treatment."""
    treatments: Mapping[str, Treatment]

    @cached_property
    def reader(self) -> SourceReader:
        """Keeps archives open. Raises UserError if the capture is gone."""
        if not os.path.isdir(self.root):
            raise UserError(
                f"{self.root} is gone: pictures of this dataset stayed there. Put it back, or edit root in the "
                f"{SOURCES_FILE} of each subject."
            )
        return SourceReader(self.root)

    def image(self, path: str) -> np.ndarray:
        """uint8 [h, w, 3] RGB. Raises UserError as :class:`SourceReader`; KeyError if the path is not listed."""
        source, treatment = self.pictures[path]
        return self.reader.image(source, self.treatments[treatment])

    def mask(self, path: str) -> np.ndarray:
        """uint8 [h, w], 255 = person. Raises as :meth:`image`."""
        source, treatment = self.pictures[path]
        return self.reader.mask(source, self.treatments[treatment])

    def save(self, folder: Path) -> None:
        """Write ``sources.json`` into a subject's folder."""
        content = {
            "root": str(self.root),
            "treatments": {name: asdict(treatment) for name, treatment in self.treatments.items()},
            "pictures": {path: [source.file, source.member, name] for path, (source, name) in self.pictures.items()},
        }
        write_json(folder / SOURCES_FILE, {"kind_of_file": "sources", "schema_version": SCHEMA_VERSION, **content})


def read_sources(folder: Path) -> InPlacePictures | None:
    """``sources.json`` of a subject's folder; None where all pictures are the dataset's own.

    Raises:
        SchemaError: the file has another schema version, or does not follow it.
    """
    path = folder / SOURCES_FILE
    if not path.exists():
        return None
    content = read_json(path)
    check_schema(content, path, "sources", SCHEMA_VERSION)
    try:
        treatments = {name: _treatment(values) for name, values in content["treatments"].items()}
        pictures = {
            inside: (PictureSource(file, member), name) for inside, (file, member, name) in content["pictures"].items()
        }
        root = Path(content["root"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(f"{path} does not follow its schema ({error!r}). Import the capture again.") from error
    return InPlacePictures(root, pictures, treatments)


def _treatment(values: dict[str, Any]) -> Treatment:
    names = {f.name for f in fields(Treatment)}
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in names}
    found = Treatment(**plain)
    if found.mask not in MASK_RULES:
        raise ValueError(f"no mask rule {found.mask!r}")
    return found
