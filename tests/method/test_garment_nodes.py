"""Laws of the nodes that carry loose garments, and of the Gaussians that follow them."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.batch import ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.deformer import skinned
from lca_method.networks.embedded_deformation import embedded, farthest_points_slowly
from lca_method.networks.node_graph import NodeGraph, embedded_weights, farthest_points, node_graph
from lca_method.networks.node_head import ClampedInwards, DeformerConfig, NodeHead, around, joint_steps
from lca_method.networks.node_skinning import NodeSkinning, interpolated, of_followers
from lca_shared.body import CompactBody
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix, rotation_vector_to_matrix

POINTS, NODES, JOINTS = 60, 12, 5


def graph_of(points: torch.Tensor, count: int = NODES) -> NodeGraph:
    return node_graph(points, count, 4)[0]


@pytest.fixture
def points() -> torch.Tensor:
    return torch.rand(POINTS, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def nodes(points: torch.Tensor) -> NodeSkinning:
    random = torch.Generator().manual_seed(1)
    template = torch.rand(NODES, JOINTS, generator=random, dtype=torch.float64).softmax(-1)
    wanted = (4 * torch.randn(NODES, JOINTS, generator=random, dtype=torch.float64)).softmax(-1)
    gates = torch.rand(NODES, generator=random, dtype=torch.float64)
    return NodeSkinning(graph_of(points), template, gates, wanted)


def template_of(count: int, seed: int = 2) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(count, JOINTS, generator=random, dtype=torch.float64)).softmax(-1)


def rigid(count: int, seed: int = 3) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    turn = rotation_vector_to_matrix(torch.randn(count, 3, generator=random, dtype=torch.float64))
    return torch.cat([turn, torch.randn(count, 3, 1, generator=random, dtype=torch.float64)], dim=-1)


def round_gaussians(points: torch.Tensor) -> Gaussians:
    count = len(points)
    upright = points.new_tensor([1.0, 0.0, 0.0, 0.0]).repeat(count, 1)
    return Gaussians(points, upright, points.new_full((count, 3), 0.01), points.new_ones(count), points)


def test_farthest_points_are_those_of_the_slow_way_for_every_person_of_a_batch() -> None:
    people = torch.rand(3, 80, 3, generator=torch.Generator().manual_seed(4))
    chosen = farthest_points(people, 15)
    assert chosen.tolist() == [farthest_points_slowly(person, 15) for person in people]
    with pytest.raises(ValueError, match="80 points"):
        farthest_points(people, 81)


def test_farthest_points_are_spread_evenly(points: torch.Tensor) -> None:
    places = points[farthest_points(points, NODES)]
    to_nearest = torch.cdist(points, places).amin(dim=1).max()
    between = torch.cdist(places, places).fill_diagonal_(torch.inf).min()
    assert to_nearest <= between + 1e-12  # no point is farther from the nodes than they are from each other


def test_influences_are_a_partition_of_unity_and_fall_with_distance(points: torch.Tensor) -> None:
    places = points[:NODES]
    index, weights = embedded_weights(points, places, 4)
    torch.testing.assert_close(weights.sum(-1), torch.ones(POINTS).double())
    assert bool((weights >= 0).all())
    assert bool((weights.diff(dim=-1) <= 1e-12).all())
    assert index[:NODES, 0].tolist() == list(range(NODES))  # a node follows itself most
    same, _ = embedded_weights(points, places, 4)
    assert torch.equal(index, same)
    far, even = embedded_weights(torch.zeros(1, 3).double(), torch.eye(3).double().repeat(2, 1), 4)
    torch.testing.assert_close(even, torch.full((1, 4), 0.25).double())  # all as far: all alike
    assert far.shape == (1, 4)


def test_weights_of_nodes_and_gaussians_stay_distributions(nodes: NodeSkinning) -> None:
    template = template_of(POINTS)
    for weights in (nodes.weights, nodes.followed(template)):
        torch.testing.assert_close(weights.sum(-1), torch.ones(len(weights)).double())
        assert bool((weights >= 0).all())
    torch.testing.assert_close(nodes.corrections.sum(-1), torch.zeros(NODES).double())
    torch.testing.assert_close(nodes.weights, nodes.template + nodes.corrections)
    open_ = replace(nodes, gates=torch.ones(NODES).double())
    torch.testing.assert_close(open_.followed(template), interpolated(open_.weights, nodes.graph))


def test_closed_gates_are_the_templates_skinning_to_the_bit(nodes: NodeSkinning) -> None:
    template = template_of(POINTS)
    closed = replace(nodes, gates=torch.zeros(NODES).double())
    assert torch.equal(closed.followed(template), template)
    assert torch.equal(closed.share(), torch.zeros(POINTS).double())


def test_the_fast_way_is_embedded_deformation(points: torch.Tensor, nodes: NodeSkinning) -> None:
    template, transforms = template_of(POINTS), rigid(JOINTS)
    moved, linear = embedded(points, template, nodes, transforms)
    fast = skinned(round_gaussians(points), nodes.followed(template), transforms)
    torch.testing.assert_close(fast.means, moved)
    turned = quaternion_to_matrix(fast.quaternions)  # the linear part's first two columns, made orthonormal
    first = torch.nn.functional.normalize(linear[..., 0], dim=-1)
    torch.testing.assert_close(turned[..., 0], first)
    torch.testing.assert_close((turned[..., 2] * linear[..., 1]).sum(-1), torch.zeros(POINTS).double())


def test_rigid_motion_gives_rigid_motion(points: torch.Tensor, nodes: NodeSkinning) -> None:
    """All joints moved alike move Gaussians alike, turning their axes; joints at rest leave them where they are."""
    template, gaussians = template_of(POINTS), round_gaussians(points)
    motion = rigid(1)
    moved = skinned(gaussians, nodes.followed(template), motion.expand(JOINTS, 3, 4))
    torch.testing.assert_close(moved.means, points @ motion[0, :, :3].mT + motion[0, :, 3])
    torch.testing.assert_close(quaternion_to_matrix(moved.quaternions), motion[0, :, :3].expand(POINTS, 3, 3))
    still = torch.eye(3, 4).double().expand(JOINTS, 3, 4)
    torch.testing.assert_close(skinned(gaussians, nodes.followed(template), still).means, points)


def test_turning_the_world_turns_what_nodes_carry(points: torch.Tensor, nodes: NodeSkinning) -> None:
    template, transforms, world = template_of(POINTS), rigid(JOINTS), rigid(1, seed=9)[0]
    weights = nodes.followed(template)
    turned = torch.cat(
        [world[:, :3] @ transforms[..., :3], (transforms[..., 3] @ world[:, :3].mT + world[:, 3])[..., None]], dim=-1
    )
    here = skinned(round_gaussians(points), weights, transforms).means
    torch.testing.assert_close(
        skinned(round_gaussians(points), weights, turned).means, here @ world[:, :3].mT + world[:, 3]
    )


def test_gradients_of_gates_and_wanted_weights(points: torch.Tensor) -> None:
    some, count = points[:14], 7
    graph, template = graph_of(some, count), template_of(14)
    gates = torch.rand(count, generator=torch.Generator().manual_seed(5), dtype=torch.float64, requires_grad=True)
    logits = torch.randn(count, JOINTS, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    logits.requires_grad_()

    def carried(gates: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
        nodes = NodeSkinning(graph, template_of(count, 7), gates, logits.softmax(-1))
        return skinned(round_gaussians(some), nodes.followed(template), rigid(JOINTS)).means

    assert torch.autograd.gradcheck(carried, (gates, logits))


def test_a_closed_gate_can_open_again() -> None:
    value = torch.tensor([-0.5, -0.5, 0.5, 1.5, 1.5], requires_grad=True)
    gate = ClampedInwards.apply(value)
    gate.backward(torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0]))  # type: ignore[union-attr]
    assert gate.tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert value.grad is not None
    assert value.grad.tolist() == [0.0, -1.0, 1.0, 1.0, 0.0]  # descent moves against the gradient


def test_steps_along_the_skeleton(body: CompactBody) -> None:
    names = [body.joint_names[index] for index in body.active.joints.tolist()]
    steps = joint_steps(body.active)
    at = names.index
    assert torch.equal(steps, steps.mT)
    assert float(steps[at("lowerleg01.L"), at("lowerleg01.R")]) == 4
    assert float(steps[at("root"), at("wrist.L")]) == 8
    assert float(steps[at("head"), at("jaw")]) == 1


def test_what_may_carry_a_node_is_of_joints_near_it(body: CompactBody) -> None:
    weights = torch.eye(len(body.active.joints))
    names = [body.joint_names[index] for index in body.active.joints.tolist()]
    places = torch.zeros(len(weights), 3)  # all in one place: only the skeleton keeps them apart
    likely = around(weights, places, 0.1, joint_steps(body.active) <= 4)
    leg = likely[names.index("lowerleg01.L")]
    torch.testing.assert_close(likely.sum(-1), torch.ones(len(weights)))
    assert float(leg[names.index("lowerleg01.R")]) > 0
    assert float(leg[names.index("wrist.L")]) == 0


def with_nodes(config: LCAConfig, count: int = 24) -> LCAConfig:
    return replace(config, deformer=DeformerConfig(nodes=count, hidden=16))


def test_a_model_starts_as_exactly_plain_skinning(
    config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews], random_driving: Callable
) -> None:
    torch.manual_seed(0)
    plain = LCA(config, body).eval()
    nodal = LCA(with_nodes(config), body).eval()
    nodal.load_state_dict(plain.state_dict(), strict=False)
    shape = 0.3 * torch.randn(2, len(body.shape_names))
    references, driving = random_references((2,), 3), random_driving((2, 2))
    codes = [network.encode(references, shape) for network in (plain, nodal)]
    assert codes[0].weights is None
    assert codes[1].weights is not None
    assert torch.equal(codes[1].weights[1], nodal.point_body.active_weights)
    for ours, theirs in zip(nodal.drive(codes[1], driving), plain.drive(codes[0], driving)):
        torch.testing.assert_close(ours.means, theirs.means, atol=2e-6, rtol=0)
        torch.testing.assert_close(ours.quaternions, theirs.quaternions, atol=2e-6, rtol=0)
    nodal.drive(codes[1], driving)[1].means.square().sum().backward()
    head = nodal.node_head
    assert isinstance(head, NodeHead)
    assert head.last.weight.grad is not None
    assert float(head.last.weight.grad.abs().max()) > 0  # and it can learn from there


def test_means_over_followers_by_hand() -> None:
    """A batch of two graphs, against sums written out; what is the same everywhere stays so."""
    random = torch.Generator().manual_seed(3)
    points = torch.rand(2, 60, 3, generator=random, dtype=torch.float64)
    values = torch.rand(2, 60, 2, generator=random, dtype=torch.float64)
    graph = node_graph(points, 9, 4)[0]
    found = of_followers(values, graph)
    for person in range(2):
        for node in range(9):
            follows = torch.where(graph.neighbours[person] == node, graph.influences[person], 0.0).sum(dim=-1)
            expected = (follows[:, None] * values[person]).sum(dim=0) / follows.sum()
            torch.testing.assert_close(found[person, node], expected)
    torch.testing.assert_close(of_followers(torch.ones_like(values), graph), torch.ones(2, 9, 2).double())


def test_people_of_a_batch_have_their_own_nodes(
    config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews]
) -> None:
    torch.manual_seed(0)
    network = LCA(with_nodes(config), body).eval()
    assert network.node_head is not None
    torch.nn.init.normal_(network.node_head.last.weight, std=0.5)
    shape = torch.randn(2, len(body.shape_names))
    references = random_references((2,), 2)
    both = network.encode(references, shape)
    alone = network.encode(
        ReferenceViews(*(getattr(references, n)[1] for n in ("images", "masks", "face_images", "face_masks"))), shape[1]
    )
    assert both.nodes is not None
    assert alone.weights is not None
    assert both.weights is not None
    assert float(both.nodes.gates.detach().max()) > 0
    torch.testing.assert_close(both.weights[1], alone.weights, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.nodes[1].graph.places, both.nodes.graph.places[1])
