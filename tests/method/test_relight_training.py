"""Relighting in training: lights of batches, references in even light, pictures that the losses compare."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from lca_dataparsers.dataset.lights import LightPattern, LightRig
from lca_method.batch import DrivingSignal, ReferenceFit, ReferenceViews, TargetViews
from lca_method.losses.transfer_prior import transfer_prior
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.reference_light import light_in_references
from lca_method.networks.relight_config import RelightConfig
from lca_method.relit_targets import relit_targets, relit_view
from lca_method.sampling import Draw
from lca_method.stage_light import evenly_lit, stage_lights
from lca_method.target_lights import SYNTHETIC_STRENGTH, target_lights
from lca_method.viewing.light_panel import LightSource
from lca_method.viewing.light_state import LightState
from lca_shared.body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.rendering import rasterize

SIZE = 24


@pytest.fixture
def rig() -> LightRig:
    positions = torch.tensor([[2.0, -2.0, 1.5], [-2.0, -2.0, 1.0], [0.0, 2.0, 2.0]]).double().numpy()
    full = LightPattern((0, 1, 2), (0.5, 0.5, 0.5), fully_lit=True, ambient=0.1)
    return LightRig(positions, (full, LightPattern((0,), (1.0,), fully_lit=False)))


def test_a_white_surface_at_one_metre(rig: LightRig) -> None:
    lights = stage_lights(target_lights(rig, [0, 1], 3), SYNTHETIC_STRENGTH)
    place = torch.from_numpy(rig.positions[0]).float() + torch.tensor([0.0, 0.0, 1.0])
    _, strengths, distances = lights.arriving(place.expand(2, 1, 3))
    assert float(distances[1, 0, 0]) == pytest.approx(1.0)
    torch.testing.assert_close(strengths[1, 0, 0], torch.full((3,), SYNTHETIC_STRENGTH))
    torch.testing.assert_close(strengths[0, 0, 0], torch.full((3,), 0.5 * SYNTHETIC_STRENGTH))
    assert not bool(strengths[1, 0, 1:].any())
    torch.testing.assert_close(lights.ambient[0], torch.full((3,), 0.1))


def test_light_that_was_not_controlled_is_refused(rig: LightRig) -> None:
    with pytest.raises(UserError, match="light pattern"):
        stage_lights(target_lights(rig, [0, -1], 3), 1.0)


def test_references_are_evenly_lit(rig: LightRig) -> None:
    patterns = [0, 1, 0, 1, 0]
    assert evenly_lit(rig, patterns, Draw("a", (0, 1, 4), (3,))).references == (0, 4)
    assert evenly_lit(rig, patterns, Draw("a", (1,), (0, 3))).references == (4,)
    with pytest.raises(UserError, match="evenly lit"):
        evenly_lit(rig, patterns, Draw("a", (1,), (0, 2, 4)))
    assert evenly_lit(None, [-1, -1], Draw("a", (1,), (0,))).references == (1,)


def test_targets_in_their_light(
    config: LCAConfig, body: CompactBody, rig: LightRig, random_references: Callable[..., ReferenceViews],
    random_driving: Callable[..., DrivingSignal],
) -> None:  # fmt: skip
    torch.manual_seed(0)
    network = LCA(replace(config, relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.08)), body)
    code = network.encode(random_references((1,), 2), torch.zeros(1, len(body.shape_names)))
    driving = random_driving((1, 2))
    driving = replace(driving, pose=replace(driving.pose, root_translation=torch.zeros(1, 2, 3)))
    matrix = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1.0, 0.9], [0, 1.0, 0, 3.0], [0, 0, 0, 1]]).expand(1, 2, 4, 4)
    intrinsics = pinhole_intrinsics(1.4 * SIZE, SIZE, SIZE).expand(1, 2, 3, 3)
    pictures = torch.zeros(1, 2, 3, SIZE, SIZE)
    lights = target_lights(rig, [0, 1], 3)
    lights = type(lights)(*(getattr(lights, name)[None] for name in lights.__dataclass_fields__))
    targets = TargetViews(
        pictures, pictures[:, :, :1], Cameras(matrix, intrinsics, SIZE, SIZE), driving, torch.ones(1, 2), lights=lights
    )

    def render(gaussians: Any, cameras: Cameras, background: torch.Tensor) -> Any:
        return rasterize(gaussians, cameras, background=background)

    shown = relit_targets(network, code, targets, SYNTHETIC_STRENGTH, render, torch.ones(3))
    assert shown.colors.shape == (1, 2, 3, SIZE, SIZE) and bool(torch.isfinite(shown.colors).all())
    person = shown.alpha[0, :, 0] > 0.9
    colors = shown.colors.detach()[0, :, 0]
    assert float(colors[0][person[0]].mean()) > float(colors[1][person[1]].mean())
    assert code.relight is not None
    (shown.colors.mean() + transfer_prior(code.relight)).backward()
    assert network.relight is not None and network.relight.head.last.weight.grad is not None
    view = relit_view(network, code, targets, SYNTHETIC_STRENGTH, render, torch.ones(3))["rgb"]
    torch.testing.assert_close(view, shown.colors[0, 0].movedim(0, -1).clamp(0, 1))
    assert relit_view(network, code, replace(targets, lights=None), 1.0, render, torch.ones(3)) == {}
    with pytest.raises(UserError, match="target-lights"):
        relit_targets(network, code, replace(targets, lights=None), 1.0, render, torch.ones(3))


def test_light_of_the_viewers_controls() -> None:
    state = LightState()
    assert not state.on
    state.environment, state.rotation, state.point, state.place = "none", 40.0, True, (1.0, 2.0, 3.0)
    source = LightSource()
    dark = source.look(state)
    assert dark.lights.environment is None and dark.lights.positions.tolist() == [[1.0, 2.0, 3.0]]
    state.environment, state.point = "studio", False
    lit = source.look(state)
    assert lit.lights.environment is not None and len(lit.lights.positions) == 0
    state.rotation = 0.0
    turned = source.look(state).lights.environment
    assert turned is not None and torch.equal(turned.world_from_map, torch.eye(3))
    assert turned.matt is lit.lights.environment.matt  # tables are made once


def test_light_of_references(
    config: LCAConfig, body: CompactBody, rig: LightRig, random_references: Callable[..., ReferenceViews]
) -> None:
    """Twice the light says the same of a person; light that comes alike from everywhere, and light that nobody knows,
    change no colour; a lamp on one side says that this side got more."""
    torch.manual_seed(0)
    network = LCA(replace(config, relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.08)), body)
    shape = torch.zeros(1, len(body.shape_names))
    camera = Cameras(torch.eye(4).expand(1, 4, 4, 4), torch.eye(3).expand(1, 4, 3, 3), 32, 32)
    fit = ReferenceFit(BodyPose.rest(len(body.driven_joints), (1, 4)), camera, camera)
    references = replace(random_references((1,), 4), fit=fit)
    assert light_in_references(network, references, shape) is None
    rig = replace(
        rig,
        patterns=(
            LightPattern((1,), (0.5,), fully_lit=True),
            LightPattern((1,), (1.0,), fully_lit=True),
            LightPattern((), (), fully_lit=True, ambient=0.7),
        ),
    )
    known = target_lights(rig, [0, 1, 2, -1], 3)
    known = type(known)(*(getattr(known, name)[None] for name in known.__dataclass_fields__))
    references = replace(references, lights=known)
    found = light_in_references(network, references, shape)
    assert found is not None and found.shape == (1, 4, len(network.initial_scales))
    torch.testing.assert_close(found[0, 0], found[0, 1])
    torch.testing.assert_close(found[0, 2:], torch.ones_like(found[0, 2:]))
    side = network.normals[:, 0]  # the lamp is at -X
    assert float(found[0, 0, side < -0.8].mean()) > 2 * float(found[0, 0, side > 0.8].mean())
