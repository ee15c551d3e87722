"""How people's joints bend: an anatomical frame, limits and a stiffness for each driven joint.

A joint's rotation vector is read along three axes of its rest pose: *hinge* (positive bends a limb the usual way),
*bone* (twist) and *across* (sideways). Angles are relative to the rest pose, in which elbows are bent by 40 degrees.
"""

from dataclasses import dataclass, replace

import torch

from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Bool, Float, Tensor

Range = tuple[float, float]


@dataclass(frozen=True)
class JointKind:
    """What joints of one kind can do; radians from rest along hinge, bone, across."""

    child: str | None
    """The joint that the bone points to; None for an upright bone."""
    hinge: Range
    bone: Range
    across: Range
    stiffness: tuple[float, float, float]
    """Weight of the squared angle in the pose prior."""
    free: tuple[bool, bool, bool] = (True, True, True)
    """Axes that are fitted at all."""


TWIST = 0.5
"""Stiffness of a forearm's whole twist; the three joints that carry it share it 30 : 50 : 20, as the skin does."""
KINDS: dict[str, JointKind] = {
    "spine05": JointKind(None, (-0.35, 0.6), (-0.5, 0.5), (-0.4, 0.4), (8.0, 8.0, 8.0)),
    "spine03": JointKind(None, (-0.35, 0.6), (-0.5, 0.5), (-0.4, 0.4), (8.0, 8.0, 8.0)),
    "spine01": JointKind(None, (-0.35, 0.6), (-0.5, 0.5), (-0.4, 0.4), (8.0, 8.0, 8.0)),
    "neck01": JointKind(None, (-0.6, 0.7), (-0.7, 0.7), (-0.5, 0.5), (4.0, 4.0, 4.0)),
    "head": JointKind(None, (-0.7, 0.7), (-0.8, 0.8), (-0.5, 0.5), (2.0, 2.0, 2.0)),
    "jaw": JointKind(None, (0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (3.0, 3.0, 3.0), free=(False, False, False)),
    "clavicle": JointKind("upperarm01", (-0.5, 0.5), (-0.4, 0.4), (-0.5, 0.6), (12.0, 12.0, 12.0)),
    "upperarm01": JointKind("lowerarm01", (-2.6, 2.6), (-1.6, 1.6), (-2.6, 2.6), (0.4, 1.2, 0.4)),
    "lowerarm01": JointKind("wrist", (-0.75, 1.95), (-0.6, 0.6), (-0.3, 0.3), (0.2, TWIST / 0.3, 8.0)),
    "lowerarm02": JointKind(
        "wrist", (0.0, 0.0), (-0.9, 0.9), (0.0, 0.0), (3.0, TWIST / 0.5, 3.0), free=(False, True, False)
    ),
    "wrist": JointKind("finger3-1", (-1.4, 1.4), (-0.45, 0.45), (-0.7, 0.7), (1.5, TWIST / 0.2, 1.5)),
    "upperleg01": JointKind("lowerleg01", (-2.3, 0.6), (-0.9, 0.9), (-1.0, 1.0), (0.6, 1.1, 0.6)),
    "lowerleg01": JointKind("foot", (-0.2, 2.6), (-0.4, 0.4), (-0.2, 0.2), (0.2, 8.0, 8.0)),
    "foot": JointKind("toe2-1", (-0.9, 0.7), (-0.5, 0.5), (-0.5, 0.5), (2.5, 2.5, 2.5)),
    "thumb": JointKind(None, (-0.9, 1.2), (-0.8, 0.8), (-0.9, 0.9), (1.5, 1.5, 1.5)),
    "finger": JointKind(None, (-0.6, 1.8), (-0.35, 0.35), (-0.45, 0.45), (1.5, 3.0, 3.0)),
}
"""By joint name without its side; finger1-* are ``thumb``, the others ``finger``."""


@dataclass(frozen=True)
class LimitTable:
    """The table above for the driven joints of a body."""

    frames: Float[Tensor, "driven 3 3"]
    """Rows are the axes hinge, bone, across (orthonormal)."""
    low: Float[Tensor, "driven 3"]
    high: Float[Tensor, "driven 3"]
    stiffness: Float[Tensor, "driven 3"]
    free: Bool[Tensor, "driven 3"]

    def in_joint_frames(self, rotations: Float[Tensor, "*batch driven 3"]) -> Float[Tensor, "*batch driven 3"]:
        """Components of rotation vectors along hinge, bone, across."""
        return (self.frames @ rotations[..., None])[..., 0]

    def excess(self, rotations: Float[Tensor, "*batch driven 3"]) -> Float[Tensor, "*batch driven 3"]:
        """How far each component lies beyond its limits, radians."""
        angles = self.in_joint_frames(rotations)
        return (angles - self.high).clamp(min=0.0) + (self.low - angles).clamp(min=0.0)

    def fitted_part(self, rotations: Float[Tensor, "*batch driven 3"]) -> Float[Tensor, "*batch driven 3"]:
        """Rotation vectors without the components that are not fitted."""
        return (self.frames.mT @ (self.in_joint_frames(rotations) * self.free)[..., None])[..., 0]

    def to(self, dtype: torch.dtype) -> "LimitTable":
        """The same in another precision."""
        return replace(self, **{name: getattr(self, name).to(dtype) for name in ("frames", "low", "high", "stiffness")})


def make_limit_table(body: CompactBody) -> LimitTable:
    """The table for ``body``, whose rest pose gives the axes."""
    kinds = [_kind(joint) for joint in body.driven_joints]
    return LimitTable(
        frames=torch.stack([_frame(body, joint) for joint in body.driven_joints]),
        low=torch.tensor([(k.hinge[0], k.bone[0], k.across[0]) for k in kinds]),
        high=torch.tensor([(k.hinge[1], k.bone[1], k.across[1]) for k in kinds]),
        stiffness=torch.tensor([k.stiffness for k in kinds]),
        free=torch.tensor([k.free for k in kinds]),
    )


def _kind(joint: str) -> JointKind:
    name = joint.partition(".")[0]
    if name.startswith("finger"):
        return KINDS["thumb" if name.startswith("finger1") else "finger"]
    return KINDS[name]


def _frame(body: CompactBody, joint: str) -> Float[Tensor, "3 3"]:
    """Axes hinge, bone, across of a joint at rest."""

    def place(name: str) -> Tensor:
        return body.template_joints[body.joint_names.index(name)]

    name, _, side = joint.partition(".")
    child = _kind(joint).child
    if name.startswith("finger"):
        finger, part = int(name[6]), int(name[8])
        if part < 3:
            bone = place(f"finger{finger}-{part + 1}.{side}") - place(joint)
        else:
            bone = place(joint) - place(f"finger{finger}-2.{side}")
        # Fingers curl about the line of the knuckles, towards the palm.
        knuckles = place(f"finger5-1.{side}") - place(f"finger2-1.{side}")
        hinge = knuckles if side == "L" else -knuckles
    elif child is None:
        bone, hinge = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([1.0, 0.0, 0.0])
    else:
        bone = place(f"{child}.{side}") - place(joint)
        if name.startswith("lowerarm"):
            hinge = torch.linalg.cross(place(f"lowerarm01.{side}") - place(f"upperarm01.{side}"), bone)
        elif name == "wrist":
            knuckles = place(f"finger5-1.{side}") - place(f"finger2-1.{side}")
            hinge = knuckles if side == "L" else -knuckles
        elif name in ("clavicle", "upperarm01"):
            hinge = torch.linalg.cross(torch.tensor([0.0, 1.0, 0.0]), bone)  # lifts the arm forwards
        else:
            hinge = torch.tensor([1.0, 0.0, 0.0])
    bone = torch.nn.functional.normalize(bone, dim=0)
    hinge = torch.nn.functional.normalize(hinge - (hinge @ bone) * bone, dim=0)
    return torch.stack([hinge, bone, torch.linalg.cross(hinge, bone)])
