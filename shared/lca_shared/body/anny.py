"""Anny as a :class:`~lca_shared.body.compact_body.CompactBody`, from the template that ships with the package."""

import torch

from lca_shared.body.anny_template import AnnyTemplate, load_template
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.regions import anny_regions

EYE_JOINTS = ("eye.L", "eye.R")
TORSO = ("spine05", "spine03", "spine01", "neck01", "head", "jaw")
LIMBS = ("clavicle", "upperarm01", "lowerarm01", "lowerarm02", "wrist", "upperleg01", "lowerleg01", "foot")
"""Joints on both sides. ``lowerarm02`` sits in the middle of the forearm and is there for its twist (the hand turning
over): a twist of 90 degrees makes the forearm 20 to 26 % thinner somewhere when one joint carries it all, 8 % when
:data:`FOREARM_TWIST` shares it out. The second halves of upper arm, thigh and shin follow the first (a twist of 70
degrees of ``upperarm01`` alone makes the shoulder 16 % thinner)."""
FOREARM_TWIST = {"lowerarm01": 0.3, "lowerarm02": 0.5, "wrist": 0.2}
"""Shares of a twist along the forearm that keep it thickest."""
FINGERS = tuple(f"finger{finger}-{joint}" for finger in range(1, 6) for joint in range(1, 4))
"""Thumb (1) to little finger (5), from the palm outwards. The rig's metacarpals follow the wrist."""
DRIVEN_JOINTS = (
    *TORSO,
    *(f"{name}.{side}" for side in "LR" for name in LIMBS),
    *(f"{name}.{side}" for side in "LR" for name in FINGERS),
)
"""52 joints. ``jaw`` carries lower lip, tongue and chin; the expression ``jawOpen`` opens the mouth as well and is the
channel that trackers report: leave the joint at zero when it is used."""


def load_anny(template: AnnyTemplate | None = None) -> CompactBody:
    """Anny from its compact template (float32, CPU)."""
    template = template or load_template()
    return CompactBody(
        name="anny",
        joint_names=template.joint_names,
        joint_parents=template.joint_parents,
        driven_joints=DRIVEN_JOINTS,
        eye_joints=EYE_JOINTS,
        shape_names=template.shape_names,
        expression_names=template.expression_names,
        faces=template.faces.long(),
        template_vertices=template.vertices.float(),
        template_joints=template.joints.float(),
        skinning_weights=template.dense_weights(),
        regions=anny_regions(template),
        shape_vertices=template.shape_vertices.float(),
        shape_joints=template.shape_joints.float(),
        expression_index=template.expression_index.long(),
        expression_vertices=template.expression_vertices.float(),
        expression_joints=template.expression_joints.float(),
        texture_coordinates=template.texture_coordinates.to(torch.float32),
        face_texture_coordinates=template.face_texture_coordinates.long(),
    )
