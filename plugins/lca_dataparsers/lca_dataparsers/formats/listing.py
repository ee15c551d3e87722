"""Careful reading of what a capture's folder holds: names, numbers and archives written by others."""

import csv
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lca_dataparsers.dataset.sources import PictureSource, SourceReader, picture_size
from lca_shared.errors import UserError
from lca_shared.tensors import Float

PICTURE_SUFFIXES = (".avif", ".jpg", ".jpeg", ".png", ".webp")
MOST_MEMBERS = 2_000_000
LARGEST_TEXT = 400_000_000
"""Bytes of a JSON or CSV file."""


def require(path: Path, what: str, folder: bool = False) -> Path:
    """``path``, if it is there.

    Raises:
        UserError: it is not; the message says what it should be.
    """
    if not (path.is_dir() if folder else path.is_file()):
        raise UserError(f"{path} is missing: {what}. Check that the download is whole and that SOURCE is its folder.")
    return path


def read_text(path: Path, what: str) -> str:
    """A text file.

    Raises:
        UserError: it is missing, absurdly large or no text.
    """
    require(path, what)
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise UserError(f"{path} is {path.stat().st_size} bytes long: that is not {what}. Restore it.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text ({error}). Restore it.") from error


def read_json(path: Path, what: str) -> Any:
    """A JSON file.

    Raises:
        UserError: it is missing or no JSON.
    """
    try:
        return json.loads(read_text(path, what))
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path} is not valid JSON ({error}). Restore it.") from error


def read_table(path: Path, what: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a CSV file with a header.

    Raises:
        UserError: it is missing, empty or lacks a column.
    """
    try:
        rows = list(csv.DictReader(read_text(path, what).splitlines(), skipinitialspace=True))
    except csv.Error as error:
        raise UserError(f"{path} is not a readable table ({error}). Restore it.") from error
    header = set(rows[0]) if rows else set()
    missing = [name for name in columns if name not in header]
    if missing:
        raise UserError(f"{path} has no rows with the columns {', '.join(missing)}: it should be {what}. Restore it.")
    if any(row[name] is None for row in rows for name in columns):
        raise UserError(f"{path} has a row that ends too early. Restore it.")
    return rows


def number(value: Any, path: Path, what: str) -> float:
    """A finite number.

    Raises:
        UserError: it is none.
    """
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if not np.isfinite(found) or isinstance(value, bool):
        raise UserError(f"{path}: {what} is {str(value)[:40]!r}, not a finite number. Restore the file.")
    return found


def whole(value: Any, path: Path, what: str) -> int:
    """A whole number that is not negative.

    Raises:
        UserError: it is none.
    """
    found = number(value, path, what)
    if found != int(found) or not 0 <= found < 1e9:
        raise UserError(f"{path}: {what} is {value!r}, not a whole number. Restore the file.")
    return int(found)


def matrix(value: Any, shape: tuple[int, ...], path: Path, what: str) -> Float[np.ndarray, "..."]:
    """An array of finite numbers of a given shape, float64.

    Raises:
        UserError: it is none.
    """
    try:
        found = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.shape != shape or not np.isfinite(found).all():
        raise UserError(f"{path}: {what} is not {' x '.join(map(str, shape))} finite numbers. Restore the file.")
    return found


def zip_members(path: Path) -> list[str]:
    """Names of the files in a zip archive.

    Raises:
        UserError: it is missing or damaged, or a name leads out of the archive.
    """
    require(path, "an archive of the capture")
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, EOFError) as error:
        raise UserError(f"{path} is not a readable zip archive ({error}). Download it again.") from error
    if len(names) > MOST_MEMBERS:
        raise UserError(f"{path} lists {len(names)} files: that is no archive of a capture.")
    for name in names:
        plain = PurePosixPath(name)
        if plain.is_absolute() or ".." in plain.parts or "\\" in name or "\0" in name:
            raise UserError(f"{path} holds {name!r}, which leads out of the archive. Nothing of it was read.")
    return [name for name in names if not name.endswith("/")]


def numbered(names: list[str], suffixes: tuple[str, ...] = PICTURE_SUFFIXES) -> dict[int, str]:
    """Pictures by the number that their name ends with; names without one are left out."""
    found = {}
    for name in sorted(names):
        plain = PurePosixPath(name)
        match = re.search(r"(\d{1,9})$", plain.stem)
        if plain.suffix.lower() in suffixes and match and not plain.name.startswith("."):
            found[int(match[1])] = name
    return found


def archived(root: Path, folder: str, camera: str) -> dict[int, PictureSource]:
    """Pictures of a camera by number, from ``folder/cam{ID}.zip``, or unpacked in ``folder/cam{ID}/``.

    Raises:
        UserError: the archive is damaged.
    """
    archive = root / folder / f"cam{camera}.zip"
    if archive.is_file():
        names = numbered(zip_members(archive))
        return {frame: PictureSource(f"{folder}/{archive.name}", name) for frame, name in names.items()}
    loose = root / folder / f"cam{camera}"
    if loose.is_dir():
        names = numbered([p.name for p in loose.iterdir()])
        return {frame: PictureSource(f"{folder}/{loose.name}/{name}") for frame, name in names.items()}
    return {}


def stored_size(root: Path, source: PictureSource) -> tuple[int, int]:
    """Width and height of a stored picture.

    Raises:
        UserError: it is missing or no picture.
    """
    reader = SourceReader(root)
    try:
        return picture_size(reader.bytes(source), source.name(root))
    finally:
        reader.close()


def folders(path: Path) -> Iterator[Path]:
    """Sub-folders in order, hidden ones left out."""
    yield from sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
