"""Exponential moving average of a network's weights, which evaluates better than the weights of the last step."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from lca_shared.tensors import Tensor


@dataclass(frozen=True)
class WeightAverageConfig:
    """Which average of the weights is kept (our choice; the paper does not say)."""

    decay: float = 0.0
    """Share of the old average that is kept at each step, e.g. 0.9999; 0 = no average is kept."""
    start: int = 0
    """Training step from which weights are averaged; until then the average is the weights."""
    evaluate: bool = True
    """Evaluate, render and show the average instead of the weights of the last step."""


def average_decay(config: WeightAverageConfig, step: int) -> float:
    """Share of the old average to keep at a training step.

    It grows as ``(1 + n) / (10 + n)`` with the steps n since ``config.start`` up to ``config.decay``, so that a young
    average does not remember where training began.
    """
    since = step - config.start
    return min(config.decay, (1 + since) / (10 + since)) if since >= 0 else 0.0


class WeightAverage(nn.Module):
    """The average, as buffers: it travels in checkpoints, and nothing learns it.

    It does not hold the network. Its own names have ``/`` for the dots in the network's.
    """

    def __init__(self, network: nn.Module, config: WeightAverageConfig):
        """Args: network whose trained parameters are averaged, starting as they are; how."""
        super().__init__()
        self.config = config
        for name, parameter in _trained(network):
            self.register_buffer(name.replace(".", "/"), parameter.detach().clone())

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Count the weights after training step ``step`` in."""
        averages, weights = self._pairs(network)
        torch._foreach_lerp_(averages, weights, 1.0 - average_decay(self.config, step))

    @torch.no_grad()
    def reset(self, network: nn.Module) -> None:
        """Begin again with the network's weights."""
        torch._foreach_copy_(*self._pairs(network))

    @torch.no_grad()
    def write_to(self, network: nn.Module) -> None:
        """Put the average into the network for good."""
        averages, weights = self._pairs(network)
        torch._foreach_copy_(weights, averages)

    @contextmanager
    def shown_by(self, network: nn.Module) -> Iterator[None]:
        """Inside, the network has the averaged weights. Nothing is copied; do not train inside."""
        self._exchange(network)
        try:
            yield
        finally:
            self._exchange(network)

    def _exchange(self, network: nn.Module) -> None:
        for average, weight in zip(*self._pairs(network), strict=True):
            average.data, weight.data = weight.data, average.data

    def _pairs(self, network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
        weights = dict(_trained(network))
        averages = {name.replace("/", "."): value for name, value in self.named_buffers()}
        return [averages[name] for name in weights], list(weights.values())


def _trained(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, value) for name, value in network.named_parameters() if value.requires_grad]
