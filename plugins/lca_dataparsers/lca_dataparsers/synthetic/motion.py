"""Plausible random motion: anatomical angles by key pose, eased over time, turned into a ``BodyPose``.

Angles are radians. ``abduct`` of an arm is 0 when it hangs, pi/2 in a T pose; ``flex`` swings an arm or a thigh
forward; elbows and knees are 0 when straight. Limits keep every angle within what people can do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from lca_dataparsers.synthetic.noise import keyframed, smooth_signal
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose

SIDES = ("L", "R")
_ARM = ("abduct", "arm_flex", "arm_twist", "elbow", "forearm_twist", "wrist", "curl_thumb", "curl_index", "curl")
_LEG = ("leg_abduct", "leg_flex", "leg_twist", "knee")
_TRUNK = ("bend", "lean", "twist", "head_pitch", "head_yaw", "head_roll")
CHANNELS = _TRUNK + tuple(f"{name}.{side}" for side in SIDES for name in _ARM + _LEG)
"""Names of the anatomical angles, in the order of the motion arrays."""

LIMITS: dict[str, tuple[float, float]] = {
    "bend": (-0.3, 1.0),
    "lean": (-0.45, 0.45),
    "twist": (-0.7, 0.7),
    "head_pitch": (-0.5, 0.6),
    "head_yaw": (-1.0, 1.0),
    "head_roll": (-0.4, 0.4),
    "abduct": (0.12, 2.6),
    "arm_flex": (-0.7, 2.6),
    "arm_twist": (-1.0, 1.0),
    "elbow": (0.08, 2.3),
    "forearm_twist": (-0.9, 0.9),
    "wrist": (-0.6, 0.6),
    "curl_thumb": (-0.1, 0.8),
    "curl_index": (-0.1, 1.4),
    "curl": (-0.1, 1.4),
    "leg_abduct": (-0.1, 0.7),
    "leg_flex": (-0.5, 1.7),
    "leg_twist": (-0.4, 0.5),
    "knee": (0.0, 2.2),
}
"""Lowest and highest value of each angle, radians."""

_REST = {"abduct": 0.25, "elbow": 0.25, "curl_thumb": 0.2, "curl_index": 0.25, "curl": 0.35, "leg_abduct": 0.06}
_BOTH_ACTIONS: dict[str, dict[str, float]] = {
    "stand": {},
    "a_pose": {"abduct": 0.7, "elbow": 0.15, "leg_abduct": 0.15, "curl": 0.1, "curl_index": 0.1},
    "t_pose": {"abduct": 1.5, "elbow": 0.1, "curl": 0.05, "curl_index": 0.05, "leg_abduct": 0.2},
    "arms_up": {"abduct": 2.4, "elbow": 0.4, "curl": 0.1},
    "cactus": {"abduct": 1.45, "elbow": 1.6, "arm_twist": -0.9, "curl": 0.2},
    "reach": {"arm_flex": 1.4, "abduct": 0.2, "elbow": 0.3, "curl": 0.2, "bend": 0.1},
    "hips": {"abduct": 0.85, "elbow": 1.75, "arm_twist": 0.75, "curl": 0.6, "wrist": 0.3, "leg_abduct": 0.2},
    "guard": {"arm_flex": 0.7, "abduct": 0.35, "elbow": 2.0, "curl": 1.2, "curl_index": 1.2, "leg_abduct": 0.2},
    "squat": {"leg_flex": 1.3, "knee": 1.75, "leg_abduct": 0.3, "bend": 0.4, "arm_flex": 1.2, "elbow": 0.3},
    "sit": {"leg_flex": 1.45, "knee": 1.5, "leg_abduct": 0.15, "arm_flex": 0.35, "elbow": 1.1, "bend": 0.1},
    "bow": {"bend": 0.9, "leg_flex": 0.35, "arm_flex": 0.5, "elbow": 0.4, "head_pitch": -0.1},
    "shrug": {"abduct": 0.55, "elbow": 1.5, "forearm_twist": -0.8, "curl": 0.1, "curl_index": 0.1, "head_roll": 0.15},
}
_SIDE_ACTIONS: dict[str, dict[str, float]] = {
    "wave": {"abduct": 1.6, "elbow": 1.7, "arm_twist": -0.9, "curl": 0.0, "curl_index": 0.0, "curl_thumb": -0.1},
    "point": {"arm_flex": 1.3, "abduct": 0.4, "elbow": 0.15, "curl": 1.3, "curl_index": 0.0, "curl_thumb": 0.6},
    "phone": {"arm_flex": 0.8, "abduct": 0.3, "elbow": 2.1, "curl": 0.9, "curl_index": 0.8},
    "side_reach": {"abduct": 2.2, "elbow": 0.3, "curl": 0.1},
    "knee_up": {"leg_flex": 1.4, "knee": 1.7},
    "step": {"leg_flex": 0.6, "knee": 0.7},
    "kick_back": {"leg_flex": -0.3, "knee": 1.2},
}


@dataclass(frozen=True)
class Motion:
    """Poses over time, with the root at the rest height (feet are put on the floor by the caller)."""

    pose: BodyPose
    """Batch shape [frames]; gaze zero."""
    yaw: np.ndarray
    """[frames] heading, radians about +Z; 0 = facing -Y."""


def random_angles(random: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Anatomical angles [frames, channels] of a random motion through key poses about 1.5 s apart."""
    duration = float(times[-1] - times[0]) + 1e-3
    count = max(2, int(np.ceil(duration / random.uniform(1.1, 1.8))) + 1)
    keys = np.stack([key_pose(random) for _ in range(count)])
    angles = keyframed(times, times[0] + np.linspace(0, duration, count), keys)
    if random.random() < 0.4:
        angles += _walk_cycle(random, times)
    for column in range(len(CHANNELS)):
        angles[:, column] += smooth_signal(random, times, 2.5, 0.05)
    return within_limits(angles)


