"""Cutting a person's frames into blocks. Pure functions."""

import hashlib
from collections.abc import Sequence

import numpy as np

CELLS_PER_BLOCK = 4
"""Pictures of one moment fill at most one in so many of a block."""


def shuffled(ids: Sequence[str], seed: int) -> list[str]:
    """People in the order in which shards hold them: like drawn by lot, and the same whenever it is asked for."""
    return sorted(ids, key=lambda name: (hashlib.sha256(f"{seed}:{name}".encode()).digest(), name))


def blocks_of_rows(moments: np.ndarray, rows: np.ndarray, block_frames: int, key: str) -> list[np.ndarray]:
    """Cut some rows of a person into blocks of at most ``block_frames`` rows.

    A block is a random sample of the recording, so that one block alone has references from all sides and targets
    apart from them. Pictures of one moment (a studio's) stay together in cells of at most a quarter of a block: a block
    shows at least four moments, each through several cameras, as far as there are so many.

    Args:
        moments: column ``frame`` of the whole table.
        rows: the rows to cut.
        block_frames: rows of a block at most.
        key: whatever the shuffle is to depend on.

    Returns:
        Rows of each block, ascending; sizes differ by about a cell at most.
    """
    generator = np.random.default_rng(list(hashlib.sha256(key.encode()).digest()))
    cell_size = max(1, block_frames // CELLS_PER_BLOCK)
    cells: list[np.ndarray] = []
    for moment in np.unique(moments[rows]):
        views = generator.permutation(rows[moments[rows] == moment])
        cells += np.array_split(views, -(-len(views) // cell_size))
    if not cells:
        return []
    generator.shuffle(cells)  # type: ignore[arg-type]
    count = -(-len(rows) // block_frames)
    while True:  # one more block until cells, which do not divide evenly, fit
        dealt = [np.sort(np.concatenate(cells[i::count])) for i in range(min(count, len(cells)))]
        if max(len(block) for block in dealt) <= block_frames:
            return dealt
        count += 1


def choices(moments: np.ndarray) -> int:
    """Most references that can be drawn so that another moment (or, of one moment, another picture) is left."""
    _, views = np.unique(moments, return_counts=True)
    return int(len(moments) - (views.max() if len(views) > 1 else 1))
