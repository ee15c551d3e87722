"""Losses on the nodes of loose garments, and the methods that use them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.losses.arap import arap_lengths, arap_turned
from lca_method.losses.correction_sparsity import sparsity_gates, sparsity_l1
from lca_method.losses.loose_start import FEW, loose_start, remaining
from lca_method.losses.node_motion import NodeMotion
from lca_method.losses.registry import ARAP, SPARSITY
from lca_method.networks.node_graph import node_graph
from lca_method.networks.node_skinning import NodeSkinning
from lca_shared.rotations import rotation_vector_to_matrix

NODES, JOINTS = 16, 3


@pytest.fixture
def nodes() -> NodeSkinning:
    random = torch.Generator().manual_seed(0)
    places = torch.rand(50, 3, generator=random, dtype=torch.float64)
    template, wanted = (torch.randn(NODES, JOINTS, generator=random, dtype=torch.float64).softmax(-1) for _ in range(2))
    return NodeSkinning(node_graph(places, NODES, 4)[0], template, torch.rand(NODES, generator=random).double(), wanted)


def moved_by(vectors: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Frames [1, joints, 3, 4]."""
    return torch.cat([rotation_vector_to_matrix(vectors), places[..., None]], dim=-1)[None]


@pytest.mark.parametrize("loss", ARAP.values(), ids=ARAP.keys())
def test_rigid_motion_costs_nothing_and_stretching_does(nodes: NodeSkinning, loss: Callable) -> None:
    vector, place = torch.tensor([0.3, -0.5, 0.7]).double(), torch.tensor([1.0, 2.0, 3.0]).double()
    together = moved_by(vector.expand(JOINTS, 3), place.expand(JOINTS, 3))
    assert float(loss(NodeMotion(nodes, together))) < 1e-10
    apart = moved_by(torch.zeros(JOINTS, 3).double(), torch.eye(3).double())
    assert float(loss(NodeMotion(nodes, apart))) > 0.01
    world = rotation_vector_to_matrix(vector)
    turned = torch.cat([world @ apart[..., :3], (apart[..., 3] @ world.mT)[..., None]], dim=-1)
    torch.testing.assert_close(loss(NodeMotion(nodes, turned)), loss(NodeMotion(nodes, apart)))


def test_without_corrections_the_templates_bending_costs_nothing(nodes: NodeSkinning) -> None:
    motion = NodeMotion(
        replace(nodes, gates=torch.zeros(NODES).double()),
        moved_by(torch.rand(JOINTS, 3).double(), torch.rand(3, 3).double()),
    )
    for loss in (*ARAP.values(), *SPARSITY.values()):
        assert float(loss(motion)) == 0


def test_arap_in_numbers() -> None:
    """Two nodes a metre apart, carried by two joints of which one moves 0.5 m away: (0.5 / 1) squared."""
    places = torch.tensor([[0.0, 0, 0], [1.0, 0, 0]]).double()
    graph = node_graph(places, 2, 1)[0]
    swapped = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double()  # each is carried by the other's joint
    nodes = NodeSkinning(graph, torch.eye(2).double(), torch.ones(2).double(), torch.eye(2).double())
    away = moved_by(torch.zeros(2, 3).double(), torch.tensor([[0.0, 0, 0], [0.5, 0, 0]]).double())
    assert float(arap_turned(NodeMotion(nodes, away))) == pytest.approx(0.25)
    assert float(arap_lengths(NodeMotion(nodes, away))) == pytest.approx(0.25)
    half = replace(nodes, gates=torch.tensor([1.0, 0.0]).double())
    assert float(arap_turned(NodeMotion(half, away))) == pytest.approx(0.125)  # one end is the template's
    assert float(sparsity_l1(NodeMotion(nodes, away))) == 0  # what is wanted is the template
    assert float(sparsity_l1(NodeMotion(replace(nodes, wanted=swapped), away))) == pytest.approx(2)
    assert float(sparsity_gates(NodeMotion(half, away))) == pytest.approx(0.5)


def test_people_and_frames_have_axes(nodes: NodeSkinning) -> None:
    tensors = {
        name: torch.stack([value, value.flip(0) if name == "gates" else value])
        for name, value in nodes.tensors().items()
    }
    people = NodeSkinning.from_tensors(tensors)
    random = torch.Generator().manual_seed(1)
    frames = moved_by(
        torch.randn(2, 4, JOINTS, 3, generator=random).double(), torch.randn(2, 4, JOINTS, 3, generator=random).double()
    )[0]
    for loss in (*ARAP.values(), *SPARSITY.values()):
        both = loss(NodeMotion(people, frames))
        assert both.shape == (2,)
        torch.testing.assert_close(both[1], loss(NodeMotion(people[1], frames[1])))


def test_gradients_reach_wanted_weights_but_arap_closes_no_gate(nodes: NodeSkinning) -> None:
    gates, wanted = nodes.gates.clone().requires_grad_(), nodes.wanted.clone().requires_grad_()
    moving = NodeMotion(
        replace(nodes, gates=gates, wanted=wanted), moved_by(torch.rand(3, 3).double(), torch.rand(3, 3).double())
    )
    arap_turned(moving).sum().backward()
    assert wanted.grad is not None
    assert float(wanted.grad.abs().max()) > 0
    sparsity_l1(moving).sum().backward()
    assert gates.grad is not None
    assert float(gates.grad.abs().max()) > 0


def test_gates_are_pulled_open_where_cloth_stands_off_the_legs_and_only_at_first(nodes: NodeSkinning) -> None:
    gates = torch.zeros(NODES, dtype=torch.float64, requires_grad=True)
    shut = replace(nodes, gates=gates)
    legs, none = torch.tensor([True, True, False]), torch.zeros(JOINTS, dtype=torch.bool)
    offsets = torch.zeros(50, 3, dtype=torch.float64)
    assert float(loose_start(shut, offsets, legs).detach()) == 0
    offsets[:30, 0] = 0.2
    pull = loose_start(shut, offsets, legs)
    assert float(pull.detach()) == pytest.approx(1.0)
    assert float(loose_start(shut, offsets, none).detach()) == 0  # hair stands off too
    pull.backward()
    assert gates.grad is not None
    assert float(gates.grad.min()) < 0  # these are opened
    opened = replace(nodes, gates=torch.ones(NODES, dtype=torch.float64))
    assert float(loose_start(opened, 0 * offsets, legs)) == pytest.approx(1.0)  # all lie on the body
    offsets[:] = 0.2
    assert float(loose_start(opened, offsets, legs)) < 1e-6
    assert [remaining(step, 10) for step in (0, 5, 10, 50)] == [1.0, 0.5, 0.0, 0.0]
    assert remaining(0, 0) == 0.0


def test_few_who_stand_off_pull_less(nodes: NodeSkinning) -> None:
    """Of 16 nodes one stands off by 20 cm, the others lie on the body."""
    lone = replace(nodes, graph=replace(nodes.graph, influences=torch.eye(4).double()[:1].repeat(50, 1)))
    followers = (lone.graph.neighbours[:, :1] == 0).to(torch.float64) * torch.tensor([1.0, 0.0, 0.0])
    legs = torch.tensor([True, True, True])
    assert NODES * FEW < 1
    assert float(loose_start(replace(lone, gates=0 * lone.gates), 0.2 * followers, legs)) == pytest.approx(1.0)
    assert float(loose_start(replace(lone, gates=0 * lone.gates), 0.03 * followers, legs)) == pytest.approx(0.0)
