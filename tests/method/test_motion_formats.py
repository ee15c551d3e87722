"""BVH and AMASS: files made here in the published layouts, against forward kinematics of scipy's rotations."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lca_method.avatar.motion import Motion, leg_length
from lca_method.avatar.motion_files import read_motion
from lca_method.avatar.skeleton_motion import OURS, smallest_turn
from lca_method.avatar.smplx_motion import REST
from lca_shared.body.smplx import JOINTS
from lca_shared.errors import UserError
from lca_shared.rotations import rotation_vector_to_matrix

OURS_FROM_Y_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
T_POSE = {  # name: (parent, offset in centimetres, Y up, facing +Z)
    "Hips": (None, (0, 95, 0)),
    "LeftUpLeg": ("Hips", (9, -5, 0)), "LeftLeg": ("LeftUpLeg", (0, -42, 1)), "LeftFoot": ("LeftLeg", (0, -40, -2)),
    "LeftToeBase": ("LeftFoot", (0, -6, 12)),
    "RightUpLeg": ("Hips", (-9, -5, 0)), "RightLeg": ("RightUpLeg", (0, -42, 1)),
    "RightFoot": ("RightLeg", (0, -40, -2)),
    "Spine": ("Hips", (0, 10, 0)), "Spine1": ("Spine", (0, 12, 0)), "Spine2": ("Spine1", (0, 12, 0)),
    "LeftShoulder": ("Spine2", (5, 10, 0)), "LeftArm": ("LeftShoulder", (12, 0, 0)),
    "LeftForeArm": ("LeftArm", (27, 0, 0)), "LeftHand": ("LeftForeArm", (25, 0, 0)),
    "LeftHandThumb1": ("LeftHand", (3, -1, 3)), "LeftHandIndex1": ("LeftHand", (9, 0, 3)),
    "LeftHandIndex2": ("LeftHandIndex1", (4, 0, 0)), "LeftHandMiddle1": ("LeftHand", (9, 0, 0)),
    "LeftHandPinky1": ("LeftHand", (8, 0, -4)),
    "RightShoulder": ("Spine2", (-5, 10, 0)), "RightArm": ("RightShoulder", (-12, 0, 0)),
    "RightForeArm": ("RightArm", (-27, 0, 0)), "RightHand": ("RightForeArm", (-25, 0, 0)),
    "Neck": ("Spine2", (0, 15, 0)), "Head": ("Neck", (0, 10, 1)),
}  # fmt: skip
CMU = {
    "Hips": (None, (0, 0, 0)),
    "LHipJoint": ("Hips", (0, 0, 0)), "LeftUpLeg": ("LHipJoint", (1.4, -1.7, 0.8)),
    "LeftLeg": ("LeftUpLeg", (2.6, -7.1, 0)), "LeftFoot": ("LeftLeg", (2.5, -6.8, 0)),
    "RHipJoint": ("Hips", (0, 0, 0)), "RightUpLeg": ("RHipJoint", (-1.4, -1.7, 0.8)),
    "RightLeg": ("RightUpLeg", (-2.6, -7.1, 0)), "RightFoot": ("RightLeg", (-2.5, -6.8, 0)),
    "LowerBack": ("Hips", (0, 0, 0)), "Spine": ("LowerBack", (0, 2, 0)), "Spine1": ("Spine", (0, 2.1, 0)),
    "Neck": ("Spine1", (0, 0, 0)), "Neck1": ("Neck", (0, 1.7, 0.2)), "Head": ("Neck1", (0, 1.8, -0.2)),
    "LeftShoulder": ("Spine1", (0, 0, 0)), "LeftArm": ("LeftShoulder", (3.4, 1.2, -0.1)),
    "LeftForeArm": ("LeftArm", (4.9, 0, 0)), "LeftHand": ("LeftForeArm", (3.5, 0, 0)),
    "RightShoulder": ("Spine1", (0, 0, 0)), "RightArm": ("RightShoulder", (-3.4, 1.2, -0.1)),
    "RightForeArm": ("RightArm", (-4.9, 0, 0)), "RightHand": ("RightForeArm", (-3.5, 0, 0)),
}  # fmt: skip
BONES = [("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")]
SOURCE_BONES = [("Arm", "ForeArm"), ("ForeArm", "Hand"), ("UpLeg", "Leg"), ("Leg", "Foot")]


def write_bvh(path: Path, skeleton: dict, angles: np.ndarray, places: np.ndarray, order: str = "ZXY") -> Path:
    """``angles`` [frames, joints, 3] degrees in the order of the channels; ``places`` [frames, 3] of the hips."""
    lines = ["HIERARCHY"]

    def write(name: str, depth: int) -> list[str]:
        parent, offset = skeleton[name]
        pad = "  " * depth
        rotations = " ".join(f"{axis}rotation" for axis in order)
        channels = f"6 Xposition Yposition Zposition {rotations}" if parent is None else f"3 {rotations}"
        lines.extend([f"{pad}{'ROOT' if parent is None else 'JOINT'} {name}", pad + "{"])
        lines.extend([f"{pad}  OFFSET {' '.join(f'{x:.5f}' for x in offset)}", f"{pad}  CHANNELS {channels}"])
        children = [child for child, (above, _) in skeleton.items() if above == name]
        written = [name]
        for child in children:
            written += write(child, depth + 1)
        if not children:
            lines.extend([f"{pad}  End Site", pad + "  {", f"{pad}    OFFSET 0 1 0", pad + "  }"])
        lines.append(pad + "}")
        return written

    written = write(next(iter(skeleton)), 0)
    names = list(skeleton)
    lines += ["MOTION", f"Frames: {len(angles)}", "Frame Time: 0.0333333"]
    for frame, place in zip(angles, places):
        numbers = [*place, *(frame[names.index(name)].tolist() for name in written)]
        lines.append(" ".join(f"{x:.6f}" for x in np.hstack(numbers)))
    path.write_text("\n".join(lines) + "\n")
    return path


def posed(skeleton: dict, angles: np.ndarray, order: str) -> dict[str, np.ndarray]:
    """Places of the joints of one frame, by scipy (capital letters: turned axes one after another)."""
    turned, place = {}, {}
    for index, (name, (parent, offset)) in enumerate(skeleton.items()):
        own = Rotation.from_euler(order, angles[index], degrees=True)
        turned[name] = own if parent is None else turned[parent] * own
        place[name] = np.array(offset, float) if parent is None else place[parent] + turned[parent].apply(offset)
    return place


def our_joints(motion: Motion, body, frame: int) -> dict[str, np.ndarray]:
    named = motion.named(body.driven_joints, body.expression_names)
    joints = body.posed(body.template_joints, named.signal.pose[frame]).joints
    return dict(zip(body.joint_names, joints.numpy()))


def direction(place: dict, first: str, second: str) -> np.ndarray:
    way = place[second] - place[first]
    return way / np.linalg.norm(way)


def test_a_skeleton_built_like_ours_rests_at_rest(body, tmp_path: Path) -> None:
    place = dict(zip(body.joint_names, body.template_joints.numpy() @ OURS_FROM_Y_UP))
    smplx_of = {
        "Hips": "pelvis",
        "Spine": "spine1",
        "Spine1": "spine2",
        "Spine2": "spine3",
        "Neck": "neck",
        "Head": "head",
    }
    parts = {"Shoulder": "collar", "Arm": "shoulder", "ForeArm": "elbow", "Hand": "wrist", "UpLeg": "hip",
             "Leg": "knee", "Foot": "ankle", "HandThumb1": "thumb1", "HandIndex1": "index1", "HandIndex2": "index2",
             "HandMiddle1": "middle1", "HandPinky1": "pinky1"}  # fmt: skip
    for side in ("Left", "Right"):
        smplx_of |= {f"{side}{name}": f"{side.lower()}_{part}" for name, part in parts.items()}
    skeleton = {}
    for name, (parent, _) in T_POSE.items():
        if name == "LeftToeBase":
            continue
        own = place[OURS[smplx_of[name]]]
        above = None if parent is None else f"mixamorig:{parent}"
        skeleton[f"mixamorig:{name}"] = (above, own if parent is None else own - place[OURS[smplx_of[parent]]])
    still = np.zeros((2, len(skeleton), 3))
    motion = read_motion(write_bvh(tmp_path / "rest.bvh", skeleton, still, np.zeros((2, 3))))
    assert motion.signal.pose.joint_rotations.abs().max() < 1e-3
    assert motion.signal.pose.root_rotation.abs().max() < 1e-3
    assert motion.leg_length == pytest.approx(leg_length(body.joint_names, body.template_joints), abs=1e-3)
    assert motion.rate == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize(("skeleton", "order"), [(T_POSE, "ZXY"), (T_POSE, "XYZ"), (CMU, "ZYX")])
def test_limbs_point_where_the_sources_point(body, tmp_path: Path, skeleton, order) -> None:
    random = np.random.default_rng(0)
    angles = random.uniform(-50, 50, (4, len(skeleton), 3))
    angles[0] = 0
    path = write_bvh(tmp_path / "a.bvh", skeleton, angles, np.zeros((4, 3)), order)
    motion = read_motion(path)
    for frame in range(4):
        theirs, ours = posed(skeleton, angles[frame], order), our_joints(motion, body, frame)
        for side, s in (("Left", "left"), ("Right", "right")):
            for (one, other), (first, second) in zip(SOURCE_BONES, BONES, strict=True):
                way = OURS_FROM_Y_UP @ direction(theirs, side + one, side + other)
                np.testing.assert_allclose(direction(ours, OURS[f"{s}_{first}"], OURS[f"{s}_{second}"]), way, atol=1e-3)
    turned = rotation_vector_to_matrix(motion.signal.pose.root_rotation[1])
    own = OURS_FROM_Y_UP @ Rotation.from_euler(order, angles[1, 0], degrees=True).as_matrix() @ OURS_FROM_Y_UP.T
    np.testing.assert_allclose(turned, own, atol=1e-4)


def test_an_arm_turned_down_hangs_down_palm_inwards(body, tmp_path: Path) -> None:
    angles = np.zeros((1, len(T_POSE), 3))
    angles[0, list(T_POSE).index("LeftArm"), 0] = -90  # about Z, which points at the viewer
    ours = our_joints(read_motion(write_bvh(tmp_path / "a.bvh", T_POSE, angles, np.zeros((1, 3)))), body, 0)
    for bone in (("upperarm01.L", "lowerarm01.L"), ("lowerarm01.L", "wrist.L"), ("wrist.L", "finger3-1.L")):
        np.testing.assert_allclose(direction(ours, *bone), [0, 0, -1], atol=1e-3)
    assert direction(ours, "finger2-1.L", "finger5-1.L")[1] > 0.9  # index in front, little finger behind: palm inwards
    straight = direction(ours, "upperarm01.R", "lowerarm01.R")
    np.testing.assert_allclose(straight, [-1, 0, 0], atol=1e-3)


def test_the_way_of_the_hips_is_kept(tmp_path: Path) -> None:
    places = np.cumsum(np.random.default_rng(1).normal(0, 5, (6, 3)), axis=0)
    still = np.zeros((6, len(T_POSE), 3))
    way = read_motion(write_bvh(tmp_path / "a.bvh", T_POSE, still, places)).signal.pose.root_translation.numpy()
    np.testing.assert_allclose(way - way[:1], (places - places[:1]) @ OURS_FROM_Y_UP.T, atol=1e-3)


def test_files_with_z_upwards(body, tmp_path: Path) -> None:
    turned = {name: (parent, OURS_FROM_Y_UP @ np.array(offset, float)) for name, (parent, offset) in T_POSE.items()}
    still = np.zeros((1, len(T_POSE), 3))
    motion = read_motion(write_bvh(tmp_path / "z.bvh", turned, still, np.zeros((1, 3))), up="z")
    straight = read_motion(write_bvh(tmp_path / "y.bvh", T_POSE, still, np.zeros((1, 3))))
    torch.testing.assert_close(
        motion.signal.pose.joint_rotations, straight.signal.pose.joint_rotations, atol=1e-4, rtol=0
    )
    assert motion.signal.pose.root_rotation.abs().max() < 1e-4


def smplx_file(path: Path, poses: np.ndarray, trans: np.ndarray, /, **changed) -> Path:
    """As AMASS's ``*_stageii.npz``."""
    arrays = {
        "gender": np.array("neutral"), "surface_model_type": np.array("smplx"), "mocap_frame_rate": np.array(120.0),
        "mocap_time_length": np.array(len(poses) / 120), "trans": trans, "poses": poses, "betas": np.zeros(16),
        "num_betas": np.array(16), "root_orient": poses[:, :3], "pose_body": poses[:, 3:66],
        "pose_hand": poses[:, 75:], "pose_jaw": poses[:, 66:69], "pose_eye": poses[:, 69:75],
        "labels": np.array([{"a": 1}], dtype=object),
    }  # fmt: skip
    arrays |= changed
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


