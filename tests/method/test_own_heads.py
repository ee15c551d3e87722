"""Heads of what nodes carry: nothing before training, and never anything for somebody whose gates are shut."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from lca_method.batch import ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.node_head import DeformerConfig
from lca_method.networks.own_heads import OPEN, SHUT, of_cloth
from lca_method.networks.subject import SubjectCode
from lca_shared.body import CompactBody


def test_share_of_cloth_by_hand() -> None:
    replaced = torch.tensor([0.0, SHUT, 0.5 * (SHUT + OPEN), OPEN, 1.0])
    torch.testing.assert_close(of_cloth(replaced), torch.tensor([0.0, 0.0, 0.5, 1.0, 1.0]))


def learned(network: LCA, std: float) -> None:
    assert network.node_head is not None
    assert network.node_head.own is not None
    for last in (network.node_head.own.canonical, network.node_head.own.posed):
        nn.init.normal_(last.weight, std=std)


def test_they_act_where_nodes_act_and_nowhere_else(
    config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews], random_driving: Callable
) -> None:
    torch.manual_seed(0)
    network = LCA(replace(config, deformer=DeformerConfig(nodes=24, hidden=16, own_heads=True)), body).eval()
    plain = LCA(config, body).eval()
    plain.load_state_dict(
        {key: value for key, value in network.state_dict().items() if not key.startswith("node_head.")}
    )
    references, driving = random_references((2,), 3), random_driving((2, 2))
    shape = 0.3 * torch.randn(2, len(body.shape_names))

    def differs(ours: SubjectCode, theirs: SubjectCode) -> torch.Tensor:
        """Which Gaussians."""
        at_rest = (ours.canonical.means != theirs.canonical.means).any(-1)
        return at_rest | (ours.canonical.colors != theirs.canonical.colors).any(-1)

    expected = plain.encode(references, shape)
    learned(network, 0.3)
    shut = network.encode(references, shape)  # the nodes' last layer is zero: so are the gates
    assert not bool(differs(shut, expected).any())
    assert torch.equal(shut.token_half, expected.token_half)
    assert network.node_head is not None
    nn.init.normal_(network.node_head.last.weight, std=3.0)
    some = network.encode(references, shape)
    assert some.nodes is not None
    acts = of_cloth(some.nodes.share()) > 0
    assert 0 < int(acts.sum()) < acts.numel()
    assert torch.equal(differs(some, expected), acts)
    of_tokens = acts.unflatten(-1, (-1, config.placement.gaussians_per_token)).any(-1)
    assert torch.equal((some.token_half != expected.token_half).any(-1), of_tokens)
    learned(network, 0.0)
    assert not bool(differs(network.encode(references, shape), expected).any())
    assert network.drive(some, driving)[1].means.isfinite().all()
