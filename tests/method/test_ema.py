"""The moving average's laws."""

import pytest
import torch
from torch import nn

from lca_method.ema import WeightAverage, WeightAverageConfig, average_decay


def network() -> nn.Sequential:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(2, 2)
    first.bias.requires_grad_(False)
    return nn.Sequential(first, second)


def test_it_is_the_weighted_sum_of_the_weights_seen() -> None:
    made, config = network(), WeightAverageConfig(decay=0.5, start=2)
    average = WeightAverage(made, config)
    expected = None
    for step in range(6):
        with torch.no_grad():
            made.get_parameter("1.weight").add_(1.0)
        average.update(made, step)
        now = made.get_parameter("1.weight").detach().clone()
        if step < 2 or expected is None:
            expected = now
        else:
            decay = average_decay(config, step)
            expected = decay * expected + (1 - decay) * now
        torch.testing.assert_close(average.get_buffer("1/weight"), expected)
    assert sorted(name for name, _ in average.named_buffers()) == ["0/weight", "1/bias", "1/weight"]


def test_the_decay_grows_to_its_bound() -> None:
    config = WeightAverageConfig(decay=0.9, start=10)
    assert [average_decay(config, step) for step in (0, 9)] == [0.0, 0.0]
    assert average_decay(config, 10) == pytest.approx(0.1)
    values = [average_decay(config, step) for step in range(200)]
    assert values == sorted(values) and values[-1] == 0.9


def test_showing_exchanges_the_weights_and_brings_them_back() -> None:
    made = network()
    average = WeightAverage(made, WeightAverageConfig(decay=0.9))
    with torch.no_grad():
        made.get_parameter("0.weight").add_(1.0)
    old, own = average.get_buffer("0/weight").clone(), made.get_parameter("0.weight").detach().clone()
    with pytest.raises(RuntimeError, match="inside"), average.shown_by(made):
        assert torch.equal(made.get_parameter("0.weight"), old)
        raise RuntimeError("inside")
    assert torch.equal(made.get_parameter("0.weight"), own) and torch.equal(average.get_buffer("0/weight"), old)
    average.write_to(made)
    assert torch.equal(made.get_parameter("0.weight"), old)
    with torch.no_grad():
        made.get_parameter("0.weight").add_(1.0)
    average.reset(made)
    assert torch.equal(average.get_buffer("0/weight"), made.get_parameter("0.weight"))
