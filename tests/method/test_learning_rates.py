"""Layer-wise decay: a partition of the parameters, monotone in depth, with the limits gamma 1 and 0."""

import pytest
import torch

from lca_method.lca_trainer import AdamWOptimizerConfig
from lca_method.lca_trainer_optimizers import LayerwiseOptimizers
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig
from lca_method.learning_rates import NEW_FACTOR, layer_depth, learning_rate_parts
from lca_method.networks import LCA

DECODERS = ("canonical_head.", "pose_head.", "driving_vector.", "color_lookup.")


def parts_of(model: LCA, gamma: float):
    return learning_rate_parts(model.named_parameters(), len(model.encoder.layers), gamma)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.65, 1.0])
def test_every_trained_parameter_is_in_exactly_one_part(model: LCA, gamma: float) -> None:
    model.geometric_projection.weight.requires_grad_(False)
    names = [name for part in parts_of(model, gamma) for name in part.names]
    assert sorted(names) == sorted(name for name, value in model.named_parameters() if value.requires_grad)
    assert all(len(part.names) == len(part.parameters) for part in parts_of(model, gamma))


def test_the_factor_falls_by_gamma_from_layer_to_layer(model: LCA) -> None:
    factor = {name: part.factor for part in parts_of(model, 0.65) for name in part.names}
    layers = len(model.encoder.layers)
    assert layers == 2
    for name, value in factor.items():
        if name.startswith("encoder.layers."):
            assert value == pytest.approx(0.65 ** (layers - int(name.split(".")[2])))
        elif name.startswith(("tokenizer.", "geometric_projection.", "image_encoder.")):
            assert value == pytest.approx(0.65 ** (layers + 1))
        elif name.startswith("encoder.norm."):
            assert value == pytest.approx(0.65)
        else:
            assert name.startswith(DECODERS) and value == 1.0
    factors = [part.factor for part in parts_of(model, 0.65)]
    assert factors == sorted(factors, reverse=True) and len(factors) == layers + 2
    assert [layer_depth(f"encoder.layers.{i}.x", 8) for i in (0, 7)] == [8, 1]


def test_gamma_1_is_flat_and_gamma_0_moves_the_decoders_alone(model: LCA) -> None:
    assert [part.factor for part in parts_of(model, 1.0)] == [1.0]
    moving, resting = parts_of(model, 0.0)
    assert (moving.factor, resting.factor) == (1.0, 0.0)
    assert all(name.startswith(DECODERS) for name in moving.names)
    assert not any(name.startswith(DECODERS) for name in resting.names)
    with pytest.raises(ValueError, match="between 0 and 1"):
        parts_of(model, 1.5)


def test_optimisers_move_each_part_at_its_own_rate() -> None:
    named = [(name, torch.nn.Parameter(torch.zeros(3))) for name in ("encoder.layers.0.a", "encoder.layers.1.a", "b")]
    schedule = WarmupCosineSchedulerConfig(warmup_steps=0, max_steps=10)
    optimizer = AdamWOptimizerConfig(lr=0.1, eps=1e-12, weight_decay=0.0, max_norm=1.0)
    optimizers = LayerwiseOptimizers(
        {"all": {"optimizer": optimizer, "scheduler": schedule}}, {"all": learning_rate_parts(named, 2, 0.5)}
    )
    assert sorted(map(id, optimizers.parameters["all"])) == sorted(id(value) for _, value in named)
    for _, value in named:
        value.grad = torch.ones(3)
    optimizers.optimizer_step_all()
    first = [float(value[0]) for _, value in named]  # Adam's first step is the learning rate
    assert first == pytest.approx([-0.025, -0.05, -0.1], rel=1e-4)
    optimizers.scheduler_step_all(0)
    rates = [group["lr"] for group in optimizers.optimizers["all"].param_groups]
    assert rates[0] < 0.1 and [rate / rates[0] for rate in rates] == pytest.approx([1.0, 0.5, 0.25])


def test_garments_nodes_learn_faster_than_what_is_trained_already() -> None:
    named = [(name, torch.nn.Parameter(torch.zeros(1))) for name in ("node_head.last.bias", "pose_head.deltas.bias")]
    for gamma in (0.0, 0.65, 1.0):
        factor = {name: part.factor for part in learning_rate_parts(named, 2, gamma) for name in part.names}
        assert factor == {"node_head.last.bias": NEW_FACTOR, "pose_head.deltas.bias": 1.0}