UPRIGHT = [math.pi / 2, 0, 0]


def test_smplx_at_rest_stands_in_a_t(body, tmp_path: Path) -> None:
    poses = np.zeros((3, 165))
    poses[:, :3] = UPRIGHT
    motion = read_motion(smplx_file(tmp_path / "t.npz", poses, np.zeros((3, 3))))
    assert motion.rate == pytest.approx(120)
    assert motion.signal.pose.root_rotation.abs().max() < 1e-5 and motion.signal.pose.gaze.abs().max() < 1e-6
    ours = our_joints(motion, body, 0)
    for side in ("left", "right"):
        for first, second in BONES:
            rest = np.array(REST[f"{side}_{second}"]) - np.array(REST[f"{side}_{first}"])
            way = OURS_FROM_Y_UP @ rest / np.linalg.norm(rest)
            np.testing.assert_allclose(
                direction(ours, OURS[f"{side}_{first}"], OURS[f"{side}_{second}"]), way, atol=1e-3
            )
    spine = [body.driven_joints.index(name) for name in ("spine05", "spine03", "spine01", "neck01", "head")]
    assert motion.signal.pose.joint_rotations[:, spine].abs().max() < 1e-5
    motion = read_motion(smplx_file(tmp_path / "y.npz", np.zeros((1, 165)), np.zeros((1, 3))), up="y")
    assert motion.signal.pose.root_rotation.abs().max() < 1e-5


