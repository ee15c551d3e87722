"""Avatars: driven as the model drives, kept whole on disk, and free of everything that driving does not need."""

import json
import subprocess
import sys
from dataclasses import fields, replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.cpu_driver import CpuDriver
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion
from lca_method.avatar.motion_files import write_motion
from lca_method.batch import DrivingSignal
from lca_method.networks import LCA
from lca_method.networks.node_head import DeformerConfig
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.errors import SchemaError, UserError

CHANGES = {
    "coefficients": {},
    "paper": {"template_expression": False},
    "single": {"branches": "single"},
    "code": {"expression": "code"},
    "nodes": {"deformer": DeformerConfig(nodes=24, hidden=16)},
}


@pytest.fixture(params=CHANGES)
def trained(request, config, body) -> LCA:
    """A model whose pose-dependent head says something."""
    torch.manual_seed(0)
    changes = dict(CHANGES[request.param])
    driving = replace(config.driving, expression=changes.pop("expression", config.driving.expression))
    model = LCA(replace(config, driving=driving, **changes), body)
    torch.nn.init.normal_(model.pose_head.deltas.weight, std=0.05)
    if hasattr(model.driving_vector.expression, "readout"):
        torch.nn.init.normal_(model.driving_vector.expression.readout.weight, std=0.1)
    if model.node_head is not None:  # some nodes are corrected
        torch.nn.init.normal_(model.node_head.last.weight, std=2.0)
    return model.eval().requires_grad_(False)


def _code(model: LCA, body, random_references):
    generator = torch.Generator().manual_seed(3)
    return model.encode(random_references((), 3), 0.5 * torch.randn(len(body.shape_names), generator=generator))


def _close(one, other, **tolerance) -> None:
    for field in fields(one):
        torch.testing.assert_close(getattr(one, field.name), getattr(other, field.name), **tolerance)


def test_drives_as_the_model_does(trained, body, random_references, random_driving, tmp_path):
    code, driving = _code(trained, body, random_references), random_driving((5,))
    canonical, posed = trained.drive(code, driving)
    save_avatar(avatar_of(trained, code), AvatarRecord("somebody"), tmp_path / "a.avatar")
    for avatar in (avatar_of(trained, code), load_avatar(tmp_path / "a.avatar").avatar):
        confidence = driving.joint_confidence
        driven = avatar.drive(driving.pose, driving.expression, joint_confidence=confidence)
        _close(driven, posed, atol=1e-5, rtol=1e-4)
        rest = avatar.drive(driving.pose, driving.expression, pose_dependent=False)
        _close(rest, canonical, atol=1e-5, rtol=1e-4)
        one = avatar.drive(driving.pose[2], driving.expression[2], joint_confidence=_at(confidence, 2))
        _close(one, posed[2], atol=1e-5, rtol=1e-4)


def test_drives_as_the_model_does_in_reused_buffers(trained, body, random_references, random_driving):
    code, driving = _code(trained, body, random_references), random_driving((3,))
    canonical, posed = trained.drive(code, driving)
    driver = CpuDriver(avatar_of(trained, code))
    for frame in range(3):
        signal = _frame(driving, frame)
        _close(driver.gaussians(signal, pose_dependent=False), canonical[frame], atol=1e-5, rtol=1e-4)
        _close(driver.gaussians(signal), posed[frame], atol=1e-5, rtol=1e-4)


def test_pictures_are_the_models(trained, body, random_references, random_driving):
    code, driving = _code(trained, body, random_references), random_driving((2,))
    camera = Cameras(look_at(torch.tensor([0.0, -3.0, 0.0]), torch.zeros(3)), pinhole_intrinsics(60.0, 48, 48), 48, 48)
    white = torch.ones(3)
    avatar = avatar_of(trained, code)
    shown = avatar.render(camera, driving.pose, driving.expression, background=white)
    from lca_shared.rendering import rasterize

    truth = rasterize(trained.drive(code, driving)[1], camera, background=white)
    torch.testing.assert_close(shown.colors, truth.colors, atol=1e-4, rtol=0)
    assert (shown.alpha.amax(dim=(1, 2, 3)) > 0.5).all()
    bytes_of = torch.empty(48, 48, 3, dtype=torch.uint8)
    CpuDriver(avatar).picture(_frame(driving, 1), camera, white, bytes_of)
    torch.testing.assert_close(bytes_of.movedim(-1, 0) / 255, truth.colors[1].clamp(0, 1), atol=0.6 / 255, rtol=0)


def test_learned_codes_drive(config, body, random_references, random_driving):
    torch.manual_seed(0)
    model = LCA(replace(config, driving=replace(config.driving, expression="code")), body).eval()
    torch.nn.init.normal_(model.pose_head.deltas.weight, std=0.05)
    code, driving = _code(model, body, random_references), random_driving((3,))
    numbers = torch.randn(3, model.driving_vector.expression.width)
    posed = model.drive(code, replace(driving, code=numbers))[1]
    _close(avatar_of(model, code).drive(driving.pose, driving.expression, code=numbers), posed, atol=1e-5, rtol=1e-4)


