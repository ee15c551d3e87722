"""Writing shards: whole or absent, and kept by the next run of the same command."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_dataparsers.dataset.schema import DATASET_FILE, FRAMES_FILE, GARMENTS_FOLDER, SUBJECT_FILE, garment_path
from lca_dataparsers.shards.blocks import blocks_of_rows, choices, shuffled
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.format import (
    BLOCK,
    FILES_GROUP,
    GROUPS,
    SHARDS_VERSION,
    Group,
    ShardsInfo,
    is_shards,
    read_info,
    shard_name,
    subject_record,
    write_info,
)
from lca_dataparsers.shards.tar_members import PICTURES, append_block, member
from lca_dataparsers.split import row_labels, split_by_person
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, write_json

WORK_FOLDER = ".writing"
"""What a run knows about the shards it has finished; removed at the end."""
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Piece:
    """Something that is written to a shard without a break."""

    key: str
    """Changes whenever what is written changes."""
    write: Callable[[tarfile.TarFile], dict[str, int]]
    """Appends it; returns the fields of its index record."""


def write_shards(config: ShardConfig) -> tuple[ShardsInfo, int]:
    """Write a dataset's shards and their index.

    Returns:
        What is in the folder now, and how many shards this run wrote.

    Raises:
        UserError: a file is missing or broken, or the folder holds other shards.
    """
    dataset = AvatarDataset.open(config.dataset)
    if not dataset.subjects:
        raise UserError(f"{config.dataset} has no subjects yet. Fill it with `lca-data process` or `lca-data synth`.")
    prints = {name: _fingerprint(subject) for name, subject in dataset.subjects.items()}
    split = config.split.of(dataset.info.kind)
    settings = [SHARDS_VERSION, config.shard_megabytes, config.block_frames, config.seed, repr(split)]
    fingerprint = hashlib.sha256(json.dumps([settings, sorted(prints.items())]).encode()).hexdigest()
    if is_shards(config.output_dir):
        found = read_info(config.output_dir)
        if found.fingerprint != fingerprint:
            raise UserError(
                f"{config.output_dir} holds shards of other data or settings. Choose another folder, or remove it."
            )
        return found, 0
    work = config.output_dir / WORK_FOLDER
    limit = config.shard_megabytes * MEGABYTE
    planner = Planner(config, dataset, prints)
    groups, written, train_numbers = {}, 0, {}
    with tqdm(total=len(dataset.subjects) * (len(GROUPS) + 1), desc="shard", unit="step", disable=None) as progress:
        for name in GROUPS:
            writer = ShardWriter(config.output_dir, name, limit, work)
            people: list[str] = []
            writer.write(planner.pieces(name, people, progress.update))
            written += writer.written
            groups[name] = _write_index(config.output_dir, name, people, writer, train_numbers)
            if name == "train":
                train_numbers = {subject: number for number, subject in enumerate(dict.fromkeys(people))}
        files = ShardWriter(config.output_dir, FILES_GROUP, limit, work)
        files.write(planner.files(progress.update))
    info = ShardsInfo(dataset.info, fingerprint, split_by_person(dataset), tuple(files.shards), groups)
    write_info(config.output_dir, info)
    shutil.rmtree(work, ignore_errors=True)
    return info, written + files.written


class Planner:
    """What goes into each group, in order."""

    def __init__(self, config: ShardConfig, dataset: AvatarDataset, prints: dict[str, str]) -> None:
        self.config, self.dataset, self.prints = config, dataset, prints
        self.order = shuffled(list(dataset.subjects), config.seed)
        self._labels, self._by_person = row_labels(dataset, config.split), split_by_person(dataset)

    def pieces(self, group: str, people: list[str], done: Callable[[], object]) -> Iterator[Piece]:
        """The blocks of a group; the person of each is appended to ``people`` when its block is handed out."""
        for name in self.order:
            done()
            split = self.dataset.subjects[name].info.split
            if self._by_person and group not in (split, "unused"):
                continue
            subject = self._opened(name)
            moments = subject.frames["frame"]
            rows = self._rows(subject, group)
            for number, block in enumerate(blocks_of_rows(moments, rows, self.config.block_frames, f"{group}/{name}")):
                people.append(name)
                yield self._piece(subject, number, block, choices(moments[block]))

    def files(self, done: Callable[[], object]) -> Iterator[Piece]:
        """``dataset.json``, and every file of the subjects' folders that is no picture of a row."""
        path = self.dataset.root / DATASET_FILE
        yield Piece(_hash(path.read_bytes()), lambda tar: _append_file(tar, DATASET_FILE, path))
        for name in self.order:
            done()
            subject = self._opened(name)
            pictures = {str(path) for column in PICTURES for path in subject.frames[column]}
            pictures |= {garment_path(str(mask)) for mask in subject.frames["mask"]}
            for file in sorted(p for p in subject.folder.rglob("*") if p.is_file() and not p.is_symlink()):
                inside = file.relative_to(subject.folder).as_posix()
                if inside not in pictures:
                    key = f"{self.prints[name]}/{inside}/{file.stat().st_size}"
                    yield Piece(key, lambda tar, file=file, to=f"{name}/files/{inside}": _append_file(tar, to, file))

    def _rows(self, subject: Subject, group: str) -> np.ndarray:
        labels = np.where(subject.frames.weights > 0, self._labels(subject), "unused")
        labels = np.where(np.isin(labels, GROUPS), labels, "unused")
        if (labels == "train").sum() < 2:  # nobody can be made of one frame and explained by another
            labels = np.where(labels == "train", "unused", labels)
        return np.flatnonzero(labels == group)

    def _piece(self, subject: Subject, number: int, rows: np.ndarray, most: int) -> Piece:
        chosen = [int(row) for row in rows]

        def write(tar: tarfile.TarFile) -> dict[str, int]:
            return {"rows": len(chosen), "choices": most, **append_block(tar, subject, number, chosen)}

        return Piece(f"{self.prints[subject.id]}/{number}/{chosen}", write)

    def _opened(self, name: str) -> Subject:
        """A subject of its own, so that its table is let go when its blocks are written."""
        kept = self.dataset.subjects[name]
        return Subject(kept.folder, kept.info, self.dataset.info)


