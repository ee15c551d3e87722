"""Faster ways to drive: half precision, torch.compile, CUDA graphs (as far as they can be checked without a GPU)."""

import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lca_method.avatar.acceleration import check_acceleration
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import AvatarRecord, save_avatar
from lca_method.avatar.cpu_driver import CpuDriver
from lca_method.avatar.device_driver import DeviceDriver
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.ways_timing import timed_ways, ways_of
from lca_method.networks import LCA
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians


@pytest.fixture
def avatar(config, body, random_references) -> Avatar:
    """Somebody whose pose-dependent network says something."""
    torch.manual_seed(0)
    model = LCA(config, body).eval()
    torch.nn.init.normal_(model.pose_head.deltas.weight, std=0.05)
    with torch.no_grad():
        return avatar_of(model, model.encode(random_references((), 2), torch.zeros(len(body.shape_names))))


def _close(one: Gaussians, other: Gaussians, atol: float) -> None:
    for field in fields(Gaussians):
        assert (getattr(one, field.name) - getattr(other, field.name)).abs().max() <= atol, field.name


def test_half_precision_moves_points_by_less_than_a_millimetre(avatar, random_driving) -> None:
    signal = random_driving((1,))
    exact = avatar.drive(signal.pose, signal.expression)
    avatar.head_dtype = torch.bfloat16
    half = avatar.drive(signal.pose, signal.expression)
    assert half.means.dtype == torch.float32
    assert 0 < float((half.means - exact.means).norm(dim=-1).max()) < 1e-3
    driven = CpuDriver(avatar).gaussians(signal)
    assert 0 < float((driven.means - exact.means[0]).norm(dim=-1).max()) < 1e-3
    _close(driven, exact[0], 0.02)


def test_every_frame_is_its_own_in_half_precision(avatar, random_driving) -> None:
    avatar.head_dtype = torch.bfloat16
    driver, signals = CpuDriver(avatar), [random_driving((1,), seed) for seed in (1, 2)]
    first = replace(driver.gaussians(signals[0]), means=driver.gaussians(signals[0]).means.clone())
    driver.gaussians(signals[1])
    assert torch.equal(driver.gaussians(signals[0]).means, first.means)


def test_the_function_that_is_compiled_gives_what_the_buffers_give(avatar, random_driving) -> None:
    driver, signal = CpuDriver(avatar), random_driving((1,))
    with torch.inference_mode():
        vector = avatar.driving_vector(signal)
        plain = driver.deltas(vector).clone()
        values, hidden = driver._deltas(vector[0])
    assert torch.allclose(values, plain, atol=1e-6) and torch.allclose(hidden, driver.hidden, atol=1e-6)


def test_other_devices_are_driven_alike(avatar, random_driving) -> None:
    signal = random_driving((3,))
    confidence = torch.rand(3, len(avatar.body.driven_joints))
    driver = DeviceDriver(avatar)
    _close(driver.gaussians(signal), avatar.drive(signal.pose, signal.expression), 0.0)
    shown = driver.gaussians(replace(signal, joint_confidence=confidence))
    _close(shown, avatar.drive(signal.pose, signal.expression, joint_confidence=confidence), 0.0)


class _OneDevice(TorchDispatchMode):
    """Refuses every operation on or onto the host: a CUDA graph cannot hold it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs, result)):
            if isinstance(value, torch.Tensor) and value.device.type != "meta":
                raise AssertionError(f"{func} touches the host")
        return result


@pytest.mark.slow  # operations on the meta device load the compiler
def test_a_graph_can_hold_it(avatar) -> None:
    """On the meta device, where waiting for a value fails too."""
    kept = {name: getattr(avatar.body, name) for name in ("active", "active_weights", "_active_slots")}
    avatar = avatar.to("meta")
    for name, value in kept.items():
        moved = tuple(part.to("meta") for part in value) if isinstance(value, tuple) else value.to("meta")
        avatar.body.__dict__[name] = moved  # what the first frame leaves behind
    pose, expression = avatar.rest_pose[None], torch.zeros(1, len(avatar.body.expression_names), device="meta")
    with _OneDevice():
        assert avatar.drive(pose, expression).means.device.type == "meta"
        with pytest.raises(AssertionError, match="host"):
            torch.zeros(3).to("meta")


def test_what_a_processor_cannot_do_is_said(monkeypatch) -> None:
    check_acceleration("bf16", "torch", "cpu")
    with pytest.raises(UserError, match="bf16"):
        check_acceleration("fp16", "no", "cpu")
    with pytest.raises(UserError, match="CUDA"):
        check_acceleration("fp32", "graph", "cpu")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UserError, match="compiler"):
        check_acceleration("fp32", "torch", "cpu")


def test_ways_are_timed_and_compared(avatar) -> None:
    exact, half = timed_ways(avatar, ways_of("cpu", False), 2)
    assert exact.moved == 0 and 0 < half.moved < 1e-3 and min(exact.milliseconds, half.milliseconds) > 0
    assert avatar.head_dtype == torch.float32


COMPILED = """
import sys
import torch
from lca_method.avatar.bundle import load_avatar
from lca_method.avatar.cpu_driver import CpuDriver
from lca_method.avatar.device_driver import DeviceDriver
from lca_method.avatar.frame_timing import waving

avatar, how = load_avatar(sys.argv[1]).avatar, sys.argv[2]
avatar.head_dtype = torch.bfloat16 if how == "bf16" else torch.float32
drive = DeviceDriver(avatar, "torch").gaussians if how == "whole" else CpuDriver(avatar, compiled=True).gaussians
plain = CpuDriver(avatar)
for frame in (3, 9):
    compiled, wanted = drive(waving(avatar, frame)), plain.gaussians(waving(avatar, frame))
    print(max(float((getattr(compiled, name) - getattr(wanted, name)).abs().max()) for name in vars(wanted)))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("how", "most"), [("fp32", 1e-5), ("bf16", 0.02), ("whole", 1e-4)])
def test_compiled_frames_are_those_of_the_plain_network(avatar, tmp_path, how, most) -> None:
    """In a process of its own: the compiler would also trace the checks of annotations that run in tests."""
    save_avatar(avatar, AvatarRecord("a"), tmp_path / "a.avatar")
    command = [sys.executable, "-W", "ignore", "-c", COMPILED, str(tmp_path / "a.avatar"), how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    differences = [float(line) for line in done.stdout.splitlines()]
    assert len(differences) == 2 and max(differences) <= most