@pytest.mark.parametrize("size", [165, 156, 72])
def test_smplx_limbs_turn_as_theirs(body, tmp_path: Path, size) -> None:
    poses = np.random.default_rng(2).normal(0, 0.4, (2, size))
    trans = np.array([[0.0, 0, 0.9], [1.0, -2.0, 1.1]])
    path = smplx_file(tmp_path / "a.npz", poses, trans, **dict.fromkeys(("root_orient", "pose_body", "pose_hand")))
    motion = read_motion(path)
    way = motion.signal.pose.root_translation
    np.testing.assert_allclose(way[1] - way[0], trans[1] - trans[0], atol=1e-5)
    chains = {
        "elbow": ("pelvis", "spine1", "spine2", "spine3", "S_collar", "S_shoulder", "S_elbow"),
        "knee": ("pelvis", "S_hip", "S_knee"),
    }
    for frame in range(2):
        ours = our_joints(motion, body, frame)
        for side in ("left", "right"):
            for last, (first, second) in {"elbow": ("elbow", "wrist"), "knee": ("knee", "ankle")}.items():
                turn = Rotation.identity()
                for name in chains[last]:
                    at = 3 * JOINTS.index(name.replace("S", side))
                    turn = turn * Rotation.from_rotvec(poses[frame, at : at + 3])
                rest = np.array(REST[f"{side}_{second}"]) - np.array(REST[f"{side}_{first}"])
                bone = direction(ours, OURS[f"{side}_{first}"], OURS[f"{side}_{second}"])
                np.testing.assert_allclose(bone, turn.apply(rest / np.linalg.norm(rest)), atol=1e-3)


