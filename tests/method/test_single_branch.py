"""The ablation without a canonical head: one pose-dependent head says everything."""

from dataclasses import replace

import pytest
import torch

from lca_method.networks import LCA


@pytest.fixture
def single(config, body):
    torch.manual_seed(0)
    return LCA(replace(config, branches="single"), body)


def test_before_training_it_shows_what_the_dual_branch_starts_from(single, body, random_references, random_driving):
    code = single.encode(random_references((2,), 2), torch.zeros(2, len(body.shape_names)))
    canonical, posed = single.drive(code, random_driving((2, 3)))
    torch.testing.assert_close(posed.means, canonical.means)
    torch.testing.assert_close(posed.opacities, canonical.opacities)
    assert "canonical_head" not in {name.split(".")[0] for name, _ in single.named_parameters()}


def test_its_head_learns_all_attributes_and_opacity_follows_the_pose(single, body, random_references, random_driving):
    torch.nn.init.normal_(single.pose_head.deltas.weight, std=0.2)
    code = single.encode(random_references((), 2), torch.zeros(len(body.shape_names)))
    _, posed = single.drive(code, random_driving((2,)))
    assert (posed.opacities[0] - posed.opacities[1]).abs().max() > 1e-4
    torch.nn.functional.mse_loss(posed.opacities, torch.ones_like(posed.opacities)).backward()
    assert single.pose_head.of_tokens.weight.grad.abs().sum() > 0
