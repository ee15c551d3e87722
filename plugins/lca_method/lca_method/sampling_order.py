"""Whose turn it is at a step: closed-form orders, so that a resumed run skips ahead without reading anything.

A *slot* is one person's place in a step; ``slots`` counts those of all devices. Everything here is a function of the
seed, the slot and a position (how often the slot has drawn from a dataset), whatever the number of processes.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MIXING_PERIOD = 1000
"""Every so many draws of a slot, datasets have had exactly their shares."""


@dataclass(frozen=True)
class Place:
    """A unit (a person, or a block of frames) drawn at a position."""

    epoch: int
    """How often every unit had its turn before."""
    unit: int


@dataclass(frozen=True)
class EpochOrder:
    """All units in a new random order in every epoch; nothing is held in memory.

    Slots take turns: within a step no unit comes twice unless there are more slots than units. An epoch leaves out the
    last ``count % slots`` units of its order.
    """

    count: int
    seed: int

    def place(self, slot: int, slots: int, position: int) -> Place:
        """The unit of a slot at a position."""
        if self.count < slots:
            epoch, index = divmod(position * slots + slot, self.count)
        else:
            epoch, step = divmod(position, self.count // slots)
            index = step * slots + slot
        return Place(epoch, permuted(index, self.count, self.seed, epoch))


@dataclass(frozen=True)
class StreamOrder:
    """Units shard by shard, for storage that is fast in one direction alone.

    In every epoch shards come in a new random order, and each slot takes one stretch of it. Within its stretch a slot
    reads ``window`` units in a row and uses them in random order: a shuffle buffer whose state needs no saving. The
    stretches begin somewhere else in every epoch; the last ``count % slots`` units of an epoch are left out.
    """

    starts: tuple[int, ...]
    """Number of the first unit in each shard, increasing from 0."""
    count: int
    seed: int
    window: int

    def place(self, slot: int, slots: int, position: int) -> Place:
        """The unit of a slot at a position.

        Raises:
            ValueError: there are more slots than units.
        """
        epoch, index = divmod(position, self._stretch(slots))
        first, size = self._window(index, slots)
        inside = permuted(index - first, size, self.seed, epoch, slot, first)
        return Place(epoch, self._unit(epoch, slot * self._stretch(slots) + first + inside))

    def window_of(self, slots: int, position: int) -> range:
        """Positions whose units are read together with that of ``position``."""
        stretch = self._stretch(slots)
        epoch, index = divmod(position, stretch)
        first, size = self._window(index, slots)
        return range(epoch * stretch + first, epoch * stretch + first + size)

    def _stretch(self, slots: int) -> int:
        if self.count < slots:
            raise ValueError(f"{slots} people a step are more than the {self.count} that the stream holds")
        return self.count // slots

    def _window(self, index: int, slots: int) -> tuple[int, int]:
        first = index - index % self.window
        return first, min(self.window, self._stretch(slots) - first)

    def _unit(self, epoch: int, index: int) -> int:
        index = (index + _words(self.seed, epoch)[0]) % self.count
        order, ends = _shard_order(self.starts, self.count, self.seed, epoch)
        shard = int(np.searchsorted(ends, index, side="right"))
        return self.starts[order[shard]] + index - (int(ends[shard - 1]) if shard else 0)


@dataclass(frozen=True)
class Mixture:
    """Which dataset a slot draws from: in every :data:`MIXING_PERIOD` draws of a slot each dataset has its share."""

    shares: tuple[int, ...]
    """Draws of each dataset in a period."""
    seed: int

    @staticmethod
    def of_weights(weights: Sequence[float], seed: int) -> "Mixture":
        """Shares in proportion to weights, rounded to sum to a period.

        Raises:
            ValueError: a weight is not positive, or so small that its dataset would never come up.
        """
        values = np.asarray(weights, float)
        if not len(values) or not np.isfinite(values).all() or (values <= 0).any():
            raise ValueError(f"weights must be positive numbers, not {tuple(weights)}")
        exact = values / values.sum() * MIXING_PERIOD
        shares = np.floor(exact).astype(int)
        shares[np.argsort(shares - exact, kind="stable")[: MIXING_PERIOD - shares.sum()]] += 1
        if (shares == 0).any():
            raise ValueError(f"a weight of {tuple(weights)} is below a thousandth of their sum")
        return Mixture(tuple(int(share) for share in shares), seed)

    def place(self, slot: int, step: int) -> tuple[int, int]:
        """(dataset, position): where a slot draws from at a step, and how often it has drawn from there before."""
        if len(self.shares) == 1:
            return 0, step
        period, index = divmod(step, MIXING_PERIOD)
        sequence = _mixed(self.shares, self.seed, slot, period)
        dataset = int(sequence[index])
        return dataset, period * self.shares[dataset] + int((sequence[:index] == dataset).sum())


def permuted(index: int, count: int, *key: int) -> int:
    """Where ``index`` goes in a random permutation of ``range(count)`` that depends on ``key``: no list is made.

    A Feistel network over the next power of four, walked until it lands below ``count``.
    """
    if not 0 <= index < count:
        raise IndexError(f"{index} is not below {count}")
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask, keys = (1 << half) - 1, _words(*key)
    while True:
        left, right = index >> half, index & mask
        for word in keys:
            mixed = ((right + 1) * 0x9E3779B97F4A7C15 + word) & 0xFFFFFFFFFFFFFFFF
            mixed = ((mixed ^ (mixed >> 31)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
            left, right = right, left ^ ((mixed >> 32) & mask)
        index = left << half | right
        if index < count:
            return index


@lru_cache(maxsize=1024)
def _words(*key: int) -> tuple[int, ...]:
    digest = hashlib.blake2b(repr(key).encode(), digest_size=48).digest()
    return tuple(int.from_bytes(digest[i : i + 8], "little") for i in range(0, 48, 8))


@lru_cache(maxsize=8)
def _shard_order(starts: tuple[int, ...], count: int, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    """Shards in the order of an epoch, and the number of units up to the end of each."""
    order = np.random.default_rng([seed, epoch + 1]).permutation(len(starts))
    sizes = np.diff(np.append(np.array(starts, np.int64), count))
    return order, np.cumsum(sizes[order])


@lru_cache(maxsize=64)
def _mixed(shares: tuple[int, ...], seed: int, slot: int, period: int) -> np.ndarray:
    generator = np.random.default_rng([seed, slot + 1, period + 1])
    return generator.permutation(np.repeat(np.arange(len(shares), dtype=np.uint8), shares))
