"""Where people are drawn from: a dataset folder, or shards read at random or as a stream, behind one protocol."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from lca_dataparsers.dataset.reader import Subject
from lca_dataparsers.shards.reader import Block, ShardedDataset
from lca_method.sampling import Draw, SubjectFrames, draw_views, step_generator
from lca_method.sampling_order import EpochOrder, Mixture, StreamOrder

Balance = Literal["subjects", "frames"]
"""``subjects``: each person is equally likely, however long the recording; ``frames``: in proportion to its frames."""


@runtime_checkable
class Pick(Protocol):
    """Somebody who was drawn; nothing of them has been read yet."""

    @property
    def choices(self) -> int:
        """Most references that can be drawn."""
        ...

    def open(self) -> tuple[str | Subject, SubjectFrames]:
        """Who (an id, or the opened person), and the rows that may be drawn. May read, but not from pictures alone."""
        ...


@runtime_checkable
class SubjectSource(Protocol):
    """A dataset to draw people from."""

    def pick(self, slot: int, slots: int, position: int) -> Pick:
        """Whom a slot draws at a position; a pure function that reads an index record at most."""
        ...


@dataclass(frozen=True)
class FolderPick:
    """A person of a dataset folder."""

    frames: SubjectFrames

    @property
    def choices(self) -> int:
        """Most references that can be drawn."""
        return self.frames.choices

    def open(self) -> tuple[str | Subject, SubjectFrames]:
        """The person's id and rows."""
        return self.frames.subject, self.frames


class FolderSource:
    """People whose rows are in memory."""

    def __init__(self, people: Sequence[SubjectFrames], balance: Balance, seed: int) -> None:
        self._people, self._balance = people, balance
        self._ends = np.cumsum([len(frames.references) for frames in people])
        self._order = EpochOrder(len(people) if balance == "subjects" else int(self._ends[-1]), seed)

    def pick(self, slot: int, slots: int, position: int) -> FolderPick:
        """Whom a slot draws at a position."""
        unit = self._order.place(slot, slots, position).unit
        person = unit if self._balance == "subjects" else int(np.searchsorted(self._ends, unit, side="right"))
        return FolderPick(self._people[person])


@dataclass(frozen=True)
class BlockPick:
    """Some frames of a person in a shard."""

    source: "ShardSource"
    number: int
    choices: int
    """Most references that can be drawn."""
    slot: int
    slots: int
    position: int

    def open(self) -> tuple[str | Subject, SubjectFrames]:
        """The block and its rows."""
        block = self.source.load(self)
        rows = tuple(range(len(block)))
        moments = tuple(int(moment) for moment in block.frames["frame"])
        return block, SubjectFrames(f"{self.source.prefix}{block.id}", rows, tuple(1.0 for _ in rows), rows, moments)


class ShardSource:
    """Blocks of frames in the group ``train`` of some shards.

    Drawing reads two records of the index. With ``window`` = 0 the pictures that were drawn are read one by one from
    their places; otherwise whole blocks are read ahead, ``window`` at a time in the order in which they lie, and kept
    encoded until their turn: at most three windows a slot.
    """

    def __init__(self, dataset: ShardedDataset, balance: Balance, seed: int, window: int = 0, prefix: str = "") -> None:
        """Args: the shards; who is equally likely; of the order; blocks read together, 0 for single pictures; what
        comes before people's ids.

        Raises:
            SchemaError, UserError: the index is missing or broken.
        """
        self._dataset, self._balance, self.prefix = dataset, balance, prefix
        self._index = dataset.group("train")
        count = len(self._index.subjects) if balance == "subjects" else len(self._index.blocks)
        if window:
            starts = self._index.info.first_subjects if balance == "subjects" else self._first_blocks()
            self._order: EpochOrder | StreamOrder = StreamOrder(starts, count, seed, window)
        else:
            self._order = EpochOrder(count, seed)
        self._readers: dict[tuple[int, int], WindowReader] = {}
        self._lock = threading.Lock()

    def pick(self, slot: int, slots: int, position: int) -> BlockPick:
        """Whom a slot draws at a position."""
        number = self._number(slot, slots, position)
        return BlockPick(self, number, int(self._index.blocks[number]["choices"]), slot, slots, position)

    def load(self, pick: BlockPick) -> Block:
        """The block of a pick; its pictures are in memory if blocks are read ahead."""
        if not isinstance(self._order, StreamOrder):
            return self._dataset.block("train", pick.number)
        with self._lock:
            key = pick.slot, pick.slots
            if key not in self._readers:
                self._readers[key] = WindowReader(self, self._order, *key)
            reader = self._readers[key]
        return reader.take(pick.position)

    def read_block(self, slot: int, slots: int, position: int) -> Block:
        """The block of a slot's position with its pictures."""
        return self._dataset.block("train", self._number(slot, slots, position)).read_ahead()

    def number_in_order(self, slot: int, slots: int, position: int) -> int:
        """Number of the block that a slot draws at a position: blocks lie in this order."""
        return self._number(slot, slots, position)

    def read_ahead_done(self) -> None:
        """Wait until what is being read in the background is there."""
        for reader in self._readers.values():
            reader.wait()

    def _number(self, slot: int, slots: int, position: int) -> int:
        place = self._order.place(slot, slots, position)
        if self._balance == "frames":
            return place.unit
        blocks = self._index.blocks_of(place.unit)
        return blocks[(place.epoch + place.unit) % len(blocks)]  # a person's blocks take turns

    def _first_blocks(self) -> tuple[int, ...]:
        firsts, people = self._index.info.first_subjects, self._index.subjects
        return tuple(int(people[first]["first_block"]) for first in firsts if first < len(people))


