"""Shadows of the clothed body, and learned normals that begin as those of the clothed body."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.resizing import resized
from lca_method.batch import ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.clothed_shadows import ClothedShadows
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.relight_head import without_tilt
from lca_method.networks.shadow_body import ShadowBody
from lca_method.networks.shadow_layout import shadow_layout
from lca_shared.body import BodyPose, CompactBody
from lca_shared.body.anchors import SurfacePoints, sample_surface
from lca_shared.lighting.lights import Lights
from lca_shared.rotations import quaternion_to_matrix

CELL = 0.03


@pytest.fixture
def network(config: LCAConfig, body: CompactBody) -> LCA:
    torch.manual_seed(0)
    relight = RelightConfig(
        lobes=2, hidden=16, occluder_cell=0.05, shadow_places=2, clothed_shadows=True, own_normals=16
    )
    return LCA(replace(config, relight=relight), body).requires_grad_(False).eval()


def test_who_is_moved_as_a_whole_throws_the_same_shadow_elsewhere(network: LCA) -> None:
    assert network.relight is not None
    count = len(network.initial_scales)
    opacities = torch.rand(count, generator=torch.Generator().manual_seed(0)) + 0.1
    aside = torch.tensor([0.1, -0.2, 0.3])
    shift = network.relight.shadow_shift(network, aside.expand(count, 3), opacities)
    assert shift is not None
    shadows, pose = network.relight.shadow_body(network), BodyPose.rest(len(network.body.driven_joints))
    torch.testing.assert_close(shift, aside.expand(len(shadows.body.template_vertices), 3))
    mouth = network.body.regions["mouth_interior"][network.body.faces[network.gaussian_faces]].any(dim=-1)
    assert (
        len(shadows.normals) == (count - int(mouth.sum()) + 1) // 2
    )  # every second Gaussian's point, none in the mouth
    sun = Lights.none().with_sun(torch.tensor([0.3, -1.0, 0.8]), torch.ones(3))
    shape = torch.zeros(len(network.body.shape_names))
    bare, moved = (shadows.visible(shape, pose, sun, shift=by) for by in (None, shift))
    assert 0.05 < float(bare.mean()) < 0.95
    assert float((bare != moved).float().mean()) < 0.01  # an edge may fall to either side


def test_a_skirt_shades_the_legs(body: CompactBody) -> None:
    """Thighs blown up to a bell keep steep light from the shins."""
    gaussians = sample_surface(body.template_vertices, body.faces, 4000, seed=0)
    places = SurfacePoints(gaussians.faces[::4], gaussians.barycentric[::4])
    shadows = ShadowBody.of(body, places, shadow_layout(body, places, gaussians, CELL))
    clothes = ClothedShadows.of_points(body, gaussians, places, CELL)
    points = gaussians.read(body.template_vertices, body.faces)
    knee, hip = (
        float(body.template_joints[body.joint_names.index(name), 2]) for name in ("lowerleg01.L", "upperleg01.L")
    )
    skirt = (points[:, 2] > knee + 0.05) & (points[:, 2] < hip) & (points[:, 0].abs() < 0.3)
    aside = torch.nn.functional.normalize(points * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    shift = clothes.shift(torch.where(skirt[:, None], 0.25 * aside, 0.0), torch.ones(4000))
    pose, shape = BodyPose.rest(len(body.driven_joints)), torch.zeros(len(body.shape_names))
    steep = Lights.none().with_sun(torch.tensor([0.0, -0.35, 1.0]), torch.ones(3))
    _, at, normals = shadows.posed(shape, pose)
    shins = (at[:, 2] > knee - 0.2) & (at[:, 2] < knee - 0.05) & (normals[:, 1] < -0.5)
    assert int(shins.sum()) > 5
    bare, clothed = (shadows.visible(shape, pose, steep, shift=by)[shins, 0].mean() for by in (None, shift))
    assert float(clothed) < float(bare) - 0.3


def test_an_avatar_takes_its_clothed_shadows_along(
    network: LCA, random_references: Callable[..., ReferenceViews]
) -> None:
    assert network.relight is not None
    shape = torch.full((len(network.body.shape_names),), 0.1)
    code = network.encode(random_references((), 2), shape)
    pose = BodyPose.rest(len(network.body.driven_joints))
    shift = network.relight.shadow_shift(network, code.offsets, code.canonical.opacities)
    expected = network.relight.shadow_body(network).posed(shape, pose, shift)
    avatar = avatar_of(network, code)
    assert avatar.relight is not None
    none = torch.zeros(0)
    for found, wanted in zip(avatar.relight.shadow_body.posed(none, pose), expected):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    larger = resized(avatar, 2 * avatar.canonical.count).relight
    assert larger is not None
    places = larger.shadow_body.posed(none, pose)[1]
    torch.testing.assert_close(places, expected[1], atol=1e-5, rtol=0)  # no place is asked twice


def test_normals_begin_as_those_of_the_clothed_body(
    network: LCA, random_references: Callable[..., ReferenceViews]
) -> None:
    assert network.relight is not None and network.relight.normal_network is not None
    references, shape = random_references((2,), 2), torch.zeros(2, len(network.body.shape_names))
    code = network.encode(references, shape)
    assert code.relight is not None
    given = network.relight.normals(network, code.offsets, code.canonical.opacities)
    torch.nn.init.normal_(network.relight.head.last.weight, std=0.3)
    without_tilt(network.relight.head)
    frames = quaternion_to_matrix(code.canonical.quaternions)

    def at_rest() -> torch.Tensor:
        transfer = network.encode(references, shape).relight
        assert transfer is not None
        return (frames @ transfer.normals[..., None])[..., 0]

    torch.testing.assert_close(at_rest(), given, atol=1e-5, rtol=0)
    torch.nn.init.normal_(network.relight.normal_network.last.weight, std=1.0)
    learned = at_rest()
    torch.testing.assert_close(learned.norm(dim=-1), torch.ones(learned.shape[:-1]))
    assert float((learned - given).abs().max()) > 0.1
    assert not torch.equal(learned[0], learned[1])
