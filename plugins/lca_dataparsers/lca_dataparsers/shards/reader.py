"""Reading shards: some frames of one person at a time, or a whole person, at known places."""

import io
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lca_dataparsers.dataset.frames import FrameTable
from lca_dataparsers.dataset.lights import LightRig, lights_of
from lca_dataparsers.dataset.reader import AvatarDataset, Subject, subject_info
from lca_dataparsers.dataset.schema import DatasetInfo, SubjectInfo
from lca_dataparsers.dataset.tables import frame_table
from lca_dataparsers.shards.format import LIGHTS_METADATA, SUBJECT_METADATA, ShardsInfo, is_shards, read_info
from lca_dataparsers.shards.index import GroupIndex, OpenFiles
from lca_dataparsers.shards.tar_members import GARMENT, NO_GARMENT, PICTURES
from lca_shared.errors import SchemaError, UserError


class Block(Subject):
    """Some frames of one person, as they lie together in a shard.

    Rows count from 0 within the block; ``rows`` has their numbers in the person's table. Pictures are read when they
    are asked for, or all in one go by :meth:`read_ahead`.
    """

    def __init__(self, files: OpenFiles, shard: str, record: np.void, dataset_info: DatasetInfo) -> None:
        """Args: the folder's files, the shard's file name, the block's index record, what the dataset says.

        Raises:
            SchemaError: the table does not follow the schema.
            UserError: the shard is missing or broken.
        """
        self._files, self._shard = files, shard
        self._pictures, self._size = int(record["pictures"]), int(record["size"])
        self._held: bytes | None = None
        start, size = int(record["table"]), int(record["table_size"])
        self.origin = f"{files.root / shard} at byte {start}"
        encoded = files.read(shard, start, size)
        table, info = read_block_table(encoded, self.origin)
        super().__init__(files.root / shard, info, dataset_info)
        try:
            self.rows = table.column("row").to_numpy()
            self._places = {name: table.column(name).to_numpy() for name in _PLACES}
            if f"{GARMENT}_size" in table.column_names:
                self._places |= {name: table.column(name).to_numpy() for name in _GARMENT_PLACES}
        except KeyError as error:
            raise SchemaError(f"The block in {self.origin} lacks a column ({error}). Make the shards again.") from error
        self.__dict__["frames"] = frame_table(table, f"the table in {self.origin}", dataset_info)
        self.__dict__["in_place"] = None  # a shard holds its pictures
        self.__dict__["lights"] = _block_lights(table, self.origin)

    @property
    def held(self) -> bool:
        """Whether all pictures are in memory."""
        return self._held is not None

    def read_ahead(self) -> "Block":
        """Read all pictures (encoded) in one go, and hold them; self."""
        self._held = self._files.read(self._shard, self._pictures, self._size)
        return self

    def picture_name(self, row: int, column: str) -> str:
        """What messages call a picture."""
        return f"{self._files.root / self._shard}: {self.id}/{self.frames[column][row]}"

    def picture_bytes(self, row: int, column: str) -> bytes:
        """The encoded picture in ``column`` (``image`` or ``mask``) of a row.

        Raises:
            UserError: the shard is missing or broken.
        """
        return self._encoded(row, column)

    def garment_bytes(self, row: int) -> bytes | None:
        """The encoded mask of a row's loose garment; None where nothing is known of one. Raises as the others."""
        if f"{GARMENT}_size" not in self._places or self._places[f"{GARMENT}_size"][row] == NO_GARMENT:
            return None
        return self._encoded(row, GARMENT)

    def _encoded(self, row: int, column: str) -> bytes:
        offset = int(self._places[f"{column}_offset"][row])
        size = int(self._places[f"{column}_size"][row])
        if offset < 0 or size < 0 or offset + size > self._size:
            raise SchemaError(f"The block in {self.origin} names pictures outside itself. Make the shards again.")
        if self._held is not None:
            return self._held[offset : offset + size]
        return self._files.read(self._shard, self._pictures + offset, size)


