"""Exports, read back by readers that are not ours or written from the format's text."""

import gzip
import json
import shutil
import struct
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import gsply
import numpy as np
import pytest
import torch
from gltf_reader import Glb

from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion
from lca_method.avatar.motion_files import write_motion
from lca_method.avatar.retargeting import retargeted
from lca_method.cli import main
from lca_method.exports.axes import axes_from_world, turned
from lca_method.exports.gltf import glb_bytes
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.metrics import masked_psnr
from lca_shared.rendering import rasterize

SH = 0.28209479177387814


@pytest.fixture
def bundle(model, body, random_references, tmp_path) -> Path:
    generator = torch.Generator().manual_seed(5)
    shape = 0.5 * torch.randn(len(body.shape_names), generator=generator)
    torch.nn.init.normal_(model.pose_head.deltas.weight, std=0.02)
    save_avatar(
        avatar_of(model.eval(), model.encode(random_references((), 3), shape)), AvatarRecord("a"), tmp_path / "a.avatar"
    )
    return tmp_path / "a.avatar"


@pytest.fixture
def motion(body, random_driving) -> Motion:
    times = torch.tensor([0.0, 0.1, 0.2], dtype=torch.float64)
    signal = random_driving((3,))
    signal = replace(signal, expression=signal.expression.abs().clamp(0, 1))
    return Motion(signal, times, body.driven_joints, body.expression_names, 0.8)


def _picture(gaussians: Gaussians, camera: Cameras) -> torch.Tensor:
    return rasterize(gaussians, camera, background=torch.ones(3)).colors


@pytest.fixture
def camera() -> Cameras:
    matrix = look_at(torch.tensor([0.3, -3.0, 0.2]), torch.zeros(3))
    return Cameras(matrix, pinhole_intrinsics(150.0, 96, 128), 96, 128)


@pytest.mark.parametrize("axes", ["z-up", "y-up", "y-down"])
def test_turned_gaussians_look_alike_to_a_turned_camera(bundle, camera, axes) -> None:
    canonical = load_avatar(bundle).avatar.canonical
    rotation = axes_from_world(axes)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3))
    assert float(torch.linalg.det(rotation)) == pytest.approx(1.0)
    turn = torch.eye(4)
    turn[:3, :3] = rotation
    seen = _picture(turned(canonical, rotation), camera.transformed(turn))
    torch.testing.assert_close(seen, _picture(canonical, camera), atol=2e-5, rtol=0)
    up = {"z-up": (0, 0, 1), "y-up": (0, 1, 0), "y-down": (0, -1, 0)}[axes]
    torch.testing.assert_close(rotation @ torch.tensor([0.0, 0.0, 1.0]), torch.tensor(up).float())


def _read_back(path: Path) -> Gaussians:
    """By gsply's readers."""
    data = gsply.plyread(path) if path.suffix == ".ply" else gsply.read_spz(path)
    columns = [
        torch.from_numpy(np.array(getattr(data, name))) for name in ("means", "quats", "scales", "opacities", "sh0")
    ]
    means, quaternions, scales, opacities, colors = columns
    return Gaussians(means, quaternions, scales.exp(), opacities.flatten().sigmoid(), colors.reshape(-1, 3) * SH + 0.5)


@pytest.mark.parametrize(("format", "least"), [("ply", 60.0), ("spz", 45.0)])
def test_splats_are_the_avatar_again(bundle, camera, tmp_path, format, least) -> None:
    path = tmp_path / f"x.{format}"
    assert main(["export", str(bundle), "--format", format, "--output", str(path), "--axes", "z-up"]) == 0
    truth = _picture(load_avatar(bundle).avatar.canonical, camera)
    assert float(masked_psnr(_picture(_read_back(path), camera), truth, torch.ones_like(truth[:1]))) > least


def test_spz_follows_niantics_layout(bundle, tmp_path) -> None:
    """Version 3: a gzip stream of header, positions, alphas, colours, scales, rotations."""
    assert main(["export", str(bundle), "--format", "spz", "--output", str(tmp_path / "x.spz"), "--axes", "z-up"]) == 0
    data = gzip.decompress((tmp_path / "x.spz").read_bytes())
    magic, version, count, degree, bits = struct.unpack_from("<IIIBB", data)
    canonical = load_avatar(bundle).avatar.canonical
    assert (magic, version, count, degree) == (0x5053474E, 3, canonical.count, 0)
    raw = np.frombuffer(data, np.uint8, 9 * count, 16).reshape(count, 3, 3).astype(np.int32)
    fixed = raw[..., 0] | raw[..., 1] << 8 | raw[..., 2] << 16
    positions = np.where(fixed >= 1 << 23, fixed - (1 << 24), fixed) / (1 << bits)
    np.testing.assert_allclose(positions, canonical.means.numpy(), atol=2e-6)
    alphas = np.frombuffer(data, np.uint8, count, 16 + 9 * count) / 255
    np.testing.assert_allclose(alphas, canonical.opacities.numpy(), atol=1 / 255)
    scales = np.frombuffer(data, np.uint8, 3 * count, 16 + 13 * count).reshape(count, 3) / 16.0 - 10.0
    np.testing.assert_allclose(scales, canonical.scales.log().clamp(-10, 6).numpy(), atol=0.04)