def test_smplx_jaw_and_eyes(tmp_path: Path) -> None:
    poses = np.zeros((1, 165))
    poses[0, 66], poses[0, 69:75] = 0.25, [-0.2, 0.0, 0.0, 0.0, 0.3, 0.0]
    motion = read_motion(smplx_file(tmp_path / "a.npz", poses, np.zeros((1, 3))))
    assert motion.expressions == ("jawOpen",) and float(motion.signal.expression) == pytest.approx(0.5)
    expected = torch.tensor([[0.0, 0.2], [0.3, 0.0]])  # left eye up, right eye to the person's left
    torch.testing.assert_close(motion.signal.pose.gaze[0], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 3], "not a whole .bvh"),
        (lambda text: text[:-40], "promised"),
        (lambda text: text.replace("HIERARCHY", "HELLO", 1), "begin with HIERARCHY"),
        (lambda text: text.replace("Zrotation", "Wrotation", 1), "no channel Wrotation"),
        (lambda text: text.replace("Frame Time: 0.0333333", "Frame Time: -1"), "frame time"),
        (lambda text: text.replace("LeftUpLeg", "femur.l"), "left_hip"),
        (lambda text: text.replace("Frames: 2", "Frames: two"), "not a whole .bvh"),
    ],
)
def test_bad_bvh_files_give_one_message(tmp_path: Path, change, message) -> None:
    path = write_bvh(tmp_path / "a.bvh", T_POSE, np.zeros((2, len(T_POSE), 3)), np.zeros((2, 3)))
    path.write_text(change(path.read_text()))
    with pytest.raises(UserError, match=message):
        read_motion(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": np.zeros((2, 100))}, "165"),
        ({"trans": np.zeros((3, 3))}, "trans"),
        ({"mocap_frame_rate": None}, "mocap_frame_rate"),
        ({"trans": np.full((2, 3), np.nan)}, "not finite"),
    ],
)
def test_bad_smplx_files_give_one_message(tmp_path: Path, change, message) -> None:
    path = smplx_file(tmp_path / "a.npz", np.zeros((2, 165)), np.zeros((2, 3)), **change)
    with pytest.raises(UserError, match=message):
        read_motion(path)


def test_smallest_turns() -> None:
    random = torch.Generator().manual_seed(0)
    for _ in range(10):
        a, b = (torch.nn.functional.normalize(torch.randn(3, generator=random), dim=0) for _ in range(2))
        turn = smallest_turn(a, b)
        torch.testing.assert_close(turn @ a, b, atol=1e-5, rtol=0)
        torch.testing.assert_close(turn.T @ turn, torch.eye(3), atol=1e-5, rtol=0)
        across = torch.linalg.cross(a, b)
        torch.testing.assert_close(turn @ across, across, atol=1e-5, rtol=0)
    axis = torch.tensor([0.0, 0.6, 0.8])
    torch.testing.assert_close(smallest_turn(axis, -axis) @ axis, -axis, atol=1e-5, rtol=0)
