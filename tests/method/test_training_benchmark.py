"""The training benchmark's FLOPs are those that torch counts in forward and backward passes."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training import Options, model_flops, random_batch, utilisation
from lca_method.lca_datamanager import LCADataManagerConfig
from lca_method.networks import LCA

SIZES = LCADataManagerConfig(image_size=32, face_size=16, target_size=16)


def test_model_flops_are_those_of_a_step_whatever_is_computed_again(model: LCA, config, body) -> None:
    batch = random_batch(Options(references=2, targets=2), SIZES)
    again = LCA(replace(config, transformer=replace(config.transformer, checkpointing=True)), body).train()
    flops = model_flops(model, batch)
    assert model_flops(again, batch) == flops
    counted = []
    for network in (model, again):
        with FlopCounterMode(display=False) as counter:
            code = network.encode(batch.references, batch.shape, step=0)
            pair = network.drive(code, batch.targets.driving)
            sum(value.sum() for part in pair for value in (part.means, part.colors, part.scales)).backward()  # type: ignore[union-attr]
        counted.append(counter.get_total_flops())
    # pictures and points need no gradient, so that the first layers cost less than three times their forward pass
    assert flops == pytest.approx(counted[0], rel=0.1) and counted[0] <= flops
    assert counted[1] > 1.15 * counted[0]


def test_utilisation_is_the_share_of_the_peak() -> None:
    assert utilisation(flops=10**12, seconds=0.5, peak_teraflops=4.0) == pytest.approx(0.5)
    # a square matrix product of 1024: 2 x 1024^3
    with FlopCounterMode(display=False) as counter:
        _ = torch.ones(1024, 1024) @ torch.ones(1024, 1024)
    assert counter.get_total_flops() == 2 * 1024**3
