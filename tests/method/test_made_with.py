"""Which differences between a checkpoint and a configuration matter."""

from dataclasses import replace

import pytest

from lca_method.made_with import differences, made_with
from lca_method.networks import LCAConfig
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.node_head import DeformerConfig
from lca_method.networks.relight_config import RelightConfig


def test_a_network_fits_itself_and_what_only_training_knows_does_not_matter(config: LCAConfig, body) -> None:
    ours = made_with(config, body)
    assert differences(ours, ours) == []
    transformer = replace(config.transformer, checkpointing=True)
    augment = replace(config.driving.encoder.augment, rotation=45.0)
    driving = replace(config.driving, encoder=replace(config.driving.encoder, augment=augment))
    assert differences(made_with(replace(config, transformer=transformer, driving=driving), body), ours) == []


def test_what_learns_of_a_relightable_model_does_not_matter_but_its_sizes_do(config: LCAConfig, body) -> None:
    relight = RelightConfig(lobes=2)
    ours = made_with(replace(config, relight=relight), body)
    alone, smooth = replace(relight, light_alone=True), replace(relight, smooth=True)
    assert differences(ours, made_with(replace(config, relight=alone), body)) == []
    assert any("smooth" in line for line in differences(ours, made_with(replace(config, relight=smooth), body)))


def test_what_learns_of_a_model_with_nodes_does_not_matter_but_its_heads_do(config: LCAConfig, body) -> None:
    deformer = DeformerConfig(nodes=8)
    ours = made_with(replace(config, deformer=deformer), body)
    alone, own = replace(deformer, alone=True), replace(deformer, own_heads=True)
    assert differences(ours, made_with(replace(config, deformer=alone), body)) == []
    assert any("own_heads" in line for line in differences(ours, made_with(replace(config, deformer=own), body)))


@pytest.mark.parametrize("expression", ["coefficients", "code"])
def test_an_expression_encoder_matters_where_there_is_one(config: LCAConfig, body, expression) -> None:
    driving = replace(DrivingConfig(), expression=expression)
    small = replace(driving, encoder=replace(driving.encoder, width=driving.encoder.width // 2))
    found = differences(
        made_with(replace(config, driving=driving), body), made_with(replace(config, driving=small), body)
    )
    assert bool(found) == (expression == "code")
    assert all("driving.encoder.width" in line for line in found)
    other = made_with(replace(config, driving=replace(driving, rotation_code="rotation_vector")), body)
    assert any("rotation_code" in line for line in differences(made_with(config, body), other))


def test_fields_that_an_old_checkpoint_does_not_know_are_fine_at_their_default(config: LCAConfig, body) -> None:
    ours = made_with(config, body)
    old = {**ours, "network": {name: value for name, value in ours["network"].items() if name != "branches"}}
    assert differences(ours, old) == []
    single = made_with(replace(config, branches="single"), body)
    assert differences(single, old) == ["network.branches: absent in the checkpoint, single now"]