class ShardWriter:
    """Writes the shards of one group in order. A shard that an earlier run finished is taken over if the same pieces
    come again."""

    def __init__(self, root: Path, group: str, limit: int, work: Path) -> None:
        self.root, self.group, self.limit, self.work = root, group, limit, work
        self.shards: list[str] = []
        self.records: list[dict[str, int]] = []
        """Index records of all pieces, in order."""
        self.written = 0

    def write(self, pieces: Iterator[Piece]) -> None:
        """Write all pieces."""
        while (first := next(pieces, None)) is not None:
            number = len(self.shards)
            self.shards.append(shard_name(self.group, number))
            note = self.work / f"{self.shards[-1]}.json"
            finished = self._finished(note)
            ahead = [first, *islice(pieces, max(0, len(finished) - 1))]
            if finished and [record["key"] for record in finished] == [_hash(piece.key.encode()) for piece in ahead]:
                records = finished
            else:
                pieces = chain(ahead, pieces)
                records = self._write_shard(self.root / self.shards[-1], pieces)
                write_json(note, {"records": records})
                self.written += 1
            self.records += [{**record, "shard": number} for record in records]

    def _finished(self, note: Path) -> list[dict]:
        if not note.exists() or not (self.root / note.stem).exists():
            return []
        return json.loads(note.read_text())["records"]

    def _write_shard(self, path: Path, pieces: Iterable[Piece]) -> list[dict]:
        records = []
        with atomic_path(path) as temporary:
            try:
                with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
                    for piece in pieces:
                        records.append({"key": _hash(piece.key.encode()), **piece.write(tar)})
                        if tar.offset >= self.limit:
                            break
            except OSError as error:
                raise UserError(f"Cannot write {path}: {error.strerror}. Run the same command again.") from error
        return records


def _write_index(
    root: Path, group: str, people: list[str], writer: ShardWriter, train_numbers: dict[str, int]
) -> Group:
    blocks = np.zeros(len(writer.records), BLOCK)
    for number, record in enumerate(writer.records):
        blocks[number] = tuple(record[name] for name in BLOCK.names or ())
    names = list(dict.fromkeys(people))
    first = np.array([i for i, name in enumerate(people) if i == 0 or people[i - 1] != name], np.int64)
    subjects = np.zeros(len(names), subject_record(max((len(name.encode()) for name in names), default=1)))
    subjects["first_block"], subjects["id"] = first, [name.encode() for name in names]
    subjects["blocks"] = np.diff(np.append(first, len(people)))
    subjects["in_train"] = [train_numbers.get(name, -1) for name in names]
    save_index(root, group, subjects, blocks)
    firsts = np.searchsorted(blocks["shard"][first], np.arange(len(writer.shards)))
    rows = int(blocks["rows"].sum())
    return Group(len(names), len(blocks), rows, tuple(writer.shards), tuple(int(f) for f in firsts))


def save_index(root: Path, group: str, subjects: np.ndarray, blocks: np.ndarray) -> None:
    """Write a group's two tables of records."""
    for name, table in (("subjects", subjects), ("blocks", blocks)):
        with atomic_path(root / f"{group}.{name}.npy") as temporary:
            np.save(temporary, table, allow_pickle=False)


def _fingerprint(subject: Subject) -> str:
    try:
        content = (subject.folder / SUBJECT_FILE).read_bytes() + (subject.folder / FRAMES_FILE).read_bytes()
        # shards made before blocks held garments are not taken for shards of these
        return _hash(content + GARMENTS_FOLDER.encode() * (subject.folder / GARMENTS_FOLDER).is_dir())
    except OSError as error:
        raise UserError(f"Cannot read {error.filename}: {error.strerror}. Make the subject again.") from error


def _append_file(tar: tarfile.TarFile, name: str, path: Path) -> dict[str, int]:
    with open(path, "rb") as file:
        tar.addfile(member(name, path.stat().st_size), file)
    return {}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