class ShardedSubject(Subject):
    """A whole person out of all of its blocks; pictures are read when they are asked for.

    ``trained_rows`` and ``held_out_rows`` are the rows of the group ``train`` and of the other one.
    """

    def __init__(self, blocks: dict[str, list[Block]], dataset_info: DatasetInfo) -> None:
        """Args: blocks by group, at least one; what the dataset says.

        Rows are numbered anew from 0, in the order of the person's table: frames that no group has are left out.
        """
        every = [(group, block) for group, held in blocks.items() for block in held]
        super().__init__(every[0][1].folder, every[0][1].info, dataset_info)
        numbers = np.concatenate([block.rows for _, block in every])
        order = np.argsort(numbers, kind="stable")
        owner = np.concatenate([np.full(len(block), i) for i, (_, block) in enumerate(every)])[order]
        inside = np.concatenate([np.arange(len(block)) for _, block in every])[order]
        self._places = [(every[i][1], int(row)) for i, row in zip(owner, inside)]
        groups = np.array([group for group, _ in every])[owner]
        self.trained_rows = tuple(int(row) for row in np.flatnonzero(groups == "train"))
        self.held_out_rows = tuple(int(row) for row in np.flatnonzero(groups != "train"))
        columns = {
            name: np.concatenate([block.frames[name] for _, block in every])[order]
            for name in every[0][1].frames.columns
        }
        self.__dict__["frames"] = FrameTable(columns)
        self.__dict__["in_place"], self.__dict__["lights"] = None, every[0][1].lights

    def picture_name(self, row: int, column: str) -> str:
        """What messages call a picture."""
        block, inside = self._places[row]
        return block.picture_name(inside, column)

    def picture_bytes(self, row: int, column: str) -> bytes:
        """The encoded picture in ``column`` of a row."""
        block, inside = self._places[row]
        return block.picture_bytes(inside, column)

    def garment_bytes(self, row: int) -> bytes | None:
        """The encoded mask of a row's loose garment, or None."""
        block, inside = self._places[row]
        return block.garment_bytes(inside)


class ShardedDataset:
    """A folder of shards. Opening it reads ``shards.json`` alone; memory does not grow with the number of people."""

    def __init__(self, root: Path, info: ShardsInfo) -> None:
        self.root, self.shards, self.info = Path(root), info, info.dataset
        self.files = OpenFiles(self.root)
        self.subjects: Mapping[str, Subject] = _ChosenPeople(self)
        """People by id, of those whom :meth:`people` has named."""

    @staticmethod
    def open(root: Path) -> "ShardedDataset":
        """Open a folder of shards.

        Raises:
            SchemaError: it was written with another schema version.
            UserError: it is no folder of shards, or a file is missing.
        """
        return ShardedDataset(Path(root), read_info(root))

    def group(self, name: str) -> GroupIndex:
        """The index of ``train``, ``val``, ``test`` or ``unused``.

        Raises:
            UserError: there is none.
        """
        if name not in self.shards.groups:
            raise UserError(f"{self.root} has no frames in the group {name!r}.")
        if name not in self._groups:
            self._groups[name] = GroupIndex(self.files, name, self.shards.groups[name])
        return self._groups[name]

    @cached_property
    def _groups(self) -> dict[str, GroupIndex]:
        return {}

    def held_out_group(self, split: str) -> str | None:
        """The group that is evaluated as ``val`` or ``test``; one stands in for the other where it has nobody."""
        for name in (split, "val", "test"):
            if name in self.shards.groups and self.shards.groups[name].subjects:
                return name
        return None

    def block(self, group: str, number: int) -> Block:
        """A block by its number in a group.

        Raises:
            SchemaError, UserError: the shard is missing or broken.
        """
        index = self.group(group)
        record = index.blocks[number]
        shard = int(record["shard"])
        if not 0 <= shard < len(index.info.shards):
            raise SchemaError(f"{index.blocks.path} names a shard that does not exist. Make the shards again.")
        return Block(self.files, index.info.shards[shard], record, self.info)

    def people(self, group: str, most: int) -> list[str]:
        """Ids of up to ``most`` people of a group, evenly chosen; -1 for all. ``subjects`` has them from then on."""
        index = self.group(group)
        count = len(index.subjects) if most < 0 else min(most, len(index.subjects))
        if not count:
            return []
        numbers = np.unique(np.linspace(0, len(index.subjects) - 1, count).round().astype(np.int64))
        assert isinstance(self.subjects, _ChosenPeople)
        return [self.subjects.add(group, int(number)) for number in numbers]

    def find(self, name: str) -> bool:
        """Look a person up by id; ``subjects`` has them from then on. False: there is nobody of that name.

        Reads the index from its beginning until the name comes.
        """
        assert isinstance(self.subjects, _ChosenPeople)
        if name in self.subjects:
            return True
        for group in ("val", "test", "train"):  # a held-out entry knows the trained one as well
            if group in self.shards.groups:
                number = self.group(group).number_of(name)
                if number is not None:
                    self.subjects.add(group, number)
                    return True
        return False


