"""What a folder of shards holds (docs/data_format.md says it in prose).

``shards.json``; tar files ``<group>-00000.tar``; and for every group of frames two tables of fixed-size records,
``<group>.blocks.npy`` and ``<group>.subjects.npy``. A reader takes single records out of them and never holds a whole
table, so that memory does not grow with the number of people.
"""

import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lca_dataparsers.dataset.reader import dataset_info
from lca_dataparsers.dataset.schema import SCHEMA_VERSION, SHARDS_FILE, DatasetInfo
from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import check_schema, read_json, write_json

SHARDS_VERSION = 1
"""Raised whenever a reader of the previous version would misread the files."""
GROUPS = ("train", "val", "test", "unused")
"""Groups of frames; ``unused`` frames are read by ``lca-data unshard`` alone."""
FILES_GROUP = "files"
"""Everything in the subjects' folders but pictures: read by ``lca-data unshard`` alone."""
SUBJECT_METADATA = b"subject"
"""Key of ``subject.json`` in the metadata of a block's table."""
LIGHTS_METADATA = b"lights"
"""Key of ``lights.json`` there, if the subject has one."""

BLOCK = np.dtype(
    [
        ("shard", "<i4"),  # number of the tar file in its group
        ("rows", "<i4"),
        ("choices", "<i4"),  # most references that leave a moment to explain
        ("table_size", "<i4"),  # bytes of the Parquet table
        ("table", "<i8"),  # its place in the tar file
        ("pictures", "<i8"),  # where the members with pictures begin; offsets in the table count from here
        ("size", "<i8"),  # bytes from there to the block's end
    ]
)
"""A record of ``<group>.blocks.npy``: some frames of one person. A person's blocks follow each other."""

_SHARD_NAME = re.compile(r"[a-z]+-\d{5,}\.tar")


def subject_record(id_bytes: int) -> np.dtype:
    """A record of ``<group>.subjects.npy``, for ids of at most ``id_bytes`` bytes."""
    return np.dtype(
        [
            ("first_block", "<i8"),
            ("blocks", "<i4"),
            ("in_train", "<i8"),  # the same person's number in the group train; -1: not trained on
            ("id", f"S{max(1, id_bytes)}"),
        ]
    )


@dataclass(frozen=True)
class Group:
    """What ``shards.json`` says about a group."""

    subjects: int
    blocks: int
    rows: int
    shards: tuple[str, ...]
    """File names, in order."""
    first_subjects: tuple[int, ...]
    """Number of the first person whose first block lies in each shard or after it; increasing."""


@dataclass(frozen=True)
class ShardsInfo:
    """``shards.json``."""

    dataset: DatasetInfo
    fingerprint: str
    """Hash of the dataset's tables and the settings that were used."""
    by_person: bool
    """Whether somebody is held out; otherwise ``val`` holds frames of people in ``train``."""
    files: tuple[str, ...]
    """Tar files of the group ``files``."""
    groups: dict[str, Group]


def shard_name(group: str, number: int) -> str:
    """File name of a shard."""
    return f"{group}-{number:05d}.tar"


def is_shards(root: Path) -> bool:
    """Whether ``root`` is a folder of shards."""
    return (Path(root) / SHARDS_FILE).exists()


def write_info(root: Path, info: ShardsInfo) -> None:
    """Write ``shards.json``; it comes last, so a folder that has it is whole."""
    content = {"kind_of_file": "shards", "schema_version": SHARDS_VERSION, **asdict(info)}
    content["dataset"] = {"kind_of_file": "dataset", "schema_version": SCHEMA_VERSION, **asdict(info.dataset)}
    write_json(root / SHARDS_FILE, content)


def read_info(root: Path) -> ShardsInfo:
    """Read ``shards.json``.

    Raises:
        SchemaError: it has another schema version, or does not follow the schema.
        UserError: it is missing, or a writer has not finished.
    """
    path = Path(root) / SHARDS_FILE
    if not path.exists():
        raise UserError(
            f"{root} is not a folder of shards: it has no {SHARDS_FILE}. Make one with `lca-data shard DATASET "
            f"--output-dir {root}`; run the same command again if it was stopped."
        )
    content = read_json(path)
    check_schema(content, path, "shards", SHARDS_VERSION)
    try:
        groups = {name: _group(values) for name, values in content["groups"].items()}
        info = ShardsInfo(
            dataset_info(content["dataset"], path),
            str(content["fingerprint"]),
            bool(content["by_person"]),
            tuple(content["files"]),
            groups,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise SchemaError(f"{path} does not follow the schema ({error!r}). Make the shards again.") from error
    for name in [*info.files, *(name for group in groups.values() for name in group.shards)]:
        if not isinstance(name, str) or not _SHARD_NAME.fullmatch(name):
            raise SchemaError(f"{path} names a shard {name!r}, which is no shard's name. Make the shards again.")
    if not set(groups) <= set(GROUPS):
        raise SchemaError(f"{path} has unknown groups {sorted(set(groups) - set(GROUPS))}. Make the shards again.")
    return info


def _group(values: dict[str, Any]) -> Group:
    firsts = tuple(int(first) for first in values["first_subjects"])
    return Group(int(values["subjects"]), int(values["blocks"]), int(values["rows"]), tuple(values["shards"]), firsts)


def safe_path(name: str, origin: str) -> PurePosixPath:
    """A relative path found inside a shard.

    Raises:
        UserError: it would lead out of the folder it is relative to. The message names ``origin``.
    """
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.parts:
        raise UserError(f"{origin} names a file {name!r} outside its folder. Do not use these shards.")
    return path
