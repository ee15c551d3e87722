"""What grows with a clip's length stays small."""

from dataclasses import fields

import numpy as np
import pytest

from lca_dataparsers.processing.fitting.clip import _nearest
from lca_dataparsers.processing.observations import ClipObservations, concatenate, empty_observations
from lca_dataparsers.processing.packed_masks import PackedMasks

MOST_BYTES = 12_000
"""A frame of a 720 x 1280 clip; 300,000 frames (almost three hours) are then less than 4 GB."""


def _bytes(observations: ClipObservations) -> int:
    values = [getattr(observations, field.name) for field in fields(ClipObservations)]
    arrays = [value.bits if isinstance(value, PackedMasks) else value for value in values]
    return sum(value.nbytes for value in arrays if isinstance(value, np.ndarray))


def test_observations_of_a_long_clip_are_packed(tmp_path) -> None:
    chunk = empty_observations(np.arange(24.0), (720, 1280))
    chunk.save(tmp_path / "chunk.npz")
    whole = concatenate([ClipObservations.load(tmp_path / "chunk.npz")] * 50)
    assert len(whole) == 1200 and _bytes(whole) / 1200 < MOST_BYTES
    part = whole[600:]
    assert _bytes(part) == _bytes(whole) // 2
    concatenated = concatenate([part, part])
    assert isinstance(concatenated.masks, PackedMasks)


@pytest.mark.parametrize("size", [(5, 3), (16, 9), (1, 1)])
def test_packed_masks_are_the_masks(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    masks = random.integers(0, 256, (6, *size), np.uint8)
    hard = np.where(masks > 127, 255, 0)
    packed = PackedMasks.of(masks)
    assert packed.shape == masks.shape and len(packed) == 6
    np.testing.assert_array_equal(np.asarray(packed), hard)
    np.testing.assert_array_equal(packed[4], hard[4])
    np.testing.assert_array_equal(np.asarray(packed[2:5]), hard[2:5])
    np.testing.assert_array_equal(np.asarray(packed[np.array([5, 0])]), hard[[5, 0]])
    np.testing.assert_array_equal(np.asarray(PackedMasks.concatenate([packed[:2], packed[2:]])), hard)


def test_nearest_frames_without_a_square_table() -> None:
    random = np.random.default_rng(1)
    for count in (1, 2, 7, 30):
        seen = np.sort(random.choice(40, count, replace=False))
        distance = np.abs(np.arange(40)[:, None] - seen)
        np.testing.assert_array_equal(distance[np.arange(40), _nearest(40, seen)], distance.min(axis=1))