def random_motion(random: np.random.Generator, body: CompactBody, times: np.ndarray) -> Motion:
    """A random motion with a heading that turns; see :func:`random_angles`."""
    angles = random_angles(random, times)
    duration = max(float(times[-1] - times[0]), 1e-3)
    turn = random.uniform(0.3, 2.0) * np.pi * random.choice([-1.0, 1.0])
    start = random.normal(0, 0.6) if abs(turn) < np.pi else random.uniform(-np.pi, np.pi)
    yaw = start + turn * (times - times[0]) / duration + smooth_signal(random, times, 4.0, 0.15)
    drift = np.stack([smooth_signal(random, times, 6.0, 0.12) for _ in range(2)], axis=-1)
    return Motion(angles_to_pose(body, angles, yaw, drift), yaw)


def angles_to_pose(body: CompactBody, angles: np.ndarray, yaw: np.ndarray, drift: np.ndarray) -> BodyPose:
    """Turn anatomical angles into joint rotations.

    Args:
        body: gives the rest skeleton (arms' and fingers' hinge axes are read from it).
        angles: [frames, channels] of :data:`CHANNELS`.
        yaw: [frames] heading, radians.
        drift: [frames, 2] root position on the floor, metres.
    """
    frames = len(angles)
    channel = {name: angles[:, index] for index, name in enumerate(CHANNELS)}
    vectors = np.zeros((frames, len(body.driven_joints), 3))

    def put(joint: str, *rotations: tuple[np.ndarray, np.ndarray]) -> None:
        total = Rotation.identity(frames)
        for axis, angle in rotations:
            total = total * Rotation.from_rotvec(axis * angle[:, None])
        vectors[:, body.driven_joints.index(joint)] = total.as_rotvec()

    x, y, z = np.eye(3)
    for joint in ("spine05", "spine03", "spine01"):
        put(joint, (z, channel["twist"] / 3), (x, channel["bend"] / 3), (y, channel["lean"] / 3))
    for joint, share in (("neck01", 0.4), ("head", 0.6)):
        put(
            joint,
            (z, channel["head_yaw"] * share),
            (x, channel["head_pitch"] * share),
            (y, channel["head_roll"] * share),
        )
    for side, sign in (("L", 1.0), ("R", -1.0)):
        arm = _arm_axes(body, side)
        get = {name: channel[f"{name}.{side}"] for name in _ARM + _LEG}
        put(f"clavicle.{side}", (y, -sign * 0.3 * np.maximum(get["abduct"] - 1.2, 0.0)))
        put(
            f"upperarm01.{side}",
            (x, -get["arm_flex"]),
            (y, -sign * (get["abduct"] - arm.rest_abduction)),
            (arm.upper, -sign * get["arm_twist"]),
        )
        put(f"lowerarm01.{side}", (arm.hinge, get["elbow"] - arm.rest_flexion))
        put(f"lowerarm02.{side}", (arm.fore, sign * get["forearm_twist"]))
        put(f"wrist.{side}", (arm.knuckles, get["wrist"]))
        for finger, name in ((1, "curl_thumb"), (2, "curl_index"), (3, "curl"), (4, "curl"), (5, "curl")):
            axis = arm.thumb if finger == 1 else arm.knuckles
            for joint, share in ((1, 0.6 if finger > 1 else 0.3), (2, 0.9), (3, 0.6)):
                put(f"finger{finger}-{joint}.{side}", (axis, get[name] * share - 0.12))
        put(
            f"upperleg01.{side}",
            (x, -get["leg_flex"]),
            (y, -sign * (get["leg_abduct"] - 0.09)),
            (z, sign * get["leg_twist"]),
        )
        put(f"lowerleg01.{side}", (x, get["knee"]))
        flat = get["leg_flex"] - get["knee"]
        put(f"foot.{side}", (x, np.clip(flat, -0.45, 0.6)))
    root = Rotation.from_rotvec(np.array([0, 0, 1.0]) * yaw[:, None])
    translation = np.concatenate([drift, np.zeros((frames, 1))], axis=1)
    return BodyPose(
        torch.from_numpy(vectors).float(),
        torch.from_numpy(root.as_rotvec()).float(),
        torch.from_numpy(translation).float(),
        torch.zeros(frames, 2, 2),
    )


