"""Orders that are functions of the position: permutations, epochs, streams, mixtures."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lca_method.sampling_order import MIXING_PERIOD, EpochOrder, Mixture, StreamOrder, permuted


@given(count=st.integers(1, 300), seed=st.integers(0, 5), epoch=st.integers(0, 5))
def test_permutations_are_permutations(count: int, seed: int, epoch: int) -> None:
    assert sorted(permuted(i, count, seed, epoch) for i in range(count)) == list(range(count))


def test_permutations_look_random() -> None:
    """Every place is about equally likely, and neighbours part: as for numpy's own permutations."""
    count, draws = 12, 3000
    table = np.zeros((count, count))
    near = 0
    for seed in range(draws):
        order = [permuted(i, count, seed, 0) for i in range(count)]
        table[np.arange(count), order] += 1
        near += sum(abs(a - b) == 1 for a, b in pairwise(order))
    expected = draws / count
    assert ((table - expected) ** 2 / expected).sum() < 200  # chi-square of 121 degrees of freedom: 121 +- 16
    assert near / draws == pytest.approx(2 * (count - 1) / count, rel=0.05)


@given(count=st.integers(1, 60), slots=st.integers(1, 9))
def test_an_epoch_has_everybody_once(count: int, slots: int) -> None:
    order = EpochOrder(count, 3)
    per_epoch = count // slots
    for epoch in range(2 if per_epoch else 0):
        steps = range(epoch * per_epoch, (epoch + 1) * per_epoch)
        seen = [order.place(slot, slots, step) for step in steps for slot in range(slots)]
        assert {place.epoch for place in seen} == {epoch}
        assert len({place.unit for place in seen}) == len(seen) == per_epoch * slots
    if not per_epoch:
        turns = Counter(order.place(slot, slots, step).unit for step in range(count) for slot in range(slots))
        assert set(turns.values()) == {slots}


@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8).filter(lambda sizes: sum(sizes) > 0),
    slots=st.integers(1, 4),
    window=st.integers(1, 7),
)
def test_a_stream_has_everybody_once_and_reads_in_order(sizes: list[int], slots: int, window: int) -> None:
    count, starts = sum(sizes), tuple(np.cumsum([0, *sizes[:-1]]).tolist())
    order = StreamOrder(starts, count, 5, window)
    if count < slots:
        with pytest.raises(ValueError, match="more than"):
            order.place(0, slots, 0)
        return
    stretch = count // slots
    for epoch in range(2):
        seen = [order.place(slot, slots, epoch * stretch + i).unit for slot in range(slots) for i in range(stretch)]
        assert len(set(seen)) == len(seen) and set(seen) <= set(range(count))
    for slot in range(slots):
        position = 0
        while position < stretch:
            positions = order.window_of(slots, position)
            assert positions.start == position and 0 < len(positions) <= window
            units = sorted(order.place(slot, slots, p).unit for p in positions)
            jumps = sum(b - a != 1 for a, b in pairwise(units))
            assert jumps <= sum(size > 0 for size in sizes)  # only from shard to shard
            position = positions.stop


@settings(max_examples=15)
@given(weights=st.lists(st.floats(0.05, 10), min_size=1, max_size=5), slot=st.integers(0, 3))
def test_a_mixture_keeps_its_shares_and_counts_each_dataset(weights: list[float], slot: int) -> None:
    mixture = Mixture.of_weights(weights, 7)
    met = Counter()
    for step in range(MIXING_PERIOD):
        dataset, position = mixture.place(slot, step)
        assert position == met[dataset]
        met[dataset] += 1
    for dataset, weight in enumerate(weights):
        assert met[dataset] == pytest.approx(MIXING_PERIOD * weight / sum(weights), abs=1)
    dataset, position = mixture.place(slot, 3 * MIXING_PERIOD)
    assert position == 3 * met[dataset]


@pytest.mark.parametrize("weights", [(), (1.0, 0.0), (1.0, -1.0), (1.0, float("nan")), (1.0, 1e-5)])
def test_impossible_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weight"):
        Mixture.of_weights(weights, 0)
