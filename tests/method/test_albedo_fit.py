"""Albedo held to the references: pictures of a person bring back the albedo that they were drawn with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lca_method.batch import DrivingSignal, ReferenceFit, ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.albedo_fit import with_fitted_albedo
from lca_method.networks.pixel_mixtures import carried_back, mixed
from lca_method.networks.reference_light import upright_light
from lca_method.networks.relight import relit
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.relit_people import lit_people
from lca_method.networks.subject import SubjectCode
from lca_method.run_config import RunSettings
from lca_method.stage_light import lights_of, stage_lights
from lca_method.target_lights import TargetLights
from lca_method.trained_network import TrainedNetwork
from lca_shared.body import BodyPose, CompactBody
from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.tone import to_srgb
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Tensor

SIZE, VIEWS = 64, 4


def around(size: int = SIZE) -> Cameras:
    """Four cameras about a standing person."""
    matrices = []
    for turn in range(VIEWS):
        angle = torch.tensor(turn * torch.pi / 2)
        right = torch.stack([angle.cos(), angle.sin(), torch.tensor(0.0)])
        forward = torch.stack([-angle.sin(), angle.cos(), torch.tensor(0.0)])
        rotation = torch.stack([right, torch.tensor([0.0, 0, -1]), forward])
        matrix = torch.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation, rotation @ (3.0 * forward - torch.tensor([0.0, 0, 0.9]))
        matrices.append(matrix)
    return Cameras(torch.stack(matrices), pinhole_intrinsics(1.4 * size, size, size).expand(VIEWS, 3, 3), size, size)


def stage() -> TargetLights:
    """Six lights about the person."""
    places = 2.5 * torch.nn.functional.normalize(torch.randn(6, 3, generator=torch.Generator().manual_seed(1)), dim=-1)
    ones = torch.ones(VIEWS)
    places = (places + torch.tensor([0, 0, 1.0])).expand(VIEWS, 6, 3)
    return TargetLights(places, 0.4 * torch.ones(VIEWS, 6), 0.1 * ones, ones, ones)


@pytest.fixture
def network(config: LCAConfig, body: CompactBody) -> LCA:
    torch.manual_seed(0)
    relight = RelightConfig(lobes=2, hidden=16, occluder_cell=0.06, albedo_steps=3)
    return LCA(replace(config, relight=relight), body).requires_grad_(False).eval()


@pytest.fixture
def code(network: LCA, random_references: Callable[..., ReferenceViews]) -> SubjectCode:
    return network.encode(random_references((), 2), torch.zeros(len(network.body.shape_names)))


def photographed(network: LCA, code: SubjectCode, strength: float = 1.0) -> ReferenceViews:
    """The person on a stage, whose lights are said to be ``strength`` times as strong as they are."""
    cameras, known = around(), stage()
    pose = BodyPose.rest(len(network.body.driven_joints), (VIEWS,))
    fit = ReferenceFit(pose, cameras, cameras, torch.zeros(VIEWS, len(network.body.expression_names)))
    shown = stage_lights(known, 1.0)
    scale = (0.83 / upright_light(shown, pose.root_translation))[:, None]
    lights = replace(shown, strengths=shown.strengths * scale[..., None], ambient=shown.ambient * scale)
    buffers = lit_people(network, code, DrivingSignal(pose, fit.expression), lights, albedo=True)  # type: ignore[arg-type]
    drawn = [relit(buffers[view], cameras[view], lights_of(lights, view), rasterize) for view in range(VIEWS)]
    images = torch.stack([to_srgb(picture.radiance.clamp(0, 1)) for picture in drawn])
    masks = torch.stack([(picture.alpha > 0.5).float() for picture in drawn])
    known = replace(known, intensities=strength * known.intensities, ambient=strength * known.ambient)
    return ReferenceViews(images, masks, images, masks, fit, known)


def with_albedo(code: SubjectCode, albedo: Float[Tensor, "gaussians 3"]) -> SubjectCode:
    assert code.relight is not None
    return replace(code, relight=replace(code.relight, albedo=albedo))


def differences(network: LCA, code: SubjectCode, references: ReferenceViews) -> float:
    again = photographed(network, code)
    return float(((again.images - references.images).abs() * references.masks).sum() / references.masks.sum() / 3)


def test_what_the_pictures_say_already_stays(network: LCA, code: SubjectCode) -> None:
    assert code.relight is not None
    for strength in (1.0, 7.0):  # how bright a stage is says nothing of skin
        found = with_fitted_albedo(network, code, photographed(network, code, strength))
        assert found.relight is not None
        torch.testing.assert_close(found.relight.albedo, code.relight.albedo, atol=2e-3, rtol=0)


def test_pictures_bring_albedo_back(network: LCA, code: SubjectCode) -> None:
    assert code.relight is not None
    places = network.point_body.template_vertices
    bright = 0.3 + 0.2 * torch.stack([(places[:, 2] * 9).sin(), (places[:, 0] * 9).cos(), places[:, 1].sign()], dim=-1)
    references = photographed(network, with_albedo(code, bright))
    start = with_albedo(code, torch.full_like(bright, 0.3))
    found = with_fitted_albedo(network, start, references)
    assert found.relight is not None
    before, after = (differences(network, person, references) for person in (start, found))
    assert after < 0.35 * before
    assert float((found.relight.albedo - bright).abs().mean()) < 0.6 * float((0.3 - bright).abs().mean())


def test_nothing_but_albedo_changes(network: LCA, code: SubjectCode) -> None:
    references = photographed(network, with_albedo(code, torch.full_like(code.canonical.colors, 0.4)))
    found = with_fitted_albedo(network, code, references)
    assert code.relight is not None and found.relight is not None
    assert found.canonical is code.canonical and found.offsets is code.offsets
    kept = replace(found.relight, albedo=code.relight.albedo)
    assert all(getattr(kept, name) is getattr(code.relight, name) for name in kept.__dataclass_fields__)
    assert references.lights is not None
    unknown = replace(references.lights, controlled=torch.zeros(VIEWS))
    for lights in (None, unknown):  # what light a photo was taken in, nobody knows
        assert with_fitted_albedo(network, code, replace(references, lights=lights)) is code
    network.config = replace(network.config, relight=replace(network.config.relight, albedo_steps=0))
    assert with_fitted_albedo(network, code, references) is code


def test_the_way_back_is_the_transpose() -> None:
    generator = torch.Generator().manual_seed(2)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    means = rand(40, 3) * torch.tensor([0.6, 0.2, 1.6]) - torch.tensor([0.3, 0.1, -0.1])
    quaternions = torch.nn.functional.normalize(rand(40, 4) - 0.5, dim=-1)
    gaussians = Gaussians(means, quaternions, 0.05 + 0.05 * rand(40, 3), 0.3 + 0.6 * rand(40), rand(40, 3))
    weights, values, picture, camera = rand(40, 1), rand(40, 2), rand(2, SIZE, SIZE), around()[0]
    forward = (mixed(gaussians, weights, values, camera) * picture).sum()
    back = (carried_back(gaussians, weights, picture, camera) * values).sum()
    torch.testing.assert_close(forward, back, atol=1e-3, rtol=1e-4)
    ones = mixed(gaussians, weights, torch.ones(40, 1), camera)
    seen = rasterize(gaussians.with_colors(weights), camera).colors > 1e-2
    torch.testing.assert_close(ones[seen], torch.ones_like(ones[seen]), atol=1e-5, rtol=0)


def test_unlit_colours_are_the_pictures_and_albedo_is_without_their_light(
    network: LCA, random_references: Callable[..., ReferenceViews], body: CompactBody
) -> None:
    settings = RunSettings.__new__(RunSettings)  # none of them is asked for
    trained = TrainedNetwork(network, body, settings, "lca-relight-tiny", Path("run"), 1, Path("run"))
    still = torch.zeros(VIEWS, 3)
    pose = BodyPose(torch.zeros(VIEWS, len(body.driven_joints), 3), still, still, torch.zeros(VIEWS, 2, 2))
    seen = random_references((), VIEWS)
    cameras = [around(pictures.shape[-1]) for pictures in (seen.images, seen.face_images)]
    seen = replace(seen, fit=ReferenceFit(pose, *cameras), lights=stage())
    shape = torch.zeros(len(body.shape_names))
    found, lit = trained.photographed(seen, shape), trained.person(seen, shape)
    plain = trained.person(replace(seen, lights=None), shape)
    assert found.relight is not None
    assert lit.relight is not None
    assert plain.relight is not None
    assert torch.equal(found.canonical.colors, plain.canonical.colors)
    assert torch.equal(found.relight.albedo, lit.relight.albedo)
    assert not torch.equal(lit.relight.albedo, plain.relight.albedo)
    unknown = trained.photographed(replace(seen, lights=None), shape)
    assert unknown.relight is not None
    assert torch.equal(unknown.relight.albedo, plain.relight.albedo)