class _ChosenPeople(Mapping[str, Subject]):
    """People who have been named, opened when they are looked at; the last one looked at is kept open."""

    def __init__(self, dataset: ShardedDataset) -> None:
        self._dataset = dataset
        self._numbers: dict[str, tuple[str, int]] = {}
        self._open: dict[str, Subject] = {}

    def add(self, group: str, number: int) -> str:
        name = self._dataset.group(group).id_of(number)
        if self._numbers.get(name, ("train",))[0] == "train":  # a held-out entry knows the trained one as well
            self._numbers[name] = (group, number)
            self._open.pop(name, None)
        return name

    def __getitem__(self, name: str) -> Subject:
        kept = self._open.get(name)
        if kept is None:
            kept = self._opened(*self._numbers[name])
            self._open = {name: kept}
        return kept

    def __contains__(self, name: object) -> bool:
        return name in self._numbers  # without opening anybody

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def _opened(self, group: str, number: int) -> ShardedSubject:
        dataset = self._dataset
        blocks = {group: [dataset.block(group, block) for block in dataset.group(group).blocks_of(number)]}
        trained = int(dataset.group(group).subjects[number]["in_train"])
        if group != "train" and trained >= 0:
            train = dataset.group("train")
            blocks["train"] = [dataset.block("train", block) for block in train.blocks_of(trained)]
        return ShardedSubject(blocks, dataset.info)


def open_dataset(root: Path) -> AvatarDataset | ShardedDataset:
    """Open a dataset folder or a folder of shards.

    Raises:
        SchemaError: it was written with another schema version.
        UserError: it is neither, or a file is missing.
    """
    return ShardedDataset.open(root) if is_shards(root) else AvatarDataset.open(root)


def read_block_table(encoded: bytes, origin: str) -> tuple[pa.Table, SubjectInfo]:
    """A block's table and the ``subject.json`` in its metadata.

    Raises:
        SchemaError: it has another schema version.
        UserError: it is broken; the message names ``origin``.
    """
    try:
        table = pq.read_table(io.BytesIO(encoded))
        content = json.loads((table.schema.metadata or {})[SUBJECT_METADATA])
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"The table in {origin} is broken ({error}). Make the shards again.") from error
    if not isinstance(content, dict):
        raise UserError(f"The table in {origin} has no subject.json in it. Make the shards again.")
    return table, subject_info(content, Path(f"{SUBJECT_METADATA.decode()} in {origin}"))


def _block_lights(table: pa.Table, origin: str) -> LightRig | None:
    encoded = (table.schema.metadata or {}).get(LIGHTS_METADATA)
    if encoded is None:
        return None
    try:
        return lights_of(json.loads(encoded), Path(f"{LIGHTS_METADATA.decode()} in {origin}"))
    except (ValueError, AttributeError) as error:
        raise UserError(f"The lights in {origin} are broken ({error}). Make the shards again.") from error


_PLACES = tuple(f"{column}_{what}" for column in PICTURES for what in ("offset", "size"))
_GARMENT_PLACES = tuple(f"{GARMENT}_{what}" for what in ("offset", "size"))
