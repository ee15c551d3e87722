"""Named parts of a body: what an image condition shows, and what an edit keeps."""

import torch

from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Bool, Tensor

PARTS = ("face", "hair", "upper", "lower", "shoes", "hands")
"""Every anchor is in one of them."""
IMAGE_PARTS = ("face", "hair", "upper", "lower", "shoes", "whole")
"""Of which pictures may be given; ``whole`` is the whole body."""
SCRIBBLES = {part: f"{part} scribble" for part in IMAGE_PARTS}
"""Names of line drawings of the same parts."""
PICTURES = (*IMAGE_PARTS, *SCRIBBLES.values())
"""Names of all that can be shown of a person."""
_ARM = ("clavicle", "upperarm", "lowerarm", "wrist", "finger", "metacarpal", "shoulder")
"""Beginnings of the names of the arms' joints."""
_WAIST_JOINT = "spine05"
_IS_IN = 0.5


def anchor_parts(body: CompactBody, anchors: SurfacePoints) -> dict[str, Bool[Tensor, "anchors"]]:
    """Which anchors are in each of :data:`PARTS`.

    The face has eyes and mouth; hair is the rest of the head; shoes are the feet; upper is trunk and arms above the
    lowest joint of the spine, hands apart; lower is what is below.
    """

    def share(name: str) -> Tensor:
        return anchors.read(body.regions[name][:, None].float(), body.faces)[:, 0]

    arm_joints = [i for i, name in enumerate(body.joint_names) if name.startswith(_ARM)]
    on_arm = anchors.read(body.skinning_weights[:, arm_joints].sum(-1, keepdim=True), body.faces)[:, 0] > _IS_IN
    waist = body.template_joints[body.joint_names.index(_WAIST_JOINT), 2]
    above = anchors.read(body.template_vertices, body.faces)[:, 2] > waist
    in_face = torch.stack([share(name) for name in ("face", "eyes", "eye_sockets", "mouth_interior")]).amax(0) > _IS_IN
    taken = torch.zeros_like(in_face)
    found = {}
    for name, mask in {
        "face": in_face,
        "hair": share("head") > _IS_IN,
        "shoes": share("feet") > _IS_IN,
        "hands": share("hands") > _IS_IN,
        "upper": on_arm | above,
        "lower": torch.ones_like(above),
    }.items():
        found[name] = mask & ~taken
        taken |= mask
    return {name: found[name] for name in PARTS}
