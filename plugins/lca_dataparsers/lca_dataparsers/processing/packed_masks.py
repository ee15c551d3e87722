"""Masks of a whole clip in memory: one bit a pixel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from lca_shared.tensors import UInt8


@dataclass(frozen=True)
class PackedMasks:
    """T masks [h, w]; indexed by a frame they are uint8, 0 or 255; by a slice or an array they stay packed."""

    bits: UInt8[np.ndarray, "frames bytes"]
    shape: tuple[int, int, int]
    """(T, h, w)."""

    @staticmethod
    def of(masks: "UInt8[np.ndarray, 'frames h w'] | PackedMasks") -> "PackedMasks":
        """Pack masks; above 127 is the person."""
        if isinstance(masks, PackedMasks):
            return masks
        frames, height, width = masks.shape
        return PackedMasks(np.packbits(masks.reshape(frames, -1) > 127, axis=1), (frames, height, width))

    @staticmethod
    def concatenate(parts: "list[PackedMasks]") -> "PackedMasks":
        """Masks of one size, one after the other."""
        bits = np.concatenate([part.bits for part in parts])
        return PackedMasks(bits, (len(bits), *parts[0].shape[1:]))

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[frame] for frame in range(len(self)))

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray) -> "PackedMasks": ...
    def __getitem__(self, index: int | slice | np.ndarray) -> "np.ndarray | PackedMasks":
        if isinstance(index, int | np.integer):
            _, height, width = self.shape
            return 255 * np.unpackbits(self.bits[index], count=height * width).reshape(height, width)
        bits = self.bits[index]
        return replace(self, bits=bits, shape=(len(bits), *self.shape[1:]))

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.stack(list(self)) if len(self) else np.zeros(self.shape, np.uint8)
