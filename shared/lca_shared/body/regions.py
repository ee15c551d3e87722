"""Named parts of Anny's surface as vertex masks, from Anny's own segmentation of its faces."""

import torch

from lca_shared.body.anny_template import AnnyTemplate
from lca_shared.tensors import Bool, Tensor

SEGMENTS: dict[str, tuple[str, ...]] = {
    "left_eye": ("eye_front.L", "eye_back.L"),
    "right_eye": ("eye_front.R", "eye_back.R"),
    "eyes": ("eye_front.L", "eye_front.R", "eye_back.L", "eye_back.R"),
    "eye_sockets": ("eye_cavity.L", "eye_cavity.R"),
    "mouth_interior": ("mouth_cavity", "tongue"),
    "left_hand": ("hand.L",),
    "right_hand": ("hand.R",),
    "hands": ("hand.L", "hand.R"),
    "left_foot": ("foot.L",),
    "right_foot": ("foot.R",),
    "feet": ("foot.L", "foot.R"),
    "body": ("body",),
}
"""Regions that are unions of Anny's segments."""


def anny_regions(template: AnnyTemplate) -> dict[str, Bool[Tensor, "vertices"]]:
    """Vertex masks by name; a vertex belongs to a region if any face of the region has it as a corner.

    ``head`` is the outer skin of the head with ears and scalp, without eyes, sockets and mouth; ``face`` its front:
    what LCA's geometric tokens call the face region. ``hidden`` is what no camera sees from outside at rest: backs of
    the eyes, sockets, the inside of the mouth.
    """
    masks = {name: _touched(template, segments) for name, segments in SEGMENTS.items()}
    head = _touched(template, ("head",))
    masks["head"] = head
    masks["face"] = head & _front_of_head(template)
    masks["hidden"] = _only(
        template, ("eye_back.L", "eye_back.R", "eye_cavity.L", "eye_cavity.R", "mouth_cavity", "tongue")
    )
    return masks


def _segment_faces(template: AnnyTemplate, segments: tuple[str, ...]) -> Bool[Tensor, "faces"]:
    wanted = torch.tensor([template.segment_names.index(name) for name in segments])
    return torch.isin(template.face_segments.long(), wanted)


def _touched(template: AnnyTemplate, segments: tuple[str, ...]) -> Bool[Tensor, "vertices"]:
    mask = torch.zeros(len(template.vertices), dtype=torch.bool)
    mask[template.faces[_segment_faces(template, segments)].long().flatten()] = True
    return mask


def _only(template: AnnyTemplate, segments: tuple[str, ...]) -> Bool[Tensor, "vertices"]:
    others = tuple(name for name in template.segment_names if name not in segments)
    return _touched(template, segments) & ~_touched(template, others)


def _front_of_head(template: AnnyTemplate) -> Bool[Tensor, "vertices"]:
    """In front of the ears, below the hairline, above the jaw's edge: measured in eye distances from the eyes."""
    eyes = template.joints[[template.joint_names.index(name) for name in ("eye.L", "eye.R")]]
    eye_center, eye_distance = eyes.mean(dim=0), (eyes[0] - eyes[1]).norm()
    offset = (template.vertices - eye_center) / eye_distance
    backward, upward = offset[:, 1], offset[:, 2]
    above_jaw = upward > -2.05 + 0.6 * (backward - 0.1).clamp(min=0.0)
    return (backward < 0.95) & (upward < 1.2) & above_jaw