class WindowReader:
    """One slot's shuffle buffer: reads windows of blocks in the background, one ahead of the one in use."""

    def __init__(self, source: ShardSource, order: StreamOrder, slot: int, slots: int) -> None:
        self._source, self._order, self._slot, self._slots = source, order, slot, slots
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="lca-stream")
        self._windows: dict[int, Future[dict[int, Block]]] = {}
        self._lock = threading.Lock()

    def take(self, position: int) -> Block:
        """The block of a position. Taken in order, each block is read once; otherwise it is read anew."""
        window = self._order.window_of(self._slots, position)
        with self._lock:
            for wanted in (window, self._order.window_of(self._slots, window.stop)):
                if wanted.start not in self._windows:
                    first = max(position, wanted.start)
                    self._windows[wanted.start] = self._pool.submit(self._read, range(first, wanted.stop))
            for start in sorted(self._windows)[:-3]:  # steps are made a little out of order: keep the last one
                del self._windows[start]
            future = self._windows.get(window.start)
        block = future.result().pop(position, None) if future is not None else None
        return block or self._source.read_block(self._slot, self._slots, position)

    def wait(self) -> None:
        """Wait until every window that was asked for is there."""
        for future in list(self._windows.values()):
            future.result()

    def _read(self, positions: range) -> dict[int, Block]:
        place = (self._slot, self._slots)
        in_order = sorted(positions, key=lambda position: self._source.number_in_order(*place, position))
        return {position: self._source.read_block(*place, position) for position in in_order}


@dataclass(frozen=True)
class StepSampler:
    """Draws the frames of a training step: the same whatever number of processes it is shared among."""

    sources: tuple[SubjectSource, ...]
    mixture: Mixture
    slots: int
    """People in a step, on all devices together."""
    references: tuple[int, int]
    """Fewest and most reference frames; one number for all people of a step, so that they stack."""
    targets: int
    views_per_moment: int
    seed: int

    def picks(self, step: int) -> list[Pick]:
        """Who is in each slot of a step."""
        picks = []
        for slot in range(self.slots):
            source, position = self.mixture.place(slot, step)
            picks.append(self.sources[source].pick(slot, self.slots, position))
        return picks

    def draw(self, step: int, slots: range) -> list[tuple[str | Subject, Draw]]:
        """Who is in some slots of a step, with the rows to look at and to explain."""
        picks = self.picks(step)
        wanted = int(step_generator(self.seed, step).integers(self.references[0], self.references[1] + 1))
        count = min([wanted, *(pick.choices for pick in picks)])
        drawn = []
        for slot in slots:
            person, frames = picks[slot].open()
            generator = step_generator(self.seed, step, slot)
            drawn.append((person, draw_views(generator, frames, count, self.targets, self.views_per_moment)))
        return drawn
