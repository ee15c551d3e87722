"""The maths of light against numeric integration in float64."""

import math

import pytest
import scipy.special
import torch

from lca_shared.lighting import equirectangular, key_lights, spherical_gaussian, tone, zonal
from lca_shared.lighting import spherical_harmonics as harmonics
from lca_shared.lighting.environment import SHARPNESSES, prefiltered
from lca_shared.lighting.lights import Lights
from lca_shared.rotations import rotation_vector_to_matrix

DEGREE = 5


@pytest.fixture(scope="module")
def sphere() -> tuple[torch.Tensor, torch.Tensor]:
    """Directions and solid angles: Gauss-Legendre in height, even in azimuth; exact for polynomials up to degree 95."""
    heights, weights = (torch.from_numpy(a) for a in scipy.special.roots_legendre(48))
    azimuth = torch.arange(96, dtype=torch.float64) * 2 * math.pi / 96
    flat = (1 - heights.square()).sqrt()[:, None]
    directions = torch.stack(
        [flat * azimuth.cos(), flat * azimuth.sin(), heights[:, None].expand(-1, 96)], dim=-1
    ).flatten(0, 1)
    return directions, (weights[:, None] * 2 * math.pi / 96).expand(-1, 96).flatten()


def axis(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(3, generator=generator, dtype=torch.float64), dim=-1)


def turn(seed: int) -> torch.Tensor:
    return rotation_vector_to_matrix(2.0 * axis(seed))


