"""Motion of another skeleton, carried over to the body model joint by joint.

Joints are called as SMPL-X calls them, whatever the source calls them. All maps are between directions of bones: what
a bone of the source points at, the same bone of ours points at, whatever both rest poses look like.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from lca_method.avatar.motion import Motion
from lca_method.batch import DrivingSignal
from lca_shared.body import get_body_model
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.rotations import matrix_to_rotation_vector
from lca_shared.tensors import Float, Tensor

_SIDES = (("left", "L"), ("right", "R"))
_FINGERS = ("thumb", "index", "middle", "ring", "pinky")
_LIMBS = {
    "collar": "clavicle",
    "shoulder": "upperarm01",
    "elbow": "lowerarm01",
    "wrist": "wrist",
    "hip": "upperleg01",
    "knee": "lowerleg01",
    "ankle": "foot",
    **{f"{finger}{part}": f"finger{number}-{part}" for number, finger in enumerate(_FINGERS, 1) for part in (1, 2, 3)},
}
OURS: Mapping[str, str] = {
    "pelvis": "root",
    "spine1": "spine05",
    "spine2": "spine03",
    "spine3": "spine01",
    "neck": "neck01",
    "head": "head",
    **{f"{side}_{part}": f"{name}.{s}" for side, s in _SIDES for part, name in _LIMBS.items()},
}
"""Names of the body model's joints by SMPL-X's."""
_CHILDREN = {"shoulder": "elbow", "elbow": "wrist", "hip": "knee", "knee": "ankle"} | {
    f"{finger}{part}": f"{finger}{part + 1}" for finger in _FINGERS for part in (1, 2)
}
"""Bones whose rest directions are matched. Of trunk, collars and feet the rest poses are taken to be the same: upright,
feet flat on the ground."""


@dataclass(frozen=True)
class SkeletonMotion:
    """Frames of a skeleton."""

    rest: Mapping[str, Float[Tensor, "3"]]
    """Joints at rest by SMPL-X's names, in the skeleton's axes and unit."""
    rotations: Mapping[str, Float[Tensor, "frames 3 3"]]
    """From rest to each frame, world: each joint's own rotation and those above it."""
    root: Float[Tensor, "frames 3"]
    """Where the pelvis is, world, the skeleton's unit."""
    times: Float[Tensor, "frames"]
    """Seconds."""
    ours_from_rest: Float[Tensor, "3 3"]
    """Rotation that makes the rest pose stand along Z and face -Y."""
    ours_from_world: Float[Tensor, "3 3"]
    """Rotation that makes the world's up Z."""


