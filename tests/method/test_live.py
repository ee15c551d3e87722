"""What drives an avatar live: datagrams of a phone, and pictures of a webcam."""

import json
import math
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from clips import numbered, write_video

from lca_dataparsers.processing.observations import ARKIT_NAMES
from lca_method.avatar.bundle import AvatarRecord, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.cli import main
from lca_method.live import film
from lca_method.live.live_link import ORDER, BadDatagramError, FaceDatagram, FaceReceiver, packed, parsed
from lca_method.live.person import LivePerson, landmark_signal, with_face, with_head
from lca_method.live.webcam import Webcam
from lca_method.viewing.signals import PanelState, signal_of
from lca_shared.errors import UserError
from lca_shared.rotations import rotation_vector_to_matrix


def phone_datagram(values: dict[str, float], head: tuple[float, float, float]) -> bytes:
    """Byte by byte as the app sends it."""
    device, name = b"8A2C1F30-0000-4000-8000-0123456789AB", "Ann\u00e9's iPhone".encode()
    numbers = [values.get(key, 0.0) for key in ORDER] + [*head] + [0.0] * 6
    data = bytes([6]) + struct.pack(">i", len(device)) + device + struct.pack(">i", len(name)) + name
    data += struct.pack(">i", 1234) + struct.pack(">f", 0.25) + struct.pack(">i", 60) + struct.pack(">i", 1)
    return data + bytes([61]) + b"".join(struct.pack(">f", number) for number in numbers)


def test_a_phones_datagram_is_read() -> None:
    assert sorted(ORDER) == sorted(ARKIT_NAMES) and ORDER[:3] == ("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft")
    assert (ORDER[17], ORDER[43], ORDER[51]) == ("jawOpen", "browInnerUp", "tongueOut")
    data = phone_datagram({"jawOpen": 0.5, "mouthSmileLeft": 0.75, "tongueOut": 1.5}, (0.25, -0.5, 0.1))
    face = parsed(data)
    assert face.coefficients["jawOpen"] == 0.5 and face.coefficients["mouthSmileLeft"] == 0.75
    assert face.coefficients["tongueOut"] == 1.0 and face.coefficients["mouthSmileRight"] == 0.0
    assert face.head == (0.25, -0.5) and face.subject == "Ann\u00e9's iPhone"
    assert len(phone_datagram({}, (0, 0, 0))) == len(data) and parsed(packed(face)) == face


def test_json_is_read_too() -> None:
    face = parsed(b'{"jawOpen": 0.25, "headYaw": 0.1, "subject": "me"}')
    assert face.coefficients["jawOpen"] == 0.25 and face.head == (0.1, 0.0) and len(face.coefficients) == 52


def test_other_datagrams_are_refused() -> None:
    whole = packed(FaceDatagram({"jawOpen": 0.5}))
    for size in range(len(whole)):
        with pytest.raises(BadDatagramError):
            parsed(whole[:size])
    random = np.random.default_rng(0)
    for _ in range(200):
        with pytest.raises(BadDatagramError):
            parsed(b"\x06" + random.bytes(int(random.integers(1, 400))))
    bad = [b"", bytes([1]) + whole[1:], b"{}x", b"[1]", b'{"jawOpen": "a"}', b'{"chin": 1}', b'{"jawOpen": NaN}']
    for data in bad:
        with pytest.raises(BadDatagramError):
            parsed(data)


def test_the_newest_datagram_is_kept() -> None:
    receiver = FaceReceiver(0, "127.0.0.1")
    try:
        with pytest.raises(UserError, match="choose another port"):
            FaceReceiver(receiver.port, "127.0.0.1")
        assert receiver.newest() is None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for data in (b"hello", packed(FaceDatagram({"jawOpen": 0.5})), json.dumps({"jawOpen": 0.75}).encode()):
                phone.sendto(data, ("127.0.0.1", receiver.port))
        end = time.monotonic() + 5
        while receiver.received < 2 and time.monotonic() < end:
            time.sleep(0.01)
        newest = receiver.newest()
        assert newest is not None and newest.coefficients["jawOpen"] == 0.75
        assert (receiver.received, receiver.refused) == (2, 1)
        assert receiver.newest(within=0.0) is None
    finally:
        receiver.close()


def test_a_face_gets_coefficients_and_looks(body) -> None:
    rest = signal_of(PanelState(), body)
    looks = {"eyeLookOutLeft": 1.0, "eyeLookInRight": 1.0, "eyeLookUpLeft": 0.5, "eyeLookUpRight": 0.5}
    signal = with_face(rest, body, {"jawOpen": 0.6, **looks})
    assert float(signal.expression[0, body.expression_names.index("jawOpen")]) == pytest.approx(0.6)
    assert (signal.pose.gaze[0] > 0.05).all()  # both to the person's left and up
    neutral = np.full(52, 0.2, np.float32)
    raised = with_face(rest, body, {"jawOpen": 0.6}, neutral).expression[0, body.expression_names.index("jawOpen")]
    assert float(raised) == pytest.approx(0.5)


