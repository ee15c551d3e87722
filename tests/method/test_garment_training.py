"""Post-training with nodes through nerfstudio's trainer, begun with a checkpoint without."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from nerfstudio.configs.method_configs import all_methods
from small_runs import small_network, small_run, trained

from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_method.networks.node_head import DeformerConfig
from lca_method.trained_network import load_network

METHODS = ("lca-garment", "lca-garment-small", "lca-garment-tiny")


@pytest.mark.parametrize("name", METHODS)
def test_the_methods_are_post_training_with_nodes(name: str) -> None:
    config = all_methods[name]
    assert config.method_name == name
    assert config.needs_pretrained  # type: ignore[attr-defined]
    assert config.layer_decay == 0.65  # type: ignore[attr-defined]
    model = config.pipeline.model
    assert model.network.deformer.nodes > 100  # type: ignore[attr-defined]
    assert model.losses.arap > 0  # type: ignore[attr-defined]
    assert model.losses.sparsity > 0  # type: ignore[attr-defined]


def test_training_begins_with_a_checkpoint_without_nodes(people: Path, tmp_path: Path) -> None:
    before = trained(small_run(people, tmp_path, steps=1))
    config = small_run(people, tmp_path, steps=2, method="lca-garment-tiny")
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    config.pipeline.model.network = replace(small_network(), deformer=DeformerConfig(nodes=16, hidden=8))
    config.pipeline.model.pretrained = str(before.base_dir)
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = 0
    config.save_config()
    after = trained(config)
    head = after.pipeline.lca.network.node_head  # type: ignore[attr-defined]
    assert float(head.last.weight.detach().abs().max()) > 0  # it has learned something
    outputs, losses, _ = after.pipeline.get_train_loss_dict(5)
    assert {"arap", "sparsity"} <= set(losses)
    assert outputs.nodes is not None
    again = load_network(after.base_dir)  # the checkpoint is a model with nodes
    assert again.network.node_head is not None
    torch.testing.assert_close(again.network.node_head.last.weight, head.last.weight.detach())
    assert again.steps == 3


def test_alone_nothing_learns_but_nodes_and_their_own_heads(people: Path, tmp_path: Path) -> None:
    before = trained(small_run(people, tmp_path, steps=1))
    config = small_run(people, tmp_path, steps=2, method="lca-garment-tiny")
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    deformer = DeformerConfig(nodes=16, hidden=8, own_heads=True, alone=True)
    config.pipeline.model.network = replace(small_network(), deformer=deformer)
    config.pipeline.model.pretrained = str(before.base_dir)
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = 0
    config.save_config()
    after = trained(config).pipeline.lca.network.state_dict()  # type: ignore[attr-defined]
    theirs = before.pipeline.lca.network.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(after[name], value) for name, value in theirs.items())
    assert float(after["node_head.last.weight"].abs().max()) > 0
