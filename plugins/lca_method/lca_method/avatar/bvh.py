"""Motions in BVH (Biovision hierarchy), with the joint names of Mixamo or of the CMU captures.

Angles are in degrees; a joint's rotation is the product of its channels in the order in which they are listed. The rest
pose is the one of all angles zero.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from lca_method.avatar.motion import Motion
from lca_method.avatar.skeleton_motion import SkeletonMotion, below, carried_over, standing
from lca_shared.errors import UserError
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

Up = Literal["y", "z"]
_AXES = {"X": 0, "Y": 1, "Z": 2}
_LIMBS = {
    "UpLeg": "hip",
    "Leg": "knee",
    "Foot": "ankle",
    "ToeBase": "foot",
    "Shoulder": "collar",
    "Arm": "shoulder",
    "ForeArm": "elbow",
    "Hand": "wrist",
    **{
        f"Hand{finger}{part}": f"{finger.lower()}{part}"
        for finger in ("Thumb", "Index", "Middle", "Ring", "Pinky")
        for part in (1, 2, 3, 4)
    },
}
_NAMED = {f"{side}{name}": f"{side.lower()}_{part}" for side in ("Left", "Right") for name, part in _LIMBS.items()}
_NEEDED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee")


@dataclass
class BvhJoint:
    """A joint of the hierarchy."""

    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bvh:
    """A file as it stands."""

    joints: list[BvhJoint]
    values: np.ndarray
    """[frames, channels]"""
    frame_time: float
    """Seconds."""


def read_bvh_motion(path: Path, up: Up = "y") -> Motion:
    """A motion from a ``.bvh`` file.

    Args:
        path: of the file.
        up: which of its axes points upwards.

    Raises:
        UserError: it is no such file, is cut off, or its joints have other names.
    """
    bvh = read_bvh(path)
    names = smplx_names([joint.name for joint in bvh.joints], [joint.parent for joint in bvh.joints])
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        some = ", ".join(joint.name for joint in bvh.joints[:6])
        raise UserError(
            f"{path}: no joint for {', '.join(missing)} among {some} ... Joints should be called as Mixamo or the CMU "
            "captures call them (Hips, LeftUpLeg, LeftLeg ...)."
        )
    parents = [joint.parent for joint in bvh.joints]
    local, root = _channels(bvh)
    world = below([str(index) for index in range(len(parents))], parents, local)
    rest = _rest(bvh.joints)
    upwards = torch.eye(3)[{"y": 1, "z": 2}[up]]
    places = {name: rest[index] for name, index in names.items()}
    ours = standing(places, upwards)
    rotations = {name: world[str(index)] for name, index in names.items()}
    times = torch.arange(len(bvh.values), dtype=torch.float64) * bvh.frame_time
    return carried_over(SkeletonMotion(places, rotations, root, times, ours, ours))


def smplx_names(names: Sequence[str], parents: Sequence[int]) -> dict[str, int]:
    """Joints' indices by SMPL-X's names, from Mixamo's or CMU's; what lies between hips and neck is the spine.

    Prefixes such as ``mixamorig:`` are left out.
    """
    plain = [re.sub(r"^(.*:|mixamorig\d*_?)", "", name) for name in names]
    found = {_NAMED[name]: index for index, name in enumerate(plain) if name in _NAMED}
    found |= {"pelvis": 0} if plain[0].lower() in ("hips", "hip", "pelvis") else {}
    if "Head" not in plain:
        return found
    found["head"] = plain.index("Head")
    chain = []  # from the head down to the hips
    index = parents[found["head"]]
    while index > 0:
        chain.append(index)
        index = parents[index]
    necks = [index for index in chain if plain[index].startswith("Neck")]
    spine = [index for index in reversed(chain) if index not in necks]
    if necks:
        found["neck"] = necks[0]
    if spine:
        found["spine3"] = spine[-1]
    if len(spine) > 1:
        found["spine1"] = spine[0]
    if len(spine) > 2:
        found["spine2"] = spine[len(spine) // 2]
    return found


def read_bvh(path: Path) -> Bvh:
    """Read hierarchy and frames.

    Raises:
        UserError: it is no such file, or is cut off.
    """
    try:
        words = path.read_text(encoding="utf-8", errors="replace").split()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
    try:
        joints, place = _hierarchy(words)
        count, seconds, place = _header(words, place)
        channels = sum(len(joint.channels) for joint in joints)
        values = np.array(words[place:], np.float32)
    except (IndexError, ValueError, KeyError) as error:
        raise UserError(f"{path} is not a whole .bvh file ({error}).") from error
    if count < 1 or channels == 0 or len(values) != count * channels:
        raise UserError(f"{path} holds {len(values)} numbers; {count} frames of {channels} channels are promised.")
    if not np.isfinite(values).all() or not 0 < seconds < 10:
        raise UserError(f"{path} holds values that are not finite, or a frame time of {seconds} s.")
    return Bvh(joints, values.reshape(count, channels), seconds)


def _hierarchy(words: Sequence[str]) -> tuple[list[BvhJoint], int]:
    if not words or words[0].upper() != "HIERARCHY":
        raise ValueError("it does not begin with HIERARCHY")
    joints: list[BvhJoint] = []
    open_joints: list[int | None] = []  # None = an end site
    place = 1
    while words[place].upper() != "MOTION":
        word = words[place].upper()
        if word in ("ROOT", "JOINT", "END"):
            parent = next((index for index in reversed(open_joints) if index is not None), -1)
            brace = words.index("{", place)
            if word != "END":
                joints.append(BvhJoint(" ".join(words[place + 1 : brace]), parent))
            open_joints.append(None if word == "END" else len(joints) - 1)
            place = brace + 1
        elif word == "OFFSET":
            x, y, z = (float(number) for number in words[place + 1 : place + 4])
            if (index := open_joints[-1]) is not None:
                joints[index].offset = (x, y, z)
            place += 4
        elif word == "CHANNELS":
            count = int(words[place + 1])
            channels = words[place + 2 : place + 2 + count]
            for channel in channels:
                if channel[0] not in _AXES or channel[1:] not in ("position", "rotation"):
                    raise ValueError(f"there is no channel {channel}")
            joints[open_joints[-1] or 0].channels = list(channels)
            place += 2 + count
        elif word == "}":
            open_joints.pop()
            place += 1
        else:
            raise ValueError(f"{words[place]!r} is not known")
    if open_joints or not joints or [joint.parent for joint in joints].count(-1) != 1:
        raise ValueError("the hierarchy is not one tree")
    return joints, place + 1


def _header(words: Sequence[str], place: int) -> tuple[int, float, int]:
    if words[place] != "Frames:" or words[place + 2 : place + 4] != ["Frame", "Time:"]:
        raise ValueError("Frames: and Frame Time: are missing")
    return int(words[place + 1]), float(words[place + 4]), place + 5


def _channels(bvh: Bvh) -> tuple[Float[Tensor, "frames joints 3 3"], Float[Tensor, "frames 3"]]:
    """Each joint's own rotation, and the root's place."""
    frames = len(bvh.values)
    values = torch.from_numpy(bvh.values)
    rotations = torch.eye(3).repeat(frames, len(bvh.joints), 1, 1)
    root = torch.zeros(frames, 3)
    column = 0
    for index, joint in enumerate(bvh.joints):
        for channel in joint.channels:
            axis, numbers = _AXES[channel[0]], values[:, column]
            if channel.endswith("rotation"):
                vector = torch.zeros(frames, 3)
                vector[:, axis] = numbers.deg2rad()
                rotations[:, index] = rotations[:, index] @ rotation_vector_to_matrix(vector)
            elif index == 0:
                root[:, axis] = numbers
            column += 1
    return rotations, root


def _rest(joints: Sequence[BvhJoint]) -> list[Tensor]:
    places: list[Tensor] = []
    for joint in joints:
        own = torch.tensor(joint.offset)
        places.append(own if joint.parent < 0 else places[joint.parent] + own)
    return places