def landmarks(body, signal) -> np.ndarray:
    """MediaPipe's 3D points (camera axes) of a posed body, as far as its joints say."""
    joints = dict(zip(body.joint_names, body.posed(body.template_joints, signal.pose[0]).joints.numpy()))
    names = {11: "upperarm01", 13: "lowerarm01", 15: "wrist", 23: "upperleg01", 25: "lowerleg01", 27: "foot"}
    points = np.zeros((33, 3), np.float32)
    for number, name in names.items():
        for side, shift in (("L", 0), ("R", 1)):
            x, y, z = joints[f"{name}.{side}"]
            points[number + shift] = (x, -z, y)
    return points


def test_limbs_point_where_landmarks_point(body) -> None:
    state = PanelState({"left_arm": 70.0, "right_elbow": 60.0, "left_leg": 40.0, "left_knee": 50.0})
    asked = signal_of(state, body)
    turned = replace(asked, pose=replace(asked.pose, root_rotation=torch.tensor([[0.1, -0.05, 0.7]])))
    points = landmarks(body, turned)
    found = landmark_signal(body, points, np.ones(33, np.float32))
    again = landmarks(body, found)
    # The trunk of shoulders and hips leans a little at rest, so the limbs' places differ; their directions must not.
    for first, second in ((11, 13), (13, 15), (24, 26), (23, 25), (25, 27), (12, 14), (14, 16)):
        one, other = points[second] - points[first], again[second] - again[first]
        np.testing.assert_allclose(one / np.linalg.norm(one), other / np.linalg.norm(other), atol=2e-3)
    unseen = landmark_signal(body, points, np.zeros(33, np.float32))
    assert unseen.pose.joint_rotations.abs().max() == 0 and float(unseen.joint_confidence.min()) == 0


def test_the_head_turns_in_the_world(body) -> None:
    signal = signal_of(PanelState(), body)
    signal = replace(signal, pose=replace(signal.pose, root_rotation=torch.tensor([[0.0, 0.0, 0.4]])))
    wanted = rotation_vector_to_matrix(torch.tensor([0.0, 0.0, -0.3]))
    moved = with_head(signal, body, wanted)
    active = body.active_transforms(body.template_joints, moved.pose[0])
    order = [body.joint_names[index] for index in body.active.joints.tolist()]
    torch.testing.assert_close(active[order.index("head"), :, :3], wanted, atol=1e-5, rtol=0)


def test_a_video_stands_in_for_a_webcam(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", numbered(7))
    webcam = Webcam(str(path))
    pictures = list(webcam)
    webcam.close()
    assert len(pictures) == 7 and pictures[0].dtype == np.uint8 and not webcam.is_camera and webcam.rate > 1


class Waving:
    """In place of the detectors: an arm goes up; nobody is there in every third picture."""

    def __init__(self, body, model_dir) -> None:
        self._body, self._count = body, 0

    def signal(self, picture, when):
        self._count += 1
        if self._count % 3 == 0:
            return None
        return signal_of(PanelState({"left_arm": 10.0 * self._count}), self._body)

    def close(self) -> None:
        pass


@pytest.fixture
def bundle(model, body, random_references, tmp_path) -> Path:
    code = model.eval().encode(random_references((), 3), torch.zeros(len(body.shape_names)))
    save_avatar(avatar_of(model, code), AvatarRecord("a"), tmp_path / "a.avatar")
    return tmp_path / "a.avatar"


def test_driving_live_by_command(bundle, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(film, "LivePerson", Waving)
    clip = write_video(tmp_path / "clip.mp4", numbered(9))
    common = ["drive", str(bundle), "--live", "--size", "32", "48", "--device", "cpu"]
    assert main([*common, "--webcam", str(clip), "--output", str(tmp_path / "v.mp4")]) == 0
    assert "from 9 pictures, somebody in 6" in capsys.readouterr().out
    with av.open(str(tmp_path / "v.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24").astype(int) for frame in video.decode(video=0)]
    assert len(frames) == 9 and np.abs(frames[0] - frames[7]).max() > 20
    assert main([*common, "--webcam", "97", "--output", str(tmp_path / "w.mp4")]) == 1
    error = capsys.readouterr().err
    assert "no picture from webcam 97" in error and error.count("\n") == 1 and not (tmp_path / "w.mp4").exists()
    assert main([*common, "--motion", "m.npz", "--output", str(tmp_path / "w.mp4")]) == 1
    assert "either --motion MOTION or --live" in capsys.readouterr().err


@pytest.mark.slow
def test_the_detectors_follow_a_face(body, material, models) -> None:
    person = LivePerson(body, models)
    signals = []
    for number, picture in enumerate(Webcam(str(material / "data" / "video" / "moore_talkinghead_1.mp4"))):
        if number % 4 == 0:
            signals.append(person.signal(picture, number / 25))
        if number == 120:
            break
    person.close()
    assert all(signal is not None for signal in signals)
    jaw = torch.stack([signal.expression[0, body.expression_names.index("jawOpen")] for signal in signals])
    head = torch.stack([signal.pose.joint_rotations[0, body.driven_joints.index("head")] for signal in signals])
    assert float(jaw.max() - jaw.min()) > 0.1  # the person talks
    assert float(head.norm(dim=-1).max()) < math.radians(60)
