"""Normals of the clothed body against surfaces whose normals are known, and colours of shadows."""

import math
from dataclasses import replace

import torch

from lca_method.networks import LCA, LCAConfig
from lca_method.networks.clothed_normals import ClothedNormals
from lca_method.networks.irradiance import irradiance
from lca_method.networks.relight_config import RelightConfig
from lca_shared.body import BodyPose, CompactBody
from lca_shared.body.anchors import SurfacePoints, sample_surface
from lca_shared.lighting.lights import Lights
from lca_shared.tensors import Float, Tensor

CELL = 0.03


def known(body: CompactBody) -> tuple[ClothedNormals, SurfacePoints]:
    points = sample_surface(body.template_vertices, body.faces, 3000, seed=0)
    return ClothedNormals.of_points(body, points, CELL), points


def degrees(one: Float[Tensor, "*n 3"], other: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
    return torch.rad2deg(torch.acos((one * other).sum(-1).clamp(-1, 1)))


def test_without_offsets_or_moved_as_a_whole_they_are_the_bodys(body: CompactBody) -> None:
    normals, points = known(body)
    bare = points.normals(body.template_vertices, body.faces)
    opacities = torch.full((2, 3000), 0.7)
    offsets = torch.stack([torch.zeros(3000, 3), torch.tensor([0.1, -0.2, 0.05]).expand(3000, 3)])
    found = normals.of(offsets, opacities, 0.5)
    torch.testing.assert_close(found[1], found[0], atol=1e-4, rtol=0)
    assert float(degrees(found[0], bare).median()) < 8
    assert torch.equal(normals.of(offsets, opacities, 0.0)[0], bare)


def test_a_cone_about_the_legs_looks_up(body: CompactBody) -> None:
    """A skirt that grows by 6 cm in radius for each 10 cm downwards."""
    normals, points = known(body)
    places = points.read(body.template_vertices, body.faces)
    bare = points.normals(body.template_vertices, body.faces)
    lower = body.template_joints[body.joint_names.index("lowerleg01.L"), 2]
    upper = body.template_joints[body.joint_names.index("upperleg01.L"), 2]
    outside = (places[:, 0].sign() * bare[:, 0] > 0.9) & (places[:, 2] > lower + 0.1) & (places[:, 2] < upper - 0.1)
    assert int(outside.sum()) > 20
    aside = torch.nn.functional.normalize(bare * torch.tensor([1.0, 1.0, 0.0]), dim=-1)
    offsets = aside * 0.6 * (upper - places[:, 2:]).clamp(min=0)
    found = normals.of(offsets, torch.ones(3000), 1.0)[outside]
    still = normals.of(torch.zeros(3000, 3), torch.ones(3000), 1.0)[outside]
    tilted = torch.rad2deg(torch.asin(found[:, 2]) - torch.asin(still[:, 2]))
    assert abs(float(tilted.median()) - math.degrees(math.atan(0.6))) < 5


def test_what_is_not_seen_does_not_count(body: CompactBody) -> None:
    normals, _ = known(body)
    wild = 0.1 * torch.randn(3000, 3, generator=torch.Generator().manual_seed(0))
    seen = torch.arange(3000) % 2 == 0
    quiet = torch.where(seen[:, None], 0.0, wild)
    found = normals.of(quiet, seen.float(), 1.0)
    torch.testing.assert_close(found, normals.of(torch.zeros(3000, 3), torch.ones(3000), 1.0), atol=1e-4, rtol=0)


def test_shadow_of_a_red_light_is_blue(config: LCAConfig, body: CompactBody) -> None:
    """Red light from above, blue light from in front: what the body keeps from the red one is left with blue."""
    network = LCA(replace(config, relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.06)), body)
    assert network.relight is not None
    shadows = network.relight.shadow_body(network)
    pose, shape = BodyPose.rest(len(body.driven_joints)), torch.zeros(len(body.shape_names))
    lights = Lights.none().with_point(torch.tensor([0.0, 0.0, 5.0]), torch.tensor([9.0, 0, 0]))
    lights = lights.with_point(torch.tensor([0.0, -5.0, 1.0]), torch.tensor([0.0, 0, 9.0]))
    _, places, normals = shadows.posed(shape, pose)
    found = irradiance(normals, places, shadows.visible(shape, pose, lights), lights)
    shares = found[..., :1] * found[..., 3:]
    assert bool((shares >= 0).all()) and float(shares.max()) <= 1 + 1e-5
    hidden = (shares[:, 0] < 0.2) & (shares[:, 2] > 0.8)
    assert int(hidden.sum()) >= 3
    white = Lights.none().with_point(torch.tensor([0.0, 0.0, 5.0]), torch.ones(3))
    tint = irradiance(normals, places, shadows.visible(shape, pose, white), white)[..., 3:]
    torch.testing.assert_close(tint, torch.ones_like(tint), atol=1e-4, rtol=0)
