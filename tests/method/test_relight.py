"""Laws of relighting: energy, symmetry, what is there before training, and that off is off."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.batch import DrivingSignal, ReferenceViews
from lca_method.networks import LCA, LCAConfig, SubjectCode
from lca_method.networks.irradiance import irradiance
from lca_method.networks.occlusion import by_every_pair, occluded
from lca_method.networks.relight import in_training, relit
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.relight_diffuse import diffuse_light
from lca_method.networks.relight_shading import Shaded
from lca_method.networks.relit_people import lit_people
from lca_method.networks.shadow_layout import coarse_mesh, shadow_layout
from lca_shared.body import BodyPose, CompactBody
from lca_shared.body.anchors import SurfacePoints
from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.environment import Environment, prefiltered
from lca_shared.lighting.equirectangular import directions_of, solid_angles
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import to_linear
from lca_shared.rendering import Rendering, rasterize
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix

SIZE = 32


@pytest.fixture
def relit_config(config: LCAConfig) -> LCAConfig:
    return replace(config, relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.06))


@pytest.fixture
def relightable(relit_config: LCAConfig, body: CompactBody) -> LCA:
    """With random weights in every head: laws must hold for all of them."""
    torch.manual_seed(0)
    network = LCA(relit_config, body)
    assert network.relight is not None
    generator = torch.Generator().manual_seed(3)
    for parameter in network.relight.parameters():
        parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.requires_grad_(False)


@pytest.fixture
def code(relightable: LCA, random_references: Callable[..., ReferenceViews]) -> SubjectCode:
    return relightable.encode(random_references((1,), 2), torch.zeros(1, len(relightable.body.shape_names)))


@pytest.fixture
def standing(body: CompactBody, random_driving: Callable[..., DrivingSignal]) -> DrivingSignal:
    driving = random_driving((1, 1))
    return replace(driving, pose=replace(driving.pose, root_translation=torch.zeros(1, 1, 3)))


@pytest.fixture
def room() -> Environment:
    generator = torch.Generator().manual_seed(5)
    return prefiltered(torch.rand(16, 32, 3, generator=generator) ** 4 * 3)


def camera() -> Cameras:
    matrix = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1.0, 0.9], [0, 1.0, 0, 3.0], [0, 0, 0, 1]])
    return Cameras(matrix, pinhole_intrinsics(1.4 * SIZE, SIZE, SIZE), SIZE, SIZE)


def draw(gaussians: object, cameras: Cameras) -> Rendering:
    return rasterize(gaussians, cameras)  # type: ignore[arg-type]


def picture(
    network: LCA, code: SubjectCode, driving: DrivingSignal, lights: Lights, seen_by: Cameras | None = None
) -> Shaded:
    seen_by = camera() if seen_by is None else seen_by
    return relit(lit_people(network, code, driving, lights, albedo=True)[0, 0], seen_by, lights, draw)


def test_white_furnace(relightable: LCA, code: SubjectCode, standing: DrivingSignal) -> None:
    assert code.relight is not None
    white = replace(
        code.relight,
        albedo=torch.ones_like(code.relight.albedo),
        openness=torch.ones_like(code.relight.openness),
    )
    even = replace(Lights.none(), ambient=torch.ones(3))
    for lights in (even, Lights.of_environment(prefiltered(torch.ones(4, 8, 3)))):
        shown = picture(relightable, replace(code, relight=white), standing, lights)
        assert float((shown.alpha > 0.5).sum()) > 30
        assert float(shown.radiance.max()) <= 1 + 1e-5
        given = picture(relightable, code, standing, lights)
        assert bool((given.radiance <= shown.radiance + 1e-5).all())


def test_all_light_comes_back_from_white_without_shadow() -> None:
    normals = torch.nn.functional.normalize(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    bands, open_ = torch.randn(9, 2, 3, generator=torch.Generator().manual_seed(1)), torch.ones(9)
    axes = normals[:, None].expand(-1, 2, -1)
    for lights in (
        replace(Lights.none(), ambient=torch.ones(3)),
        Lights.of_environment(prefiltered(torch.ones(4, 8, 3))),
    ):
        light = diffuse_light(normals, open_, axes, bands, torch.zeros(9, 3), lights)
        torch.testing.assert_close(light, torch.ones(9, 3), atol=1e-4, rtol=0)


def test_light_from_below_the_horizon_does_not_shine() -> None:
    """A rough surface that looks at the camera, lit from behind by the half of a map."""
    side = torch.linspace(-0.2, 0.2, 21)
    means = torch.cartesian_prod(side, torch.zeros(1), side + 0.9)
    facing = torch.tensor([0.0, -1.0, 0.0])
    channels = torch.cat([torch.zeros(3), facing, torch.tensor([0.95, 0.02, 1.0])]).expand(len(means), -1)
    turned, scales = torch.tensor([1.0, 0, 0, 0]).expand(len(means), 4), torch.full((len(means), 3), 0.02)
    surface = Gaussians(means, turned, scales, torch.full((len(means),), 0.99), channels)
    ahead = (directions_of(32, 64) @ facing > 0)[..., None].expand(-1, -1, 3)
    shining = {}
    for name, radiance in (("ahead", ahead.float()), ("behind", 1 - ahead.float()), ("even", torch.ones(32, 64, 3))):
        shown = relit(surface, camera(), Lights.of_environment(prefiltered(radiance)), draw)
        shining[name] = float(shown.specular[:, shown.alpha[0] > 0.9].mean())
    assert 0 < shining["behind"] < 0.05 * shining["even"]
    assert shining["ahead"] + shining["behind"] == pytest.approx(shining["even"], rel=0.01)


def test_many_directional_lights_are_an_environment(room: Environment) -> None:
    """Diffuse transfer of the same light given as a map and as its pixels."""
    generator = torch.Generator().manual_seed(5)
    radiance = torch.rand(16, 32, 3, generator=generator) ** 4 * 3
    strengths = (radiance * solid_angles(16, 32)[..., None] / torch.pi).flatten(0, 1)
    suns = replace(Lights.none(), directions=directions_of(16, 32).flatten(0, 1), sun_strengths=strengths)
    normals = torch.nn.functional.normalize(torch.randn(9, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    axes = normals.roll(1, 0)[:, None]
    bands = 0.2 * torch.randn(9, 1, 3, generator=torch.Generator().manual_seed(1))
    arguments = (normals, torch.full((9,), 0.8), axes, bands, torch.zeros(9, 3))
    found = diffuse_light(*arguments, Lights.of_environment(room))
    torch.testing.assert_close(found, diffuse_light(*arguments, suns), rtol=0.02, atol=0.005)


def test_turning_light_and_person_together_changes_nothing(
    relightable: LCA, code: SubjectCode, standing: DrivingSignal, room: Environment
) -> None:
    turn = rotation_vector_to_matrix(torch.tensor([0.4, -0.7, 1.1]))
    root = rotation_vector_to_matrix(standing.pose.root_rotation)
    joints = relightable.body.template_joints[0]  # the root turns about its own joint
    moved = replace(
        standing.pose,
        root_rotation=matrix_to_rotation_vector(turn @ root),
        root_translation=(turn @ joints - joints).expand(1, 1, 3),
    )
    matrix = camera().camera_from_world.clone()
    matrix[:3, :3] = matrix[:3, :3] @ turn.mT
    turned_camera = replace(camera(), camera_from_world=matrix)
    lights = replace(Lights.of_environment(room), ambient=torch.full((3,), 0.1))
    lights = lights.with_point(torch.tensor([1.0, -1.5, 1.2]), torch.tensor([2.0, 1.5, 1.0]))
    before = picture(relightable, code, standing, lights)
    after = picture(relightable, code, replace(standing, pose=moved), lights.turned(turn), turned_camera)
    torch.testing.assert_close(after.radiance, before.radiance, atol=2e-3, rtol=0)
    person = before.alpha[0] > 0.9
    torch.testing.assert_close(
        torch.einsum("ij,jp->ip", turn, before.normal[:, person]), after.normal[:, person], atol=2e-3, rtol=0
    )


def test_the_far_side_does_not_darken_the_near_one() -> None:
    """Two thin layers: the one in front is half transparent, the one behind looks away and is dark."""
    facing = torch.tensor([0.0, -1.0, 0.0])
    side = torch.linspace(-0.1, 0.1, 9)
    places = torch.cartesian_prod(side, torch.zeros(1), side + 0.9)
    means = torch.cat([places, places + torch.tensor([0.0, 0.2, 0.0])])
    bright = torch.arange(len(means)) < len(places)
    channels = torch.cat(
        [
            torch.where(bright[:, None], 0.8, 0.0).expand(-1, 3),
            torch.where(bright[:, None], facing, -facing),
            torch.where(bright[:, None], torch.tensor([1.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])),
        ],
        dim=-1,
    )
    turned = torch.tensor([1.0, 0, 0, 0]).expand(len(means), 4)
    opacities = torch.where(bright, 0.3, 0.99)
    layers = Gaussians(means, turned, torch.full((len(means), 3), 0.02), opacities, channels)
    shown = relit(layers, camera(), Lights.none(), draw)
    inside = shown.alpha[0] > 0.9
    assert int(inside.sum()) >= 4
    torch.testing.assert_close(shown.alpha, draw(layers, camera()).alpha)  # as opaque as it was
    assert float(shown.diffuse[:, inside].min()) > 0.75
    assert float(shown.shadow[:, inside].min()) > 0.9
    behind = relit(layers[~bright], camera(), Lights.none(), draw)  # alone it is what is seen
    assert float(behind.diffuse.max()) < 1e-6 and float(behind.alpha.max()) > 0.9


def test_light_is_linear_but_for_what_is_clamped(
    relightable: LCA, code: SubjectCode, standing: DrivingSignal, room: Environment
) -> None:
    once = picture(relightable, code, standing, Lights.of_environment(room))
    twice = picture(relightable, code, standing, Lights.of_environment(room.brightened(2.0)))
    torch.testing.assert_close(twice.radiance, 2 * once.radiance, atol=1e-5, rtol=1e-4)


def test_before_training_albedo_is_the_colour_over_the_references_light(
    relit_config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews]
) -> None:
    torch.manual_seed(0)
    network = LCA(relit_config, body)
    code = network.encode(random_references((1,), 2), torch.zeros(1, len(body.shape_names)))
    assert code.relight is not None
    expected = (to_linear(code.canonical.colors) / relit_config.relight.reference_light).clamp(0.01, 0.99)
    torch.testing.assert_close(code.relight.albedo, expected)
    assert not bool(code.relight.lobe_bands.any())


def test_smooth_light_is_one_for_a_tokens_gaussians(
    relit_config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews]
) -> None:
    torch.manual_seed(0)
    each = relit_config.placement.gaussians_per_token
    for smooth in (True, False):
        network = LCA(replace(relit_config, relight=replace(relit_config.relight, smooth=smooth)), body)
        assert network.relight is not None
        for part in (network.relight.head.last, network.relight.per_frame.deltas.last):
            torch.nn.init.normal_(part.weight, std=0.3)
        code = network.encode(random_references((1,), 2), torch.zeros(1, len(body.shape_names)))
        assert code.relight is not None
        hidden = torch.randn(1, len(network.token_faces), relit_config.heads.hidden)
        for values in (code.relight.openness[0], network.relight.per_frame.deltas(hidden)[0][0, :, 0]):
            of_tokens = values.detach().unflatten(0, (-1, each))
            assert (float((of_tokens - of_tokens[:, :1]).abs().max()) == 0) is smooth
            assert float(of_tokens[:, 0].std()) > 1e-4


def test_off_is_the_model_without(
    config: LCAConfig, relit_config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews],
    random_driving: Callable[..., DrivingSignal],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    without = LCA(config, body)
    with_it = LCA(relit_config, body)
    with_it.load_state_dict(without.state_dict(), strict=False)
    shape, references, driving = (
        torch.zeros(1, len(body.shape_names)),
        random_references((1,), 2),
        random_driving((1, 1)),
    )
    codes = [network.encode(references, shape) for network in (without, with_it)]
    assert codes[0].relight is None and without.relight is None
    for one, other in zip(without.drive(codes[0], driving), with_it.drive(codes[1], driving)):
        assert torch.equal(one.means, other.means) and torch.equal(one.colors, other.colors)
    with pytest.raises(UserError, match="not relightable"):
        lit_people(without, codes[0], driving, Lights.none())


def test_gradients_reach_every_head(
    relit_config: LCAConfig, body: CompactBody, random_references: Callable[..., ReferenceViews],
    standing: DrivingSignal,
) -> None:  # fmt: skip
    torch.manual_seed(0)
    network = LCA(relit_config, body)
    assert network.relight is not None
    generator = torch.Generator().manual_seed(3)
    for parameter in network.relight.parameters():  # of zeros the layers before the last would learn nothing
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    code = network.encode(random_references((1,), 2), torch.zeros(1, len(body.shape_names)))
    lights = Lights.none().with_point(torch.tensor([1.0, -1.5, 1.2]), torch.ones(3))
    shown = in_training(picture(network, code, standing, lights), torch.ones(3))
    shown.colors.sum().backward()
    for name, parameter in network.relight.named_parameters():
        assert parameter.grad is not None and float(parameter.grad.abs().sum()) > 0, name
        assert bool(torch.isfinite(parameter.grad).all()), name


def test_embree_agrees_with_every_pair() -> None:
    generator = torch.Generator().manual_seed(0)
    vertices = torch.rand(30, 3, generator=generator)
    faces = torch.randint(0, 30, (40, 3), generator=generator)
    origins = torch.rand(500, 3, generator=generator) * 2 - 0.5
    directions = torch.nn.functional.normalize(torch.randn(500, 3, generator=generator), dim=-1)
    reach = torch.rand(500, generator=generator) * 2
    reach[::3] = torch.inf
    found = occluded(origins, directions, reach, vertices, faces)
    assert 50 < int(found.sum()) < 450
    expected = by_every_pair(origins.double(), directions.double(), reach.double(), vertices.double(), faces)
    assert int((found != expected).sum()) <= 1  # an edge may fall to either side


def test_shadow_of_an_arm_and_of_nobody(relightable: LCA, body: CompactBody) -> None:
    assert relightable.relight is not None
    tokens = SurfacePoints(relightable.token_faces, relightable.token_barycentric)
    shadows = relightable.relight.shadow_body(relightable)
    pose, shape = BodyPose.rest(len(body.driven_joints)), torch.zeros(len(body.shape_names))
    _, places, normals = shadows.posed(shape, pose)
    torch.testing.assert_close(places, tokens.read(body.template_vertices, body.faces), atol=1e-4, rtol=0)
    above = Lights.none().with_point(torch.tensor([0.0, 0.0, 5.0]), torch.ones(3))
    seen = shadows.visible(shape, pose, above)
    share = irradiance(normals, places, seen, above)[..., 0]
    head = places[:, 2] > places[:, 2].max() - 0.04
    feet = (places[:, 2] < 0.3) & (normals[:, 2] > 0.1)
    assert float(share[head].min()) > 0.9
    assert float(share[feet].mean()) < 0.7  # in the shadow of the body above
    assert bool((share <= 1 + 1e-6).all()) and bool((share >= 0).all())
    spread = shadows.spread(torch.ones(len(places), 3))
    torch.testing.assert_close(spread, torch.ones(len(relightable.initial_scales), 3))


def test_coarse_mesh_is_near_the_fine_one(body: CompactBody) -> None:
    kept, faces = coarse_mesh(body.template_vertices, body.faces, 0.05)
    assert len(kept) < len(body.template_vertices) / 3 and int(faces.max()) < len(kept)
    assert len(torch.unique(kept)) == len(kept)
    fine = torch.cdist(body.template_vertices[::50], body.template_vertices[kept]).amin(dim=1)
    assert float(fine.max()) < 0.05 * 3**0.5


def test_layout_reads_places_nearby(body: CompactBody, relightable: LCA) -> None:
    tokens = SurfacePoints(relightable.token_faces, relightable.token_barycentric)
    layout = shadow_layout(body, tokens, tokens, 0.06)
    assert torch.equal(layout.neighbours[:, 0], torch.arange(len(tokens.faces)))
    torch.testing.assert_close(layout.weights.sum(-1), torch.ones(len(tokens.faces)))
