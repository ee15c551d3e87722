"""A body posed by a few sliders: what a viewer offers when there is no recording to play."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from lca_method.batch import DrivingSignal
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel, BodyPose
from lca_shared.tensors import Float, Tensor

Direction = tuple[float, float, float]
LEFT, BACK, UP = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
FRONT: Direction = (0.0, -1.0, 0.0)


@dataclass(frozen=True)
class Turn:
    """A joint turned about an axis of the world (rest pose)."""

    joint: str
    axis: Direction
    share: float = 1.0
    """Of the slider's angle."""


@dataclass(frozen=True)
class Bend:
    """A joint bent so that the bone from it to ``child`` swings towards a direction of the world (rest pose)."""

    joint: str
    child: str
    towards: Direction


@dataclass(frozen=True)
class PoseSlider:
    """One slider: an angle in degrees, or a strength without unit for expressions."""

    key: str
    label: str
    minimum: float
    maximum: float
    joints: tuple[Turn | Bend, ...] = ()
    expressions: tuple[str, ...] = ()
    """Coefficients set to the slider's value."""
    gaze: tuple[float, float] = (0.0, 0.0)
    """Shares of the slider's angle in both eyes' (yaw, pitch)."""

    @property
    def step(self) -> float:
        """Between positions."""
        return 0.05 if self.expressions else 1.0


def _both_sides(key: str, label: str, low: float, high: float, joint: str, child: str, towards: Direction):
    return tuple(
        PoseSlider(
            f"{side}_{key}", f"{side.capitalize()} {label}", low, high, (Bend(f"{joint}.{s}", f"{child}.{s}", towards),)
        )
        for side, s in (("left", "L"), ("right", "R"))
    )


POSE_SLIDERS: tuple[PoseSlider, ...] = (
    PoseSlider("head_yaw", "Head yaw", -70.0, 70.0, (Turn("neck01", UP, 0.3), Turn("head", UP, 0.7))),
    PoseSlider("head_pitch", "Head pitch", -40.0, 40.0, (Turn("neck01", LEFT, -0.3), Turn("head", LEFT, -0.7))),
    PoseSlider("jaw_open", "Jaw open", 0.0, 1.0, expressions=("jawOpen",)),
    PoseSlider("smile", "Smile", 0.0, 1.0, expressions=("mouthSmileLeft", "mouthSmileRight")),
    PoseSlider("blink", "Blink", 0.0, 1.0, expressions=("eyeBlinkLeft", "eyeBlinkRight")),
    PoseSlider("gaze_yaw", "Gaze yaw", -35.0, 35.0, gaze=(1.0, 0.0)),
    PoseSlider("gaze_pitch", "Gaze pitch", -25.0, 25.0, gaze=(0.0, 1.0)),
    PoseSlider("torso_twist", "Torso twist", -45.0, 45.0, (Turn("spine03", UP, 0.5), Turn("spine01", UP, 0.5))),
    *_both_sides("arm", "arm up", -45.0, 120.0, "upperarm01", "lowerarm01", UP),
    *_both_sides("elbow", "elbow", -40.0, 100.0, "lowerarm01", "wrist", FRONT),
    *_both_sides("leg", "leg forward", -20.0, 90.0, "upperleg01", "lowerleg01", FRONT),
    *_both_sides("knee", "knee", 0.0, 130.0, "lowerleg01", "foot", BACK),
)
"""In the order in which a viewer shows them. Joint names are Anny's; see :func:`usable_sliders` for other bodies."""


def usable_sliders(body: BodyModel | CompactBody) -> tuple[PoseSlider, ...]:
    """The sliders whose joints and expressions ``body`` has."""
    expressions = set(body.expression_names)

    def usable(slider: PoseSlider) -> bool:
        joints = all(part.joint in body.driven_joints for part in slider.joints)
        children = all(part.child in body.joint_names for part in slider.joints if isinstance(part, Bend))
        return joints and children and expressions.issuperset(slider.expressions)

    return tuple(slider for slider in POSE_SLIDERS if usable(slider))


def slider_driving(
    body: BodyModel | CompactBody,
    values: Mapping[str, float],
    root_rotation: Float[Tensor, "3"] | None = None,
    root_translation: Float[Tensor, "3"] | None = None,
) -> DrivingSignal:
    """The driving signal of one frame, ``[1, ...]``, from slider values by key (absent ones are 0).

    Args:
        body: whose joints are turned.
        values: degrees, or strengths for expressions.
        root_rotation: where the body faces, rotation vector in radians; at rest if None.
        root_translation: where it stands, metres; at rest if None.

    Raises:
        KeyError: a value names no slider that this body can use.
    """
    sliders = {slider.key: slider for slider in usable_sliders(body)}
    rest = BodyPose.rest(len(body.driven_joints), (1,))
    joints, gaze = rest.joint_rotations, rest.gaze
    expression = torch.zeros(1, len(body.expression_names))
    for key, value in values.items():
        slider = sliders[key]
        angle = math.radians(value)
        for part in slider.joints:
            # Several sliders may turn one joint: rotation vectors add, which is exact about one axis.
            joints[0, body.driven_joints.index(part.joint)] += _axis(body, part) * angle
        for name in slider.expressions:
            expression[0, body.expression_names.index(name)] = value
        gaze = gaze + angle * torch.tensor(slider.gaze)
    pose = BodyPose(
        joints,
        rest.root_rotation if root_rotation is None else root_rotation[None],
        rest.root_translation if root_translation is None else root_translation[None],
        gaze,
    )
    return DrivingSignal(pose, expression)


def _axis(body: BodyModel | CompactBody, part: Turn | Bend) -> Float[Tensor, "3"]:
    if isinstance(part, Turn):
        return torch.tensor(part.axis) * part.share
    joints = body.template_joints.cpu()
    bone = joints[body.joint_names.index(part.child)] - joints[body.joint_names.index(part.joint)]
    return torch.nn.functional.normalize(torch.linalg.cross(bone, torch.tensor(part.towards)), dim=0)
