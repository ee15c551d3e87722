"""Light that arrives at surfaces, against the sum over lights one by one."""

import pytest
import torch
from torch.nn.functional import normalize

from lca_method.networks.irradiance import irradiance, received
from lca_shared.lighting.lights import Lights


@pytest.fixture
def lights() -> Lights:
    lamp = Lights.none().with_point(torch.tensor([0.4, -1.5, 1.8]), torch.tensor([2.0, 1.0, 0.5]))
    lamp = lamp.with_point(torch.tensor([-1.0, 0.8, 0.4]), torch.tensor([0.1, 0.9, 0.3]))
    return lamp.with_sun(torch.tensor([1.0, 0.2, 0.7]), torch.tensor([0.4, 0.5, 1.1]))


def _surfaces() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    normals = normalize(torch.randn(50, 3, generator=generator), dim=-1)
    return normals, torch.rand(50, 3, generator=generator)


def test_light_by_light(lights: Lights) -> None:
    """With and without shadows, it is the sum over the lights as they arrive, each by the cosine to the normal."""
    normals, points = _surfaces()
    seen = torch.rand(50, 3, generator=torch.Generator().manual_seed(1))
    shadowed, whole = received(normals, points, seen, lights)
    directions, strengths, _ = lights.arriving(points)
    cosine = (directions * normals[:, None]).sum(-1).clamp(min=0)
    for found, shares in ((whole, cosine), (shadowed, cosine * seen)):
        torch.testing.assert_close(found, (shares[..., None] * strengths).sum(1))


def test_frames_of_a_batch_have_their_own_lights(lights: Lights) -> None:
    normals, points = _surfaces()
    dimmer = Lights(
        torch.stack([lights.positions, lights.positions]),
        torch.stack([lights.strengths, lights.strengths / 2]),
        torch.stack([lights.directions, lights.directions]),
        torch.stack([lights.sun_strengths, lights.sun_strengths / 2]),
        torch.stack([lights.ambient, lights.ambient]),
    )
    both = received(normals.expand(2, 50, 3), points.expand(2, 50, 3), torch.ones(2, 50, 3), dimmer)[0]
    torch.testing.assert_close(both[0], received(normals, points, torch.ones(50, 3), lights)[0])
    torch.testing.assert_close(both[1], both[0] / 2)


def test_shares(lights: Lights) -> None:
    """All is seen: the share is 1 and no colour is kept away; nothing is seen: hardly any is left."""
    normals, points = _surfaces()
    whole = irradiance(normals, points, torch.ones(50, 3), lights)
    torch.testing.assert_close(whole[:, 0], torch.ones(50))
    torch.testing.assert_close(whole[:, 3:], torch.ones(50, 3))
    none = irradiance(normals, points, torch.zeros(50, 3), lights)
    bright = none[:, 2] > 0.5
    assert bool(bright.any()) and float(none[bright, 0].max()) < 0.05


def test_a_surface_is_lit_as_it_faces_not_as_the_body_under_it() -> None:
    """The same lights are seen by both; what they take up differs."""
    sun = Lights.none().with_sun(torch.tensor([0.0, 0.0, 1.0]), torch.ones(3))
    up, across = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.0, -1.0, 0.0]])
    skirt, thigh = (received(normal, torch.zeros(1, 3), torch.ones(1, 1), sun)[0] for normal in (up, across))
    assert float(skirt.mean()) == 1.0 and float(thigh.mean()) == 0.0