def test_gaze_and_neutral_face_by_default(model, body, random_references):
    avatar = avatar_of(model.eval(), _code(model, body, random_references))
    pose = avatar.rest_pose
    gaze = torch.full((2, 2), 0.3)
    _close(avatar.drive(pose, gaze=gaze), avatar.drive(replace(pose, gaze=gaze)))
    _close(avatar.drive(pose), avatar.drive(pose, torch.zeros(len(body.expression_names))))


@pytest.fixture
def bundle(model, body, random_references, tmp_path):
    path = tmp_path / "made" / "b.avatar"
    record = AvatarRecord("b", ("one.jpg", "two.jpg"), "CC0-1.0", {"steps": 3})
    save_avatar(avatar_of(model.eval(), _code(model, body, random_references)), record, path)
    return path


def test_a_bundle_holds_what_it_says(bundle):
    loaded = load_avatar(bundle)
    assert loaded.record == AvatarRecord("b", ("one.jpg", "two.jpg"), "CC0-1.0", {"steps": 3})
    assert sorted(file.name for file in bundle.iterdir()) == ["README.md", "avatar.safetensors", "config.json"]
    assert "one.jpg, two.jpg" in (bundle / "README.md").read_text()
    names = load_file(bundle / "avatar.safetensors").keys()
    assert not any("image_encoder" in name or "of_tokens" in name for name in names)


def test_nothing_is_replaced_unasked(bundle):
    avatar = load_avatar(bundle).avatar
    before = (bundle / "avatar.safetensors").read_bytes()
    with pytest.raises(UserError, match="exists already"):
        save_avatar(avatar, AvatarRecord("c"), bundle)
    assert (bundle / "avatar.safetensors").read_bytes() == before
    save_avatar(avatar, AvatarRecord("c"), bundle, overwrite=True)
    assert load_avatar(bundle).record.name == "c"
    assert [path.name for path in bundle.parent.iterdir()] == ["b.avatar"]
    (bundle.parent / "mine.avatar").mkdir()
    with pytest.raises(UserError, match="Choose another name"):
        save_avatar(avatar, AvatarRecord("c"), bundle.parent / "mine.avatar", overwrite=True)
    with pytest.raises(UserError, match=r"ends with \.avatar"):
        save_avatar(avatar, AvatarRecord("c"), bundle.parent / "c")


@pytest.mark.parametrize("file", ["config.json", "avatar.safetensors"])
def test_broken_bundles_give_one_message(bundle, file):
    whole = (bundle / file).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"\0" * len(whole)):
        (bundle / file).write_bytes(damaged)
        with pytest.raises(UserError, match=file):
            load_avatar(bundle)
    (bundle / file).unlink()
    with pytest.raises(UserError, match=f"{file} (does not exist|is missing)"):
        load_avatar(bundle)


def test_other_releases_and_wrong_tensors_are_refused(bundle):
    content = json.loads((bundle / "config.json").read_text())
    (bundle / "config.json").write_text(json.dumps({**content, "schema_version": 99}))
    with pytest.raises(SchemaError, match="schema version 99"):
        load_avatar(bundle)
    (bundle / "config.json").write_text(json.dumps({k: v for k, v in content.items() if k != "rig"}))
    with pytest.raises(UserError, match="not a whole avatar"):
        load_avatar(bundle)
    (bundle / "config.json").write_text(json.dumps(content))
    tensors = load_file(bundle / "avatar.safetensors")
    for name, value in (("token_half", torch.zeros(2, 16)), ("body.points", torch.zeros(3, 3))):
        save_file({**tensors, name: value}, bundle / "avatar.safetensors")
        with pytest.raises(UserError, match="not a whole avatar"):
            load_avatar(bundle)


def test_driving_needs_neither_nerfstudio_nor_an_encoder_of_pictures(bundle, tmp_path):
    """Nor torch's compiler, which takes longer to import than torch."""
    avatar = load_avatar(bundle).avatar
    rest = DrivingSignal(avatar.rest_pose[None], torch.zeros(1, len(avatar.body.expression_names)))
    names = (avatar.body.driven_joints, avatar.body.expression_names)
    write_motion(Motion(rest, torch.zeros(1, dtype=torch.float64), *names), tmp_path / "m.npz")
    options = ["--motion", str(tmp_path / "m.npz"), "--size", "32", "32", "--output", str(tmp_path / "v.mp4")]
    code = f"""
import sys
from lca_method.cli import main
assert main({["drive", str(bundle), *options]!r}) == 0
unwanted = ("nerfstudio", "transformers", "mediapipe", "roma", "matplotlib", "sympy", "huggingface_hub", "viser")
found = [name for name in sys.modules if name.split(".")[0] in unwanted or name.startswith("torch._dynamo")]
assert not found and "lca_shared.encoders.patch" not in sys.modules, found
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def _frame(driving, index):
    values = {f.name: _at(getattr(driving, f.name), slice(index, index + 1)) for f in fields(driving)}
    return replace(driving, **values)


def _at(value, index):
    return None if value is None else value[index]