def test_harmonics_are_orthonormal(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions, angles = sphere
    values = harmonics.harmonics(directions, DEGREE)
    assert values.shape[-1] == harmonics.coefficient_count(DEGREE)
    torch.testing.assert_close((values * angles[:, None]).mT @ values, torch.eye(36, dtype=torch.float64))


def test_harmonics_are_scipys(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions = sphere[0][::97]
    polar, azimuth = torch.acos(directions[:, 2]).numpy(), torch.atan2(directions[:, 1], directions[:, 0]).numpy()
    values = harmonics.harmonics(directions, DEGREE)
    for band, order in [(0, 0), (1, -1), (2, 0), (3, 2), (4, -3), (5, 5)]:
        complex_ = scipy.special.sph_harm_y(band, abs(order), polar, azimuth)
        part = complex_.real if order >= 0 else complex_.imag
        expected = part * (1 if order == 0 else math.sqrt(2) * (-1) ** order)
        found = values[:, band * band + band + order]
        torch.testing.assert_close(found, torch.from_numpy(expected), atol=1e-12, rtol=0)


def test_rotating_coefficients_rotates_the_function(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    coefficients = torch.randn(36, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    directions, rotation = sphere[0], turn(2)
    before = harmonics.harmonics(directions, DEGREE) @ coefficients
    after = harmonics.harmonics(directions @ rotation.mT, DEGREE) @ harmonics.rotated(coefficients, rotation)
    torch.testing.assert_close(after, before)
    back = harmonics.rotated(harmonics.rotated(coefficients, rotation), rotation.mT)
    torch.testing.assert_close(back, coefficients)


def test_clamped_cosine_is_its_integral(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions, angles = sphere
    cosine = directions[:, 2]
    bands = zonal.legendre(cosine, 8) * torch.tensor([(2 * b + 1) / (4 * math.pi) for b in range(9)]).double().sqrt()
    expected = (bands * (cosine.clamp(min=0) * angles)[:, None]).sum(0)
    torch.testing.assert_close(zonal.clamped_cosine(8), expected, atol=1e-3, rtol=0)


def test_zonal_lobe_in_all_its_forms(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions, angles = sphere
    numbers, about = torch.tensor([0.9, 0.5, -0.3, 0.2], dtype=torch.float64), axis(3)
    lobe = zonal.zonal_value(numbers, directions @ about)
    torch.testing.assert_close(harmonics.harmonics(directions, 3) @ zonal.zonal_to_harmonics(numbers, about), lobe)
    light = torch.randn(16, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    integral = (lobe[:, None] * (harmonics.harmonics(directions, 3) @ light) * angles[:, None]).sum(0)
    torch.testing.assert_close(zonal.zonal_response(numbers, about, light), integral)


def test_turning_a_lobe_is_turning_its_axis() -> None:
    numbers, about, rotation = torch.tensor([0.9, 0.5, -0.3, 0.2], dtype=torch.float64), axis(5), turn(6)
    turned = harmonics.rotated(zonal.zonal_to_harmonics(numbers, about)[:, None], rotation)[:, 0]
    torch.testing.assert_close(turned, zonal.zonal_to_harmonics(numbers, rotation @ about))


def test_directional_light_in_harmonics_is_the_lobe_at_its_direction() -> None:
    numbers, about, light = torch.tensor([0.9, 0.5, -0.3, 0.2], dtype=torch.float64), axis(7), axis(8)
    color = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    light_harmonics = harmonics.of_directional_lights(light[None], color, 3)
    expected = zonal.zonal_value(numbers, about @ light) * color[0]
    torch.testing.assert_close(zonal.zonal_response(numbers, about, light_harmonics), expected)


def test_spherical_gaussians_integrate(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions, angles = sphere
    first, second = axis(9), axis(10)
    one, two = torch.tensor(6.0).double(), torch.tensor(11.0).double()
    lobes = [spherical_gaussian.gaussian_value(s, directions @ a) for s, a in ((one, first), (two, second))]
    torch.testing.assert_close((lobes[0] * angles).sum(), spherical_gaussian.gaussian_integral(one))
    torch.testing.assert_close(
        (spherical_gaussian.normalized_value(two, directions @ second) * angles).sum(), torch.tensor(1.0).double()
    )
    torch.testing.assert_close(
        (lobes[0] * lobes[1] * angles).sum(), spherical_gaussian.inner_product(first, one, second, two)
    )
    about, sharpness, amplitude = spherical_gaussian.gaussian_product(first, one, second, two)
    product = amplitude * spherical_gaussian.gaussian_value(sharpness, directions @ about)
    torch.testing.assert_close(product, lobes[0] * lobes[1])


def test_convolved_gaussians_are_nearly_a_gaussian(sphere: tuple[torch.Tensor, torch.Tensor]) -> None:
    directions, angles = sphere
    one, two = torch.tensor(40.0).double(), torch.tensor(60.0).double()
    up = torch.tensor([0.0, 0.0, 1.0]).double()
    for angle in (0.0, 0.15, 0.3):
        at = torch.tensor([math.sin(angle), 0.0, math.cos(angle)]).double()
        kernel = spherical_gaussian.normalized_value(one, directions @ at)
        exact = (kernel * spherical_gaussian.normalized_value(two, directions @ up) * angles).sum()
        near = spherical_gaussian.normalized_value(spherical_gaussian.convolved_sharpness(one, two), at @ up)
        assert abs(float(near / exact) - 1) < 0.02


def test_mirrored_direction() -> None:
    normal, toward = axis(11), axis(12)
    found = spherical_gaussian.mirrored(normal, toward)
    torch.testing.assert_close(found @ normal, toward @ normal)
    torch.testing.assert_close(torch.linalg.vector_norm(found), torch.tensor(1.0).double())
    torch.testing.assert_close(spherical_gaussian.mirrored(normal, found), toward)


def test_equirectangular_directions_and_angles() -> None:
    directions = equirectangular.directions_of(64, 128, torch.float64)
    angles = equirectangular.solid_angles(64, 128, torch.float64)
    assert float(angles.sum()) == pytest.approx(4 * math.pi)
    second = (directions[..., :, None] * directions[..., None, :] * angles[..., None, None]).sum((0, 1))
    torch.testing.assert_close(second, torch.eye(3).double() * 4 * math.pi / 3, atol=3e-3, rtol=0)
    assert directions[32, 64, 1] > 0.99 and directions[32, 96, 0] > 0.99 and directions[0, 0, 2] > 0.99


def test_looking_up_is_linear_and_has_no_seam() -> None:
    directions = equirectangular.directions_of(16, 32, torch.float64)
    picture = directions.clone()
    torch.testing.assert_close(equirectangular.looked_up(picture, directions), picture)
    behind = torch.tensor([[1e-4, -1.0, 0.0], [-1e-4, -1.0, 0.0]]).double()
    found = equirectangular.looked_up(picture, torch.nn.functional.normalize(behind, dim=-1))
    torch.testing.assert_close(found[0], found[1], atol=1e-3, rtol=0)
    assert float(found[0, 1]) < -0.95


def test_shrinking_keeps_the_light() -> None:
    picture = torch.rand(64, 128, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    small = equirectangular.shrunk(picture, 16)
    before = (picture * equirectangular.solid_angles(64, 128, torch.float64)[..., None]).sum((0, 1))
    after = (small * equirectangular.solid_angles(16, 32, torch.float64)[..., None]).sum((0, 1))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=0)


@pytest.fixture(scope="module")
def room() -> torch.Tensor:
    """Dim walls and two bright windows."""
    towards = equirectangular.directions_of(64, 128)
    walls = 0.2 + 0.1 * towards[..., 2:].clamp(min=0)
    window = spherical_gaussian.gaussian_value(torch.tensor(20.0), towards @ axis(20).float())[..., None]
    lamp = spherical_gaussian.gaussian_value(torch.tensor(60.0), towards @ axis(21).float())[..., None]
    return walls + window * torch.tensor([2.0, 3.0, 4.0]) + lamp * torch.tensor([8.0, 5.0, 2.0])


def test_prefiltering_is_integration(room: torch.Tensor) -> None:
    environment = prefiltered(room)
    towards = equirectangular.directions_of(64, 128).flatten(0, 1)
    angles, light = equirectangular.solid_angles(64, 128).flatten(), room.flatten(0, 1)
    for seed in (30, 31, 32):
        normal = axis(seed).float()
        matt = ((towards @ normal).clamp(min=0) * angles) @ light / math.pi
        torch.testing.assert_close(environment.matt_light(normal), matt, rtol=0.01, atol=0)
        for sharpness in (SHARPNESSES[1], SHARPNESSES[3]):
            kernel = spherical_gaussian.normalized_value(torch.tensor(sharpness), towards @ normal)
            shine = environment.shine(normal, torch.tensor(sharpness))
            torch.testing.assert_close(shine, (kernel * angles) @ light, rtol=0.04, atol=0)


def test_turned_environment_is_seen_from_a_turned_head(room: torch.Tensor) -> None:
    environment, rotation, normal = prefiltered(room), turn(40).float(), axis(41).float()
    turned = environment.turned(rotation)
    torch.testing.assert_close(turned.matt_light(rotation @ normal), environment.matt_light(normal))
    sharpness = torch.tensor(5.0)
    torch.testing.assert_close(turned.shine(rotation @ normal, sharpness), environment.shine(normal, sharpness))
    before = harmonics.harmonics(normal, 3) @ environment.world_harmonics()
    after = harmonics.harmonics(rotation @ normal, 3) @ turned.world_harmonics()
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    keys, moved = environment.world_keys(), turned.world_keys()
    torch.testing.assert_close(moved.directions, keys.directions @ rotation.mT)


def test_one_color_stays_one_color() -> None:
    environment = prefiltered(torch.ones(8, 16, 3) * torch.tensor([0.5, 1.0, 2.0]))
    color = torch.tensor([0.5, 1.0, 2.0])
    normals = torch.stack([axis(seed).float() for seed in range(5)])
    torch.testing.assert_close(environment.matt_light(normals), color.expand(5, 3))
    torch.testing.assert_close(environment.shine(normals, torch.full((5,), 50.0)), color.expand(5, 3))


def test_key_lights_hold_the_light(room: torch.Tensor) -> None:
    found = key_lights.key_lights(room, 32)
    angles = equirectangular.solid_angles(64, 128)
    assert len(found.directions) == 32
    torch.testing.assert_close(found.strengths.sum(0), (room * angles[..., None]).sum((0, 1)) / math.pi)
    normals = harmonics.spread_directions(50).float()
    by_lights = ((normals @ found.directions.mT).clamp(min=0)) @ found.strengths
    exact = prefiltered(room).matt_light(normals)
    assert float((by_lights / exact - 1).abs().mean()) < 0.06


def test_no_light_has_no_key_lights() -> None:
    assert len(key_lights.key_lights(torch.zeros(4, 8, 3), 8).directions) == 0


def test_a_far_point_light_is_a_directional_light() -> None:
    points = torch.tensor([[0.1, 0.0, 0.3]])
    far = 1e4 * axis(50).float()
    lights = Lights.none().with_point(far, torch.full((3,), 1e8))
    directions, strengths, distances = lights.arriving(points)
    torch.testing.assert_close(directions[0, 0], axis(50).float(), atol=1e-3, rtol=0)
    torch.testing.assert_close(strengths[0, 0], torch.ones(3), atol=1e-3, rtol=0)
    assert float(distances[0, 0]) == pytest.approx(1e4, rel=1e-3)


@pytest.mark.parametrize("curve", tone.TONE_CURVES)
def test_tone_curves_rise_from_black(curve: tone.ToneCurve) -> None:
    light = torch.linspace(0, 8, 200, dtype=torch.float64)
    shown = tone.tone_mapped(light, curve=curve)
    assert float(shown[0]) < 0.01 and bool((shown.diff() >= 0).all()) and float(shown.max()) <= 1
    torch.testing.assert_close(tone.tone_mapped(light, 1.0, curve), tone.tone_mapped(2 * light, 0.0, curve))


def test_srgb_there_and_back() -> None:
    values = torch.linspace(0, 1, 100, dtype=torch.float64)
    torch.testing.assert_close(tone.to_srgb(tone.to_linear(values)), values)