def test_glb_moves_as_our_body_does(bundle, body, motion) -> None:
    avatar = load_avatar(bundle).avatar
    moved = retargeted(motion, avatar.body, 10.0)
    glb = Glb(glb_bytes(body, avatar.shape, moved, "a"))
    primitive = glb.content["meshes"][0]["primitives"][0]
    corners = glb.array(primitive["indices"]).reshape(-1, 3)
    turn = axes_from_world("y-up").numpy()
    weights = sum(
        glb.array(index).sum(1) for name, index in primitive["attributes"].items() if name.startswith("WEIGHTS")
    )
    np.testing.assert_allclose(weights, 1.0, atol=1e-5)
    for frame in range(3):
        local, morph = glb.frame(0, frame)
        ours = body.skinned(
            _without_jaw(body, avatar.shape, moved, frame), moved.signal.pose[frame].to(dtype=torch.float32)
        )
        theirs = glb.skinned(local, morph)
        np.testing.assert_allclose(theirs[corners], (ours.numpy() @ turn.T)[body.faces.numpy()], atol=2e-5)
    rest = body.shaped(avatar.shape).vertices.numpy() @ turn.T
    np.testing.assert_allclose(glb.skinned({}, np.zeros(52))[corners], rest[body.faces.numpy()], atol=1e-5)


def _without_jaw(body, shape, motion: Motion, frame: int):
    """Our body with the joints left at rest by expressions, as glTF's morph targets leave them."""
    shaped = body.shaped(shape, motion.signal.expression[frame])
    return replace(shaped, joints=body.shaped(shape).joints)


VALIDATE = """const fs = require('fs');
require('gltf-validator').validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])), {maxIssues: 20})
  .then(report => console.log(JSON.stringify(report.issues)));"""


def test_khronos_validator_finds_nothing(bundle, body, motion, tmp_path) -> None:
    """Needs Node and ``npm install gltf-validator``; ``NODE_PATH`` names the ``node_modules`` it went to."""
    node = shutil.which("node")
    if node is None or subprocess.run([node, "-e", "require('gltf-validator')"], capture_output=True).returncode:
        pytest.skip("gltf-validator is not installed (npm install gltf-validator; NODE_PATH=.../node_modules)")
    avatar = load_avatar(bundle).avatar
    (tmp_path / "x.glb").write_bytes(glb_bytes(body, avatar.shape, retargeted(motion, avatar.body, 10.0), "a"))
    done = subprocess.run([node, "-e", VALIDATE, str(tmp_path / "x.glb")], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert (found["numErrors"], found["numWarnings"]) == (0, 0), found["messages"]


def test_glb_names_and_textures(bundle, body, tmp_path) -> None:
    assert main(["export", str(bundle), "--format", "glb", "--output", str(tmp_path / "x.glb")]) == 0
    glb = Glb((tmp_path / "x.glb").read_bytes())
    assert [node["name"] for node in glb.content["nodes"]] == [*body.joint_names, "body"]
    mesh = glb.content["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(body.expression_names)
    primitive = mesh["primitives"][0]
    texture = glb.array(primitive["attributes"]["TEXCOORD_0"])[glb.array(primitive["indices"])[:, 0]]
    ours = body.texture_coordinates[body.face_texture_coordinates.flatten()].numpy()
    np.testing.assert_allclose(texture, np.c_[ours[:, 0], 1 - ours[:, 1]], atol=1e-6)
    normals = glb.array(primitive["attributes"]["NORMAL"])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)
    splats = _read_back(tmp_path / "x.ply")
    head = splats.means[splats.means[:, 1] > 0.6]
    assert len(head) and abs(float(head[:, 0].mean())) < 0.1  # Y is up, the head on top


def test_arrays_hold_everything(bundle, motion, tmp_path) -> None:
    write_motion(motion, tmp_path / "m.npz")
    common = ["export", str(bundle), "--format", "npz", "--motion", str(tmp_path / "m.npz")]
    assert main([*common, "--output", str(tmp_path / "x.npz")]) == 0
    avatar = load_avatar(bundle).avatar
    moved = retargeted(motion, avatar.body, motion.rate)
    with np.load(tmp_path / "x.npz") as file:
        frames = Gaussians(**{f.name: torch.from_numpy(file[f"frames_{f.name}"]) for f in fields(Gaussians)})
        assert list(file["joint_names"]) == list(avatar.body.joint_names)
    signal = moved.signal
    driven = avatar.drive(
        signal.pose.to(dtype=torch.float32), signal.expression, joint_confidence=signal.joint_confidence
    )
    for field in fields(Gaussians):
        torch.testing.assert_close(getattr(frames, field.name), getattr(driven, field.name), atol=1e-5, rtol=1e-4)


def test_a_motion_becomes_a_folder_of_splats(bundle, motion, tmp_path, capsys) -> None:
    write_motion(motion, tmp_path / "m.npz")
    common = ["export", str(bundle), "--motion", str(tmp_path / "m.npz"), "--format", "ply", "--axes", "z-up"]
    assert main([*common, "--output", str(tmp_path / "s")]) == 0
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == ["000000.ply", "000001.ply", "000002.ply"]
    assert main([*common, "--output", str(tmp_path / "one.ply"), "--time", "0.1"]) == 0
    one, same = _read_back(tmp_path / "one.ply"), _read_back(tmp_path / "s" / "000001.ply")
    torch.testing.assert_close(one.quaternions, same.quaternions, atol=1e-5, rtol=0)
    assert main([*common, "--output", str(tmp_path / "s")]) == 1
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "ply", "--output", "x.spz"], "ends with .ply"),
        (["--format", "glb", "--output", "x.glb", "--axes", "z-up"], "y-up by definition"),
        (["--format", "ply", "--output", "x.ply", "--time", "1"], "--motion"),
    ],
)
def test_exports_say_what_is_wrong(bundle, capsys, options, message) -> None:
    assert main(["export", str(bundle), *options]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