def standing(rest: Mapping[str, Float[Tensor, "3"]], up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The rotation from a skeleton's axes to ours: ``up`` becomes +Z, the way from the right hip to the left +X."""
    left = rest["left_hip"] - rest["right_hip"]
    left = torch.nn.functional.normalize(left - (left @ up) * up, dim=0)
    return torch.stack([left, torch.linalg.cross(up, left), up])


def carried_over(
    source: SkeletonMotion,
    body: CompactBody | None = None,
    gaze: Float[Tensor, "frames 2 2"] | None = None,
    expression: Mapping[str, Float[Tensor, "frames"]] | None = None,
) -> Motion:
    """The motion for a body model's joints.

    Args:
        source: what moved.
        body: whose joints; the default body model if not given.
        gaze: as of ``BodyPose``.
        expression: coefficients by ARKit's names.
    """
    body = body or get_body_model()
    frames = len(source.times)
    corrections = rest_corrections(source, body)
    turned: dict[str, Tensor] = {}
    for part, rotation in source.rotations.items():
        if part in OURS and OURS[part] in body.joint_names:
            whole = source.ours_from_world @ rotation @ source.ours_from_rest.T
            turned[OURS[part]] = whole @ corrections.get(part, torch.eye(3))
    world: dict[int, Tensor] = {}
    local = torch.eye(3).expand(frames, len(body.driven_joints), 3, 3).clone()
    for index, (name, parent) in enumerate(zip(body.joint_names, body.joint_parents)):
        above = world[parent] if parent >= 0 else torch.eye(3).expand(frames, 3, 3)
        moves = name in turned and (parent < 0 or name in body.driven_joints)
        world[index] = turned[name] if moves else above
        if moves and parent >= 0:
            local[:, body.driven_joints.index(name)] = above.mT @ world[index]
    expression = expression or {}
    coefficients = torch.stack(list(expression.values()), dim=1) if expression else torch.zeros(frames, 0)
    pose = BodyPose(
        matrix_to_rotation_vector(local),
        matrix_to_rotation_vector(world[0]),
        source.root @ source.ours_from_world.T,
        torch.zeros(frames, 2, 2) if gaze is None else gaze,
    )
    known = torch.tensor([name in turned for name in body.driven_joints]).float().expand(frames, -1)
    return Motion(
        DrivingSignal(pose, coefficients, known),
        source.times.double(),
        tuple(body.driven_joints),
        tuple(expression),
        _leg_length(source),
    )


def rest_corrections(source: SkeletonMotion, body: CompactBody) -> dict[str, Float[Tensor, "3 3"]]:
    """Rotations that carry our bones at rest to where the source's bones point at rest, by SMPL-X's names.

    Down a limb each is the smallest turn after the one above it; a hand with fingers turns as a whole, palm to palm.
    """
    place = dict(zip(body.joint_names, body.template_joints.cpu()))

    def ours(first: str, second: str) -> Tensor:
        return place[OURS[second]] - place[OURS[first]]

    def theirs(first: str, second: str) -> Tensor:
        return source.ours_from_rest @ (source.rest[second] - source.rest[first])

    found: dict[str, Tensor] = {}
    for side, _ in _SIDES:
        for chain in (("shoulder", "elbow"), ("hip", "knee")):
            before = torch.eye(3)
            for part in chain:
                one, other = f"{side}_{part}", f"{side}_{_CHILDREN[part]}"
                if {one, other} <= source.rest.keys():
                    before = smallest_turn(before @ ours(one, other), theirs(one, other)) @ before
                    found[one] = before
        wrist, palm = f"{side}_wrist", [f"{side}_{name}1" for name in ("index", "middle", "pinky")]
        if wrist not in source.rest:
            continue
        hand = found.get(f"{side}_elbow", torch.eye(3))
        if set(palm) <= source.rest.keys():
            index, middle, pinky = palm
            hand = (
                _frame(theirs(wrist, middle), theirs(index, pinky)) @ _frame(ours(wrist, middle), ours(index, pinky)).T
            )
        found[wrist] = hand
        for finger in _FINGERS:
            before = hand
            for part in (1, 2, 3):
                one, other = (f"{side}_{finger}{number}" for number in (part, part + 1))
                if {one, other} <= source.rest.keys() and other in OURS:
                    before = smallest_turn(before @ ours(one, other), theirs(one, other)) @ before
                found[one] = before
    return found


def smallest_turn(first: Float[Tensor, "3"], second: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The rotation by the smallest angle that makes the direction ``first`` the direction ``second``."""
    a, b = (torch.nn.functional.normalize(vector.double(), dim=0) for vector in (first, second))
    axis, cosine = torch.linalg.cross(a, b), (a @ b).clamp(-1, 1)
    if float(cosine) < -1 + 1e-9:  # opposite: any axis across will do
        across = torch.linalg.cross(a, torch.eye(3).double()[int(a.abs().argmin())])
        across = torch.nn.functional.normalize(across, dim=0)
        return (2 * torch.outer(across, across) - torch.eye(3)).float()
    x, y, z = axis.tolist()
    skew = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    return (torch.eye(3) + skew + skew @ skew / (1 + cosine)).float()


def _frame(along: Tensor, across: Tensor) -> Tensor:
    """Orthonormal columns: along, the part of across that is square to it, and their cross product."""
    first = torch.nn.functional.normalize(along, dim=0)
    second = torch.nn.functional.normalize(across - (across @ first) * first, dim=0)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=1)


def _leg_length(source: SkeletonMotion) -> float | None:
    ankles = [source.rest[name] for name in ("left_ankle", "right_ankle") if name in source.rest]
    if not ankles or "pelvis" not in source.rest:
        return None
    return float((source.ours_from_rest @ (source.rest["pelvis"] - sum(ankles) / len(ankles)))[2])


def below(names: Sequence[str], parents: Sequence[int], local: Float[Tensor, "frames joints 3 3"]) -> dict[str, Tensor]:
    """Rotations from rest to world by name, from each joint's own; parents come before children."""
    world: list[Tensor] = []
    for index, parent in enumerate(parents):
        world.append(local[:, index] if parent < 0 else world[parent] @ local[:, index])
    return dict(zip(names, world))
