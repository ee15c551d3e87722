"""Motions on disk and in time, cameras around an avatar, and the commands ``lca create`` and ``lca drive``."""

import math
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.avatar.bundle import AvatarRecord, load_avatar, save_avatar
from lca_method.avatar.creating import MOST_PHOTOS, photos_of
from lca_method.avatar.creating_report import pictures_told
from lca_method.avatar.filming import filmed, in_batches
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion, leg_length
from lca_method.avatar.motion_files import read_motion, write_motion
from lca_method.avatar.resizing import resized
from lca_method.avatar.retargeting import retargeted
from lca_method.avatar.viewpoints import cameras_around, head_path, reach_of, recorded_cameras
from lca_method.cli import main
from lca_method.networks import LCA
from lca_method.viewing.signals import PanelState, signal_of
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project
from lca_shared.errors import UserError
from lca_shared.rotations import geodesic_angle, rotation_vector_to_matrix


@pytest.fixture
def motion(body, random_driving) -> Motion:
    times = torch.tensor([0.0, 0.1, 0.3, 0.4], dtype=torch.float64)
    return Motion(random_driving((4,)), times, body.driven_joints, body.expression_names, 0.8)


@pytest.fixture(scope="module")
def bundle(config, body, random_references, tmp_path_factory) -> Path:
    torch.manual_seed(0)
    model, path = LCA(config, body).eval(), tmp_path_factory.mktemp("bundle") / "a.avatar"
    code = model.encode(random_references((), 3), torch.zeros(len(body.shape_names)))
    save_avatar(avatar_of(model, code), AvatarRecord("a"), path)
    return path


def test_motions_pass_through_what_was_recorded(motion: Motion) -> None:
    dense = motion.at(torch.linspace(0, 0.4, 9, dtype=torch.float64))
    for original, at in ((0, 0), (1, 2), (2, 6), (3, 8)):
        for name in ("joint_rotations", "root_rotation"):
            one, other = (rotation_vector_to_matrix(getattr(m.signal.pose, name)) for m in (dense, motion))
            assert float(geodesic_angle(one[at], other[original]).max()) < 1e-2
        torch.testing.assert_close(dense.signal.expression[at], motion.signal.expression[original])
    halfway = motion.at(torch.tensor([0.2], dtype=torch.float64)).signal.expression[0]
    torch.testing.assert_close(halfway, motion.signal.expression[1:3].mean(0))


def test_motions_stand_still_outside_their_time(motion: Motion) -> None:
    outside = motion.at(torch.tensor([-1.0, 9.0], dtype=torch.float64)).signal
    torch.testing.assert_close(outside.pose.root_translation, motion.signal.pose.root_translation[[0, 3]])
    one = replace(motion, times=motion.times[:1], signal=_frames(motion.signal, [0]))
    torch.testing.assert_close(one.at(torch.tensor([0.5]).double()).signal.expression, motion.signal.expression[:1])


def test_other_rigs_get_what_they_share_by_name(motion: Motion) -> None:
    joints = [motion.joints[5], "tail", motion.joints[0]]
    named = motion.named(joints, ["jawOpen", "wink"])
    rotations = motion.signal.pose.joint_rotations
    torch.testing.assert_close(named.signal.pose.joint_rotations[:, 0], rotations[:, 5])
    torch.testing.assert_close(named.signal.pose.joint_rotations[:, 2], rotations[:, 0])
    assert named.signal.pose.joint_rotations[:, 1].abs().max() == 0
    assert named.signal.joint_confidence[:, 1].max() == 0
    jaw = motion.expressions.index("jawOpen")
    torch.testing.assert_close(named.signal.expression[:, 0], motion.signal.expression[:, jaw])
    assert named.signal.expression[:, 1].abs().max() == 0
    same = motion.named(motion.joints, motion.expressions)
    torch.testing.assert_close(same.signal.pose.joint_rotations, rotations)


def test_short_legs_walk_less_far(motion: Motion) -> None:
    way = motion.walked(0.5).signal.pose.root_translation
    own = motion.signal.pose.root_translation
    assert way[0].abs().max() == 0
    torch.testing.assert_close(way[3], (own[3] - own[0]) / 2)
    assert (motion.staying().signal.pose.root_translation == own[0]).all()


def test_leg_length_is_the_bodys(body) -> None:
    assert 0.7 < leg_length(body.joint_names, body.template_joints) < 0.9
    assert leg_length(("a",), torch.zeros(1, 3)) is None


