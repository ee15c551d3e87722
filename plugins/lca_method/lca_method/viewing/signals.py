"""From what a panel shows to a driving signal."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch

from lca_method.batch import DrivingSignal
from lca_method.pose_sliders import slider_driving
from lca_method.viewing.light_state import LightState
from lca_method.viewing.modes import Mode
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel
from lca_shared.tensors import Float, Tensor

Shown = Literal["posed", "canonical", "reference"]
"""As asked for, at rest, or as in a reference picture."""


@dataclass
class PanelState:
    """Values of the controls; all at rest to begin with."""

    sliders: dict[str, float] = field(default_factory=dict)
    """``lca_method.pose_sliders`` by key: degrees."""
    joints: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    """Rotation vectors by driven joint, degrees, added to the sliders'."""
    expression: dict[str, float] = field(default_factory=dict)
    """Coefficients by name."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Yaw and pitch of both eyes, degrees."""
    curl: dict[str, float] = field(default_factory=dict)
    """Degrees by which the fingers of a side (``L``, ``R``) bend."""
    mode: Mode = "rgb"
    """What pictures show."""
    shown: Shown = "posed"
    corrected: bool = True
    """With what the network adds for the pose."""
    skinning: bool = False
    """In the colours of the joints that carry it, with the nodes of loose garments."""
    moving: bool = False
    """A motion moves the avatar, not the controls above."""
    playing: bool = False
    time: float = 0.0
    """Place in the motion, seconds."""
    speed: float = 1.0
    live: dict[str, bool] = field(default_factory=dict)
    """Which live sources may drive, by name."""
    light: LightState = field(default_factory=LightState)
    """Of relightable avatars."""


def signal_of(state: PanelState, body: CompactBody | BodyModel) -> DrivingSignal:
    """One frame, ``[1, ...]``, on the CPU. The page may change ``state`` meanwhile: copies are read."""
    signal = slider_driving(body, dict(state.sliders))
    rotations, gaze = signal.pose.joint_rotations.clone(), signal.pose.gaze
    for joint, turn in dict(state.joints).items():
        rotations[0, body.driven_joints.index(joint)] += torch.tensor([math.radians(angle) for angle in turn])
    for side, angle in dict(state.curl).items():
        for joint, axis in finger_axes(body, side).items():
            rotations[0, body.driven_joints.index(joint)] += math.radians(angle) * axis
    expression = signal.expression.clone()
    for name, value in dict(state.expression).items():
        expression[0, body.expression_names.index(name)] += value
    looked = torch.tensor([math.radians(angle) for angle in state.gaze])
    pose = replace(signal.pose, joint_rotations=rotations, gaze=gaze + looked)
    return replace(signal, pose=pose, expression=expression)


def finger_axes(body: CompactBody | BodyModel, side: str) -> Mapping[str, Float[Tensor, "3"]]:
    """Unit axes about which the fingers of a side bend into the palm, the thumb left out."""
    names = [name for name in body.driven_joints if re.fullmatch(rf"finger[2-5]-\d\.{side}", name)]
    place = dict(zip(body.joint_names, body.template_joints.cpu()))
    knuckle, tip, wrist = f"finger3-1.{side}", f"finger3-3.{side}", f"wrist.{side}"
    if not names or any(name not in place for name in (knuckle, tip, wrist)):
        return {}
    along = torch.nn.functional.normalize(place[knuckle] - place[wrist], dim=0)
    curl = place[tip] - place[knuckle]  # at rest fingers are bent a little already
    axis = torch.linalg.cross(along, curl)
    return dict.fromkeys(names, torch.nn.functional.normalize(axis, dim=0))
