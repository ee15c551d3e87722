"""Relightable avatars: bundles, environment maps from files, pictures in chosen light."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.filming import filmed
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion
from lca_method.avatar.relight_drawing import Look
from lca_method.avatar.relight_maps import read_environment, shipped_names
from lca_method.avatar.relight_options import LightOptions, look_of
from lca_method.avatar.relight_timing import PARTS, timed_relit_frames
from lca_method.avatar.resizing import resized
from lca_method.avatar.viewpoints import cameras_around
from lca_method.batch import DrivingSignal, ReferenceViews
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.relight import relit
from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.relight_intrinsics import INTRINSICS
from lca_method.networks.relit_people import lit_people
from lca_shared.body import CompactBody
from lca_shared.errors import UserError
from lca_shared.lighting.tone import tone_mapped
from lca_shared.rendering import rasterize

SIZE = (48, 48)


@pytest.fixture(scope="module")
def look() -> Look:
    options = LightOptions("window", 30.0, ((1.0, -1.0, 1.5, 2.0),), 0.5, "clip", "relit")
    return look_of(options, "cpu")


@pytest.fixture
def network(config: LCAConfig, body: CompactBody) -> LCA:
    torch.manual_seed(0)
    network = LCA(replace(config, relight=RelightConfig(lobes=2, hidden=16, occluder_cell=0.06)), body)
    assert network.relight is not None
    generator = torch.Generator().manual_seed(3)
    for part in (network.relight, network.pose_head):
        for parameter in part.parameters():
            parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network.requires_grad_(False).eval()


@pytest.fixture
def avatar(network: LCA, random_references: Callable[..., ReferenceViews]) -> Avatar:
    shape = torch.full((len(network.body.shape_names),), 0.1)
    return avatar_of(network, network.encode(random_references((), 2), shape))


def motion_of(avatar: Avatar, driving: DrivingSignal) -> Motion:
    pose = replace(driving.pose, root_translation=torch.zeros_like(driving.pose.root_translation))
    signal = replace(driving, pose=pose)
    times = torch.arange(len(pose.root_rotation)) / 2
    return Motion(signal, times, avatar.body.driven_joints, avatar.body.expression_names)


def test_what_was_saved_is_what_is_drawn(
    avatar: Avatar, look: Look, random_driving: Callable[..., DrivingSignal], tmp_path: Path
) -> None:
    save_avatar(avatar, AvatarRecord("me"), tmp_path / "me.avatar")
    again = load_avatar(tmp_path / "me.avatar").avatar
    motion = motion_of(avatar, random_driving((2,)))
    cameras = cameras_around(avatar.body, motion.signal.pose.root_translation, SIZE)
    pictures = [list(filmed(one, motion, cameras, torch.ones(3), look=look)) for one in (avatar, again)]
    for one, other in zip(*pictures):
        assert one.shape == (48, 48, 3) and one.std() > 5
        assert np.array_equal(one, other)


def test_an_avatar_is_lit_as_the_network_lights_its_person(
    network: LCA, look: Look, random_references: Callable[..., ReferenceViews],
    random_driving: Callable[..., DrivingSignal],
) -> None:  # fmt: skip
    shape = torch.full((1, len(network.body.shape_names)), 0.1)
    code = network.encode(random_references((1,), 2), shape)
    avatar = avatar_of(network, network.encode(random_references((), 2, seed=0), shape[0]))
    motion = motion_of(avatar, random_driving((1,)))
    camera = cameras_around(avatar.body, torch.zeros(1, 3), SIZE)[0]
    signal = motion.signal
    driving = DrivingSignal(signal.pose[None], signal.expression[None])
    buffers = lit_people(network, code, driving, look.lights)[0, 0]
    expected = relit(buffers, camera, look.lights, lambda g, c: rasterize(g, c))
    [found] = filmed(avatar, motion, camera[None], torch.zeros(3), look=look)
    shown = tone_mapped(expected.radiance, look.exposure) * expected.alpha
    assert np.abs(found.astype(float) / 255 - shown.movedim(0, -1).numpy()).max() < 0.02


def test_every_part_can_be_shown(avatar: Avatar, look: Look, random_driving: Callable[..., DrivingSignal]) -> None:
    motion = motion_of(avatar, random_driving((1,)))
    camera = cameras_around(avatar.body, torch.zeros(1, 3), SIZE)
    shown = [next(filmed(avatar, motion, camera, None, look=replace(look, shown=part))) for part in INTRINSICS]
    assert {picture.shape for picture in shown} == {(48, 48, 4)}
    assert len({picture.tobytes() for picture in shown}) == len(INTRINSICS)


def test_another_number_of_gaussians_is_lit_too(avatar: Avatar, look: Look) -> None:
    with torch.inference_mode():
        timing = timed_relit_frames(resized(avatar, avatar.canonical.count * 2), 32, 1)
    assert set(timing.parts) == set(PARTS) and timing.whole > 0


def test_an_avatar_without_transfer_says_so(
    config: LCAConfig, body: CompactBody, look: Look, random_references: Callable[..., ReferenceViews],
    random_driving: Callable[..., DrivingSignal],
) -> None:  # fmt: skip
    network = LCA(config, body)
    avatar = avatar_of(network, network.encode(random_references((), 2), torch.zeros(len(body.shape_names))))
    assert avatar.relight is None and not any("relight" in name for name in avatar.state_dict())
    motion = motion_of(avatar, random_driving((1,)))
    camera = cameras_around(avatar.body, torch.zeros(1, 3), SIZE)
    with pytest.raises(UserError, match="not relightable"):
        next(filmed(avatar, motion, camera, None, look=look))


@pytest.mark.parametrize("suffix", [".hdr", ".exr"])
def test_maps_are_read_as_they_were_written(suffix: str, tmp_path: Path) -> None:
    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    import cv2

    radiance = np.random.default_rng(0).uniform(0.1, 30, (8, 16, 3)).astype(np.float32)
    radiance[2, 3] = (50.0, 2.0, 0.5)
    path = tmp_path / f"map{suffix}"
    assert cv2.imwrite(str(path), radiance[..., ::-1])
    found = read_environment(path).numpy()
    tolerance = radiance.max(axis=-1, keepdims=True) / 128 if suffix == ".hdr" else 1e-6
    assert (np.abs(found - radiance) <= tolerance).all()


def test_maps_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no environment map"):
        read_environment("nowhere")
    (tmp_path / "room.hdr").write_bytes(b"#?RADIANCE\nbroken")
    with pytest.raises(UserError, match=r"room\.hdr"):
        read_environment(tmp_path / "room.hdr")
    (tmp_path / "room.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"\.hdr or \.exr"):
        read_environment(tmp_path / "room.png")
    with pytest.raises(UserError, match="no light"):
        look_of(LightOptions(None, 0.0, (), 0.0, "clip", "relit"), "cpu")
    for sun in ((0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 1.0, -1.0)):
        with pytest.raises(UserError, match="--sun"):
            look_of(LightOptions(None, 0.0, (), 0.0, "clip", "relit", suns=(sun,)), "cpu")


def test_a_sun_is_a_point_light_far_away(avatar: Avatar, random_driving: Callable[..., DrivingSignal]) -> None:
    motion = motion_of(avatar, random_driving((1,)))
    cameras = cameras_around(avatar.body, motion.signal.pose.root_translation, SIZE)
    none = LightOptions(None, 0.0, (), 0.0, "clip", "relit")
    sun = replace(none, suns=((2.0, -4.0, 4.0, 0.9),))
    point = replace(none, points=((2000.0, -4000.0, 4000.0, 0.9 * 6000.0**2),))
    one, other = (
        next(iter(filmed(avatar, motion, cameras, torch.ones(3), look=look_of(each, "cpu")))) for each in (sun, point)
    )
    assert one.std() > 5
    assert np.abs(one.astype(float) - other).max() <= 2


def test_maps_ship() -> None:
    assert shipped_names() == ("evening", "studio", "window")
    for name in shipped_names():
        radiance = read_environment(name)
        assert radiance.shape == (64, 128, 3) and bool((radiance >= 0).all()) and float(radiance.max()) > 3