def test_motion_files_hold_the_motion(motion: Motion, tmp_path: Path) -> None:
    write_motion(motion, tmp_path / "m.npz")
    read = read_motion(tmp_path / "m.npz")
    assert read.joints == motion.joints and read.expressions == motion.expressions
    assert read.leg_length == pytest.approx(0.8)
    torch.testing.assert_close(read.times, motion.times)
    torch.testing.assert_close(read.signal.pose.joint_rotations, motion.signal.pose.joint_rotations)
    torch.testing.assert_close(read.signal.expression, motion.signal.expression)


def test_a_dataset_is_a_motion(people: Path) -> None:
    motion = read_motion(people, "emil")
    assert len(motion) == 6 and motion.leg_length > 0.5
    folder = read_motion(people / "subjects" / "emil")
    torch.testing.assert_close(folder.signal.pose.root_translation, motion.signal.pose.root_translation)
    with pytest.raises(UserError, match="--subject"):
        read_motion(people)
    with pytest.raises(UserError, match="no subject 'nobody'"):
        read_motion(people, "nobody")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"times": None}, "lacks the arrays times"),
        ({"root_rotation": np.zeros((4, 2))}, "root_rotation is"),
        ({"joint_rotations": np.full((4, 52, 3), np.nan)}, "not finite"),
        ({"times": np.array([0.0, 2.0, 1.0, 3.0])}, "must increase"),
        ({"schema_version": np.int64(9)}, "version 9"),
        ({"joint_rotations": np.array(["a"] * 4)}, "joint_rotations is"),
    ],
)
def test_bad_motions_give_one_message(motion: Motion, tmp_path: Path, change, message) -> None:
    write_motion(motion, tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:
        arrays = {**dict(file), **change}
    np.savez(tmp_path / "n.npz", **{name: value for name, value in arrays.items() if value is not None})
    with pytest.raises(UserError, match=message):
        read_motion(tmp_path / "n.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "m.npz").read_bytes()[:300])
    with pytest.raises(UserError, match=r"cut\.npz is not a readable"):
        read_motion(tmp_path / "cut.npz")
    (tmp_path / "v.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="lca-data process"):
        read_motion(tmp_path / "v.mp4")


@pytest.mark.parametrize("view", ["front", "orbit"])
@pytest.mark.parametrize("follow", [True, False])
def test_the_body_is_in_the_picture(body, view, follow) -> None:
    way = torch.stack([torch.linspace(0, 1, 5), torch.zeros(5), torch.zeros(5)], dim=-1)
    cameras = cameras_around(body, way, (120, 160), view=view, follow=follow)
    points = body.template_vertices + way[:, None]
    pixels = project(cameras, points)[0]
    assert (pixels > 0).all() and (pixels[..., 0] < 120).all() and (pixels[..., 1] < 160).all()
    if view == "front":
        right = (
            pixels[0, body.template_vertices[:, 0].argmax(), 0] - pixels[0, body.template_vertices[:, 0].argmin(), 0]
        )
        assert right > 20  # the person's left, +X, is on the right of the picture


def test_both_ways_of_filming_give_the_same_pictures(bundle, motion: Motion) -> None:
    avatar = load_avatar(bundle).avatar
    motion = retargeted(motion, avatar.body, 10.0)
    cameras = cameras_around(avatar.body, motion.signal.pose.root_translation, (40, 48))
    for background in (torch.ones(3), torch.tensor([0.2, 0.5, 0.9]), None):
        fast = list(filmed(avatar, motion, cameras, background))
        again = [picture.copy() for picture in filmed(avatar, motion, cameras, background, reuse=True)]
        slow = list(in_batches(avatar, motion, cameras, background))
        assert len(fast) == len(slow) == len(motion) > 4
        for one, two, three in zip(fast, slow, again, strict=True):
            assert one.shape == (48, 40, 4 if background is None else 3) and (one == three).all()
            seen = slice(None) if background is not None else two[..., 3] > 0
            assert np.abs(one[seen].astype(int) - two[seen]).max() <= 1
    clear = next(filmed(avatar, motion, cameras, None))
    assert clear[0, 0, 3] == 0 and clear[..., 3].max() > 200
    over_white = clear[..., :3] * (clear[..., 3:] / 255) + 255 - clear[..., 3:]
    assert np.abs(over_white - next(filmed(avatar, motion, cameras, torch.ones(3)))).max() < 3


def test_the_recorded_camera_sees_the_person_where_they_were(people: Path, body) -> None:
    dataset = AvatarDataset.open(people)
    subject = dataset.subjects["emil"]
    motion = retargeted(read_motion(people, "emil"), body, 30.0, in_place=True)
    assert motion.cameras is not None
    first = subject.load(0)
    width, height = first.camera.width, first.camera.height
    root = (motion.signal.pose.root_translation[0] + body.template_joints[0])[None]
    own = project(first.camera, root)[0]
    same = recorded_cameras(motion, (width, height))
    torch.testing.assert_close(project(same[0], root)[0], own, atol=0.05, rtol=0)
    wide = recorded_cameras(motion, (4 * width, 2 * height))  # twice as large, in the middle
    expected = 2 * own + torch.tensor([float(width), 0.0])
    torch.testing.assert_close(project(wide[0], root)[0], expected, atol=0.1, rtol=0)
    with pytest.raises(UserError, match="another --camera"):
        recorded_cameras(replace(motion, cameras=None), (8, 8))


def test_cameras_between_two_lie_on_the_way(motion: Motion) -> None:
    eyes = torch.tensor([[0.0, -3.0, 0.0], [2.0, -3.0, 0.0], [2.0, -3.0, 4.0], [2.0, -3.0, 4.0]])
    matrices = look_at(eyes, torch.zeros(4, 3))
    cameras = Cameras(matrices, pinhole_intrinsics(60.0, 48, 48).expand(4, 3, 3), 48, 48)
    moved = replace(motion, cameras=cameras).at(torch.tensor([0.0, 0.05, 0.1, 0.2], dtype=torch.float64)).cameras
    assert moved is not None
    places = moved.world_centers()
    torch.testing.assert_close(
        places, torch.tensor([[0.0, -3, 0], [1, -3, 0], [2, -3, 0], [2, -3, 2]]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(moved.camera_from_world[0], matrices[0], atol=1e-4, rtol=0)
    angles = [geodesic_angle(moved.camera_from_world[1, :3, :3], matrices[i, :3, :3]) for i in (0, 1)]
    torch.testing.assert_close(angles[0], angles[1], atol=1e-3, rtol=0)


def test_photos_that_were_left_out_are_named_with_their_reason() -> None:
    photos = [Path("me/a.jpg"), Path("b/a.jpg"), Path("c.png")]
    report = {"pictures": 3, "used": 1, "left_out": {"01_a.jpg": "no person", "02_c.png": "blurred"}}
    lines = ["Not used: b/a.jpg (no person).", "Not used: c.png (blurred).", "Used 1 of 3 pictures."]
    assert pictures_told(report, photos, [0], [0.0]) == [*lines, "The model looked at 1 picture: me/a.jpg."]
    assert pictures_told({**report, "left_out": {}}, photos[:1], [0], [0.0], 1)[0] == "Used 1 of 4 pictures."
    film = {"pictures": 9, "used": 7, "refused": {"body misfit": 2}, "left_out": {}}
    assert pictures_told(film, [Path("v.mp4")], [2, 8], [0.2, 0.8]) == [
        "Used 7 of 9 pictures (not: 2 body misfit).",
        "The model looked at 2 pictures: 0.2 s, 0.8 s.",
    ]
    assert pictures_told({}, [Path("data")], [4], [0.0]) == ["The model looked at 1 picture."]


def test_a_folder_of_few_photos_is_its_photos(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    assert photos_of((tmp_path,)) == (tmp_path / "a.png", tmp_path / "b.jpg")
    assert photos_of((tmp_path / "b.jpg",)) == (tmp_path / "b.jpg",)
    for index in range(MOST_PHOTOS):
        (tmp_path / f"{index:03d}.jpg").touch()
    assert photos_of((tmp_path,)) == (tmp_path,)  # frames of a video


def test_driving_by_command(bundle, motion: Motion, tmp_path: Path, capsys) -> None:
    write_motion(motion, tmp_path / "m.npz")
    common = ["drive", str(bundle), "--motion", str(tmp_path / "m.npz"), "--size", "32", "48", "--device", "cpu"]
    assert main([*common, "--output", str(tmp_path / "v.mp4"), "--fps", "20"]) == 0
    assert "Wrote 9 frames (20 a second)" in capsys.readouterr().out
    with av.open(str(tmp_path / "v.mp4")) as video:
        assert len(list(video.decode(video=0))) == 9
    options = ["--output", str(tmp_path / "png"), "--background", "none", "--seconds", "0.2", "--fps", "10"]
    assert main([*common, *options]) == 0
    assert Image.open(tmp_path / "png" / "000002.png").mode == "RGBA"
    assert len(list((tmp_path / "png").iterdir())) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--output", "x.mp4", "--background", "none"], "no transparency"),
        (["--output", "x.avi"], "NAME.mp4"),
        (["--output", "x.mp4", "--background", "reddish"], "not a colour"),
        (["--output", "x.mp4", "--start", "60"], "not within the motion"),
        (["--output", "x.mp4", "--size", "2", "2"], "too small"),
    ],
)
def test_driving_says_what_is_wrong(bundle, motion: Motion, tmp_path: Path, capsys, options, message) -> None:
    write_motion(motion, tmp_path / "m.npz")
    assert main(["drive", str(bundle), "--motion", str(tmp_path / "m.npz"), *options]) == 1
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def _frames(signal, rows):
    confidence = signal.joint_confidence
    return replace(
        signal,
        pose=signal.pose[rows],
        expression=signal.expression[rows],
        joint_confidence=None if confidence is None else confidence[rows],
    )


def test_outstretched_arms_are_in_the_picture(body) -> None:
    pose = signal_of(PanelState({"left_arm": 45.0, "right_arm": 45.0}), body).pose
    reach = reach_of(body, pose)
    camera = cameras_around(body, torch.zeros(1, 3), (60, 160), reach=reach)
    points = body.skinned(body.shaped(torch.zeros(len(body.shape_names))), pose)
    pixels = project(camera, points)[0]
    assert (pixels > 0).all() and (pixels[..., 0] < 60).all() and (pixels[..., 1] < 160).all()
    narrow = project(cameras_around(body, torch.zeros(1, 3), (60, 160)), points)[0]
    assert not (narrow[..., 0] < 60).all()


class _Changing(dict[str, float]):
    """Values that a page changes while they are gone through."""

    def items(self):
        for item in super().items():
            yield item
            self["another"] = 1.0


def test_a_page_may_change_values_while_a_frame_is_made(body) -> None:
    values, smile = {"left_arm": 45.0, "right_arm": 45.0}, {"mouthSmileLeft": 1.0, "mouthSmileRight": 1.0}
    live = signal_of(PanelState(_Changing(values), expression=_Changing(smile)), body)
    still = signal_of(PanelState(values, expression=smile), body)
    assert torch.equal(live.expression, still.expression)
    assert torch.equal(live.pose.joint_rotations, still.pose.joint_rotations)


def test_a_camera_on_the_head_follows_it_where_the_body_leans(body) -> None:
    upright = signal_of(PanelState({}), body).pose
    leaning = replace(upright, root_rotation=torch.tensor([[0.7, 0.0, 0.3]]), root_translation=torch.ones(1, 3))
    head = body.joint_names.index("head")
    seen = []
    for pose in (upright, leaning):
        cameras = cameras_around(body, head_path(body, pose), (64, 64), view="head")
        joint = body.posed(body.template_joints, pose).joints[:, head]
        seen.append(project(cameras, joint[:, None])[0][0, 0])
    torch.testing.assert_close(seen[0], seen[1], atol=0.05, rtol=0)


def test_the_camera_goes_once_around(body) -> None:
    cameras = cameras_around(body, torch.zeros(4, 3), (64, 64), view="orbit")
    points = body.template_vertices
    eyes = cameras.world_centers() - (points.amin(0) + points.amax(0)) / 2
    angles = torch.atan2(eyes[:, 0], -eyes[:, 1]) % (2 * math.pi)
    torch.testing.assert_close(angles, torch.arange(4) * math.pi / 2, atol=1e-3, rtol=0)


def test_resized_avatars_keep_their_tokens_and_their_cover(bundle) -> None:
    avatar = load_avatar(bundle).avatar
    each = avatar.networks.gaussians_per_token
    same = resized(avatar, avatar.canonical.count)
    torch.testing.assert_close(same.drive(same.rest_pose).means, avatar.drive(avatar.rest_pose).means)
    more = resized(avatar, 5 * avatar.canonical.count)
    assert more.canonical.count == 5 * avatar.canonical.count
    area = [float(a.canonical.scales.square().sum()) for a in (avatar, more)]
    assert area[1] == pytest.approx(area[0], rel=0.2)
    moved = more.drive(more.rest_pose).means.unflatten(0, (-1, each))
    own = avatar.drive(avatar.rest_pose).means.unflatten(0, (-1, each))
    torch.testing.assert_close(moved[[0, -1]], own[[0, -1]])


def test_benching_by_command(bundle, capsys) -> None:
    options = ["--gaussians", "0", "400", "--sizes", "32", "--frames", "2", "--device", "cpu"]
    assert main(["bench", str(bundle), *options]) == 0
    out = capsys.readouterr().out
    assert "rasterizer" in out and " 192 " in out and " 400 " in out
