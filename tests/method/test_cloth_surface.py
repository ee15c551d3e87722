"""Gaussians on cloth: an oval without a gap around both legs, and as far out as the pictures show the person."""

import torch

from lca_method.networks.cloth_surface import DISTANCES, FEATURES, ClothSurface, leg_joints, oval_around_legs, reach_of
from lca_method.networks.gaussian_heads import GaussianStart
from lca_shared.body import CompactBody

COUNT = len(DISTANCES)


def on_template(body: CompactBody) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    points = body.template_vertices
    return points, *oval_around_legs(points, body.active_weights, body)[:2]


def test_both_legs_together_are_one_ring_without_a_gap(body: CompactBody) -> None:
    points, away, shift = on_template(body)
    knee = float(body.template_joints[body.joint_names.index("lowerleg01.L"), 2])
    legs = body.active_weights[:, leg_joints(body)].sum(-1) > 0.9

    def widest_gap(places: torch.Tensor) -> float:
        near = legs & ((points[:, 2] - knee).abs() < 0.03)
        around = torch.atan2(places[near, 1] - places[near, 1].mean(), places[near, 0] / 3).sort().values
        return float(torch.cat([around.diff(), (around[:1] + 2 * torch.pi) - around[-1:]]).max())

    assert widest_gap(points + shift) < 0.5
    assert float((points + shift)[legs & ((points[:, 2] - knee).abs() < 0.03), 0].abs().min()) < 0.03  # in the middle
    assert float(points[legs & ((points[:, 2] - knee).abs() < 0.03), 0].abs().min()) > 0.05
    assert torch.allclose(away.norm(dim=-1), torch.ones(len(points)), atol=1e-5)
    assert float(away[:, 2].abs().max()) == 0.0


def test_arms_trunk_head_and_feet_stay(body: CompactBody) -> None:
    points, _, shift = on_template(body)
    off_legs = body.active_weights[:, leg_joints(body)].sum(-1) < 0.5
    hips = float(body.template_joints[body.joint_names.index("upperleg01.L"), 2])
    ankles = float(body.template_joints[body.joint_names.index("foot.L"), 2])
    for stay in (off_legs, points[:, 2] > hips, points[:, 2] < ankles):
        assert float(shift[stay].abs().max()) == 0.0


def test_reach_ends_where_views_show_no_person() -> None:
    profile = torch.zeros(COUNT + 1, FEATURES)
    for ends in range(COUNT + 1):
        profile[ends, 3 * COUNT : 4 * COUNT] = 0.5
        profile[ends, 3 * COUNT : 3 * COUNT + ends] = 1.0
    profile[1, 4 * COUNT - 1] = 1.0  # somebody's arm, beyond a gap
    reach = reach_of(profile)[:, 0]
    assert float(reach[0]) == 0.0
    assert torch.allclose(reach[-1], torch.tensor(DISTANCES[-1]))
    for ends in range(1, COUNT):
        middle = 0.5 * (DISTANCES[ends - 1] + DISTANCES[ends])
        assert abs(float(reach[ends]) - middle) < 1e-6


def test_closed_gates_and_views_that_show_no_cloth_leave_a_start_as_it_was(body: CompactBody) -> None:
    points = body.template_vertices
    surface = ClothSurface(5)
    surface.requires_grad_(False)
    torch.nn.init.normal_(surface.last.weight)
    surface.read_template(body, body)
    random = torch.Generator().manual_seed(0)
    count = len(points)
    bare = GaussianStart(*(torch.randn(count, *rest, generator=random) for rest in ((3,), (), (), (3,))))
    code, colors = (torch.randn(count, n, generator=random) for n in (5, 3))
    shown, hidden = torch.ones(count, FEATURES), torch.zeros(count, FEATURES)
    for profile, replaced in ((shown, 0.0), (hidden, 1.0)):
        found = surface(profile, code, colors, torch.full((count,), replaced), bare)
        for name in ("offsets", "opacities", "log_scales", "colors"):
            assert torch.equal(getattr(found, name), getattr(bare, name))
    torch.nn.init.zeros_(surface.last.weight)
    moved = surface(shown, code, colors, torch.ones(count), bare).offsets
    legs = surface.rings[:, 0]
    assert torch.equal(moved[legs == 0], bare.offsets[legs == 0])
    there = surface.shift + DISTANCES[-1] * surface.away
    assert torch.allclose(moved[legs == 1], there[legs == 1], atol=1e-6)


def test_a_ring_that_opens_to_a_circle_is_as_much_longer() -> None:
    surface = ClothSurface(5)
    radius, reach = 0.07, 0.1
    surface.rings = torch.tensor([[1.0, radius, 0.2, 0.2]])  # half a circle of 0.2 m instead of one of the leg's radius
    longer = float(surface.stretched(torch.full((1, 1), reach)).exp())
    assert abs(longer - torch.pi * (0.2 + reach) / (2 * torch.pi * radius)) < 1e-5
