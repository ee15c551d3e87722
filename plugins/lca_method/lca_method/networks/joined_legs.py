"""Whether reference views can be of somebody whose legs one piece of cloth covers: the gates of nodes ask this.

Halfway between both legs there is cloth of a skirt, a dress or a coat in every picture, and behind trousers there is
background in every picture of a stride. So one look at the person's outline tells where on the legs nodes may act, and
where a hem ends; no training is needed for it. Not in the paper.
"""

import torch
from torch.nn import functional as F

from lca_method.batch import ReferenceFit
from lca_method.networks.projected_colors import on_picture
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import project
from lca_shared.tensors import Float, Tensor

_LEG = ("upperleg01", "lowerleg01", "foot")
"""Joints of a leg: 0, 1 and 2 along it."""
FIRST = 0.6
"""Of the way from hip to knee: farther up thighs touch. What is above is asked here too."""
_LEVELS = 29
_HANGS = 0.1
"""A raised knee lifts the middle of the legs above the hem: places are asked so much of a thigh farther up."""
_NO, _YES = 0.125, 0.025
"""Share of the views that show background in the middle: from the first there is no cloth, up to the second there
may be."""


@torch.no_grad()
def joined_legs(
    joints: Float[Tensor, "*b views joints 3"],
    masks: Float[Tensor, "*b views 1 h w"],
    fit: ReferenceFit,
    points: CompactBody,
    body: CompactBody,
) -> Float[Tensor, "*b points"]:
    """Whether there can be cloth around both legs at the height of each point: 0 = pictures show that there is none,
    1 = none of them says so. Farther down than where there is none there is none.

    Args:
        joints: of the body in each view, posed, metres, world.
        masks: of the person.
        fit: cameras of the views.
        points: the body model read at the points asked about.
        body: names of the joints and where they are in the template.
    """
    along = torch.linspace(FIRST, 2.0, _LEVELS, dtype=joints.dtype, device=joints.device)
    sides = [_along([joints[..., _joint(body, f"{name}.{side}"), :] for name in _LEG], along) for side in "LR"]
    pixels, depth = project(fit.cameras, 0.5 * (sides[0] + sides[1]))
    places = on_picture(2 * pixels / pixels.new_tensor([fit.cameras.width, fit.cameras.height]) - 1)
    shown = ((places.abs() < 1).all(dim=-1) & (depth > 0)).to(masks)
    *batch, levels = shown.shape
    found = F.grid_sample(masks.flatten(0, -4), places.reshape(-1, levels, 1, 2).to(masks), align_corners=False)
    person = found[:, 0, :, 0].reshape(*batch, levels)
    gap = ((1 - person) * shown).sum(dim=-2) / shown.sum(dim=-2).clamp(min=1)
    joined = ((_NO - gap) / (_NO - _YES)).clamp(0, 1).cummin(dim=-1).values
    place = ((legs_heights(points, body) - _HANGS - FIRST) / (2.0 - FIRST)).clamp(0, 1) * (_LEVELS - 1)
    low = place.long().clamp(max=_LEVELS - 2)
    return torch.lerp(joined[..., low], joined[..., low + 1], (place - low).to(joined))


def legs_heights(points: CompactBody, body: CompactBody) -> Float[Tensor, "points"]:
    """How far down the template's legs points are, by their height: 0 = hips or above, 1 = knees, 2 = feet."""
    hip, knee, foot = (float(body.template_joints[_joint(body, f"{name}.L"), 2]) for name in _LEG)
    height = points.template_vertices[:, 2]
    return ((hip - height) / (hip - knee)).clamp(0, 1) + ((knee - height) / (knee - foot)).clamp(0, 1)


def _joint(body: CompactBody, name: str) -> int:
    return body.joint_names.index(name)


def _along(joints: list[Tensor], along: Float[Tensor, "levels"]) -> Float[Tensor, "*b levels 3"]:
    """Places on the way from the first joint over the second to the third."""
    first, second, third = (joint[..., None, :] for joint in joints)
    upper, lower = along.clamp(max=1)[:, None], (along - 1).clamp(min=0)[:, None]
    return first + (second - first) * upper + (third - second) * lower
