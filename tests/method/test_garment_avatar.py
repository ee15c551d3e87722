"""Avatars in loose garments: what a viewer shows of their nodes, and what these cost."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.node_cost import without_nodes
from lca_method.avatar.resizing import resized
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.node_head import DeformerConfig
from lca_method.viewing.skinning_view import SkinningView, joint_colors
from lca_shared.body import CompactBody


@pytest.fixture
def avatar(config: LCAConfig, body: CompactBody, random_references: Callable) -> Avatar:
    torch.manual_seed(0)
    network = LCA(replace(config, deformer=DeformerConfig(nodes=24, hidden=16)), body).eval().requires_grad_(False)
    assert network.node_head is not None
    torch.nn.init.normal_(network.node_head.last.weight, std=2.0)
    return avatar_of(network, network.encode(random_references((), 2), torch.zeros(len(body.shape_names))))


def test_an_avatar_without_its_nodes_is_skinned_by_the_template(avatar: Avatar) -> None:
    plain = without_nodes(avatar)
    assert plain.nodes is None
    assert torch.equal(plain.skinning_weights, avatar.body.active_weights)
    assert avatar.nodes is not None  # the other stays as it was
    assert not torch.equal(avatar.skinning_weights, avatar.body.active_weights)


def test_another_number_of_gaussians_follows_the_same_nodes(avatar: Avatar) -> None:
    same = resized(avatar, avatar.canonical.count)
    torch.testing.assert_close(same.skinning_weights, avatar.skinning_weights)
    assert resized(avatar, 100).skinning_weights.shape[0] == 100


def test_joints_and_nodes_in_colour(avatar: Avatar) -> None:
    colors = joint_colors(60)
    assert float(colors.min()) >= 0
    assert float(colors.max()) <= 1
    assert float(torch.pdist(colors[:8]).min()) > 0.2
    posed = avatar.drive(avatar.rest_pose)
    shown = SkinningView(avatar).shown(posed)
    nodes = avatar.nodes
    assert nodes is not None
    assert shown.count == posed.count + 24
    torch.testing.assert_close(shown.colors[: posed.count], avatar.skinning_weights @ joint_colors(55))
    torch.testing.assert_close(shown.colors[-24:], nodes.gates[:, None].expand(-1, 3))
    assert SkinningView(without_nodes(avatar)).shown(posed).count == posed.count
