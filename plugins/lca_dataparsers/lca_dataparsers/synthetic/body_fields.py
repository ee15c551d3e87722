"""Where things are on the body: scalar fields over the template by which clothes are cut and skin is painted.

All positions are template space: the mean rest pose in metres, Z up, facing -Y, the same for every person.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from lca_shared.body import get_body_model
from lca_shared.body.compact_body import CompactBody


@dataclass(frozen=True)
class BodyFields:
    """Template geometry that wardrobe, hair and paint share. Arrays over ``vertices`` unless said otherwise."""

    body: CompactBody
    position: np.ndarray
    """[vertices, 3]"""
    faces: np.ndarray
    """[faces, 3]"""
    joints: dict[str, np.ndarray]
    """Template joint positions by name, [3]."""
    arm_weight: np.ndarray
    """0 on the trunk, 1 on the arms (from the skinning weights of upper arm and below)."""
    along_arm: np.ndarray
    """Distance from the shoulder along the arm, metres; meaningful where ``arm_weight`` > 0."""
    hand_weight: np.ndarray
    head_weight: np.ndarray
    """1 on the head, falling to 0 down the neck."""
    weights: np.ndarray
    """[vertices, active] skinning weights of the joints that move."""

    def height(self, joint: str) -> float:
        """z of a joint, metres."""
        return float(self.joints[joint][2])

    @property
    def arm_length(self) -> float:
        """Shoulder to wrist, metres."""
        shoulder, elbow, wrist = (self.joints[f"{n}.L"] for n in ("upperarm01", "lowerarm01", "wrist"))
        return float(np.linalg.norm(elbow - shoulder) + np.linalg.norm(wrist - elbow))

    def shoulder_line(self, position: np.ndarray) -> np.ndarray:
        """Distance along the nearer arm from its shoulder, metres, negative towards the neck; [n] for [n, 3]."""
        return _along_arm(self.joints, position)


@cache
def body_fields() -> BodyFields:
    """The fields of the default body model."""
    body = get_body_model("anny")
    joints = {name: body.template_joints[i].double().numpy() for i, name in enumerate(body.joint_names)}
    position = body.template_vertices.double().numpy()
    weights = body.skinning_weights.double().numpy()

    def below(root: str) -> np.ndarray:
        members = {body.joint_names.index(root)}
        for index, parent in enumerate(body.joint_parents):
            if parent in members:
                members.add(index)
        return weights[:, sorted(members)].sum(axis=1)

    return BodyFields(
        body=body,
        position=position,
        faces=body.faces.numpy(),
        joints=joints,
        arm_weight=below("upperarm01.L") + below("upperarm01.R"),
        along_arm=_along_arm(joints, position),
        hand_weight=below("wrist.L") + below("wrist.R"),
        head_weight=below("head"),
        weights=body.active_weights.double().numpy(),
    )


def _along_arm(joints: dict[str, np.ndarray], position: np.ndarray) -> np.ndarray:
    mirrored = np.array(position, float)
    mirrored[:, 0] = np.abs(mirrored[:, 0])
    shoulder, elbow, wrist = (joints[f"{n}.L"] for n in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = elbow - shoulder, wrist - elbow
    upper_length, fore_length = np.linalg.norm(upper), np.linalg.norm(fore)
    on_upper = (mirrored - shoulder) @ upper / upper_length
    on_fore = upper_length + (mirrored - elbow) @ fore / fore_length
    beyond = np.clip((on_upper - upper_length) / 0.04 + 0.5, 0.0, 1.0)
    return on_upper * (1 - beyond) + on_fore * beyond


def smoothstep(low: float, high: float, value: np.ndarray) -> np.ndarray:
    """0 below ``low``, 1 above ``high``, eased between."""
    part = np.clip((value - low) / (high - low), 0.0, 1.0)
    return part * part * (3.0 - 2.0 * part)
