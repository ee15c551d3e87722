"""Shards back into the dataset folder they were made from."""

import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from lca_dataparsers.dataset.schema import DATASET_FILE, FRAMES_FILE, SUBJECT_FILE, SUBJECTS_FOLDER, garment_path
from lca_dataparsers.shards.format import ShardsInfo, read_info, safe_path
from lca_dataparsers.shards.reader import read_block_table
from lca_dataparsers.shards.tar_members import GARMENT, NO_GARMENT, PICTURES
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path

_MEMBER = re.compile(r"([A-Za-z0-9_][A-Za-z0-9._-]*)/(?:files/(.+)|(\d{5,})\.(.+))", re.DOTALL)
"""``<id>/files/<path>`` or ``<id>/<block>.<rest>``."""


def unpack(shards: Path, output: Path) -> tuple[int, int]:
    """Write the dataset that shards were made from; people appear whole or not at all.

    Returns:
        How many people the shards hold, and how many were in ``output`` already.

    Raises:
        UserError: the shards are broken, or name files outside the dataset's folder.
    """
    info = read_info(shards)
    folder = Path(output) / SUBJECTS_FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write {folder}: {error.strerror}. Choose a folder you may write to.") from error
    for left in folder.glob(".*.unpacking"):
        shutil.rmtree(left)
    kept = {path.name for path in folder.iterdir() if (path / SUBJECT_FILE).exists()}
    found: set[str] = set()
    members = _members(shards, info)
    last = None  # the person whose files are being read; they come after all pictures, person by person
    with tqdm(desc="unshard", unit="file", disable=None) as progress:
        for origin, name, content in members:
            progress.update()
            if name == DATASET_FILE:
                _write_dataset_file(Path(output) / DATASET_FILE, content)
                continue
            matched = _MEMBER.fullmatch(name)
            if matched is None:
                raise UserError(f"{origin} holds {name!r}, which is no part of a dataset. Do not use these shards.")
            subject, file = matched[1], matched[2]
            found.add(subject)
            if file is not None and subject != last:
                _put_in_place(folder, last, shards)
                last = None if subject in kept else subject
            if subject in kept:
                continue
            target = folder / f".{subject}.unpacking"
            if file is not None:
                _write(target / safe_path(file, origin), content)
            elif matched[4] == "rows.parquet":
                _write_pictures(origin, name, content, target, members)
            else:
                raise UserError(f"{origin}: {name!r} comes before the table of its block. Make the shards again.")
        _put_in_place(folder, last, shards)
    return len(found), len(found & kept)


def _put_in_place(folder: Path, subject: str | None, shards: Path) -> None:
    if subject is None:
        return
    target = folder / f".{subject}.unpacking"
    for needed in (SUBJECT_FILE, FRAMES_FILE):
        if not (target / needed).exists():
            raise UserError(f"{shards} lacks {needed} of {subject}. Make the shards again.")
    os.rename(target, folder / subject)


def _write_dataset_file(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() != content:
        raise UserError(f"{path.parent} holds another dataset already. Choose another output folder.")
    _write(path, content)


def _write_pictures(
    origin: str, name: str, content: bytes, target: Path, members: Iterator[tuple[str, str, bytes]]
) -> None:
    """The pictures that follow a block's table."""
    table, info = read_block_table(content, origin)
    key = name.removesuffix(".rows.parquet")
    if not key.startswith(f"{info.id}/"):
        raise UserError(f"{origin}: the table {name!r} says that it is {info.id!r}'s. Do not use these shards.")
    if any(column not in table.column_names for column in PICTURES):
        raise UserError(f"{origin}: the table {name!r} does not name its pictures. Make the shards again.")
    paths = {column: table.column(column).to_pylist() for column in PICTURES}
    if f"{GARMENT}_size" in table.column_names:
        sizes = table.column(f"{GARMENT}_size").to_pylist()
        paths[GARMENT] = [
            None if size == NO_GARMENT else garment_path(str(mask)) for mask, size in zip(paths["mask"], sizes)
        ]
    for ordinal in range(len(table)):
        for column, stored in paths.items():
            if stored[ordinal] is None and column == GARMENT:
                continue
            origin, picture, encoded = next(members, (origin, "nothing", b""))
            if not picture.startswith(f"{key}.{ordinal:04d}.{column}."):
                raise UserError(f"{origin} has {picture!r} where {column} {ordinal} of {key} should be. Copy it again.")
            _write(target / safe_path(stored[ordinal], origin), encoded)


def _members(shards: Path, info: ShardsInfo) -> Iterator[tuple[str, str, bytes]]:
    """(tar file, member's name, content) of every member of every shard, in order; pictures first."""
    names = [name for group in info.groups.values() for name in group.shards] + list(info.files)
    for name in names:
        path = Path(shards) / name
        try:
            with tarfile.open(path, "r:") as tar:
                for entry in tar:
                    if not entry.isreg():
                        raise UserError(
                            f"{path} holds {entry.name!r}, which is no plain file. Do not use these shards."
                        )
                    safe_path(entry.name, str(path))
                    content = tar.extractfile(entry)
                    yield str(path), entry.name, content.read() if content is not None else b""
        except (OSError, tarfile.TarError) as error:
            raise UserError(f"Cannot read {path}: {error}. Copy it again, or make the shards again.") from error


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