@dataclass(frozen=True)
class _ArmAxes:
    upper: np.ndarray
    fore: np.ndarray
    hinge: np.ndarray
    knuckles: np.ndarray
    thumb: np.ndarray
    rest_abduction: float
    rest_flexion: float


def _arm_axes(body: CompactBody, side: str) -> _ArmAxes:
    at = {name: body.template_joints[i].double().numpy() for i, name in enumerate(body.joint_names)}

    def direction(start: str, end: str) -> np.ndarray:
        return _unit(at[f"{end}.{side}"] - at[f"{start}.{side}"])

    upper, fore = direction("upperarm01", "lowerarm01"), direction("lowerarm01", "wrist")
    knuckles = direction("finger5-1", "finger2-1")
    finger, tip = direction("finger3-1", "finger3-2"), direction("finger3-2", "finger3-3")
    if np.dot(knuckles, np.cross(finger, tip)) < 0:
        knuckles = -knuckles
    thumb = _unit(np.cross(direction("finger1-1", "finger1-2"), direction("finger1-2", "finger3-1")))
    return _ArmAxes(
        upper,
        fore,
        _unit(np.cross(upper, fore)),
        knuckles,
        thumb,
        float(np.arctan2(abs(upper[0]), -upper[2])),
        float(np.arccos(np.dot(upper, fore))),
    )


def key_pose(
    random: np.random.Generator,
    actions: Sequence[str] = tuple(_BOTH_ACTIONS),
    side_actions: Sequence[str] = tuple(_SIDE_ACTIONS),
) -> np.ndarray:
    """A random pose, [channels] angles, made of one of ``actions`` and sometimes one of ``side_actions``."""
    values = {name: _REST.get(name.split(".")[0], 0.0) for name in CHANNELS}
    action = random.choice(list(actions))
    strength = random.uniform(0.8, 1.05)
    for name, value in _BOTH_ACTIONS[action].items():
        for channel in [name] if name in values else [f"{name}.{side}" for side in SIDES]:
            values[channel] += strength * (value - values[channel])
    if random.random() < 0.6 and side_actions:
        side = random.choice(SIDES)
        extra = random.choice(list(side_actions))
        if action not in ("squat", "sit") or "leg" not in "".join(_SIDE_ACTIONS[extra]):
            for name, value in _SIDE_ACTIONS[extra].items():
                values[f"{name}.{side}"] = value
    spread = {"bend": 0.08, "lean": 0.1, "twist": 0.25, "head_pitch": 0.15, "head_yaw": 0.35, "head_roll": 0.1}
    for name in CHANNELS:
        values[name] += random.normal(0, spread.get(name, 0.08))
    return np.array([values[name] for name in CHANNELS])


def _walk_cycle(random: np.random.Generator, times: np.ndarray) -> np.ndarray:
    angles = np.zeros((len(times), len(CHANNELS)))
    phase = 2 * np.pi * times * random.uniform(0.7, 1.0) + random.uniform(0, 2 * np.pi)
    stride = random.uniform(0.25, 0.45)
    for side, shift in (("L", 0.0), ("R", np.pi)):
        swing = np.sin(phase + shift)
        angles[:, CHANNELS.index(f"leg_flex.{side}")] = stride * swing + 0.05
        angles[:, CHANNELS.index(f"knee.{side}")] = 0.5 * stride + stride * np.maximum(np.cos(phase + shift), 0.0) * 1.6
        angles[:, CHANNELS.index(f"arm_flex.{side}")] = -0.8 * stride * swing
    angles[:, CHANNELS.index("twist")] = 0.12 * np.sin(phase)
    return angles


def within_limits(angles: np.ndarray) -> np.ndarray:
    """Angles [frames, channels], each within :data:`LIMITS`."""
    limits = np.array([LIMITS[name.split(".")[0]] for name in CHANNELS])
    return np.clip(angles, limits[:, 0], limits[:, 1])


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)
