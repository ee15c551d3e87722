"""What an avatar looks like at rest from in front and behind, part by part."""

import math
from dataclasses import dataclass, replace

import torch

from genlca_method.editing.regions import parts_of
from genlca_method.latents.rendering import cameras_at
from genlca_method.sampling.decoder import LCADecoder
from lca_method.avatar.avatar import Avatar
from lca_shared.body import get_body_model
from lca_shared.body.anchors import SurfacePoints
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Int, Tensor

VIEWS = ("front", "back")
REGIONS = ("face", "hair", "torso", "upper_arms", "lower_arms", "hands", "hips", "thighs", "calves", "shoes")
"""Every anchor is in one of them."""
_LEAST = 0.3
"""Share of a pixel that a region must make up to count there."""


@dataclass(frozen=True)
class Look:
    """Pictures on white, and mean colours of regions where they are seen."""

    pictures: Float[Tensor, "views 3 h w"]
    """sRGB 0..1."""
    alpha: Float[Tensor, "views 1 h w"]
    colors: Float[Tensor, "views regions 3"]
    """CIE Lab over 100; 0 where nothing of the region is seen."""


def anchor_regions(decoder: LCADecoder) -> Int[Tensor, "anchors"]:
    """Index into :data:`REGIONS` of each anchor: parts, with arms and legs cut at their joints."""
    body, network = get_body_model(decoder.config["body"]), decoder.lca
    anchors = SurfacePoints(network.token_faces.cpu(), network.token_barycentric.cpu())
    parts = parts_of(decoder)

    def share(*names: str) -> Tensor:
        joints = [i for i, name in enumerate(body.joint_names) if name.startswith(names)]
        return anchors.read(body.skinning_weights[:, joints].sum(-1, keepdim=True), body.faces)[:, 0]

    found = torch.full((len(anchors),), REGIONS.index("torso"))
    upper_arm, lower_arm = share("upperarm"), share("lowerarm", "wrist")
    thigh, calf = share("upperleg02"), share("lowerleg")
    for name, mask in {
        "upper_arms": parts["upper"] & (upper_arm > 0.5),
        "lower_arms": parts["upper"] & (lower_arm > 0.5),
        "hips": parts["lower"],
        "thighs": parts["lower"] & (thigh > 0.5),
        "calves": parts["lower"] & (calf > 0.5),
        "face": parts["face"],
        "hair": parts["hair"],
        "hands": parts["hands"],
        "shoes": parts["shoes"],
    }.items():
        found[mask] = REGIONS.index(name)
    return found


@torch.no_grad()
def look(avatar: Avatar, regions: Int[Tensor, "anchors"], size: int) -> Look:
    """An avatar at rest.

    Args: the avatar; regions of its tokens' anchors; pixels of a picture.
    """
    gaussians = avatar.drive(avatar.rest_pose)
    each = avatar.networks.gaussians_per_token
    marks = torch.eye(len(REGIONS), device=avatar.device)[regions.to(avatar.device)].repeat_interleave(each, dim=0)
    cameras = cameras_at(torch.tensor([0.0, math.pi]), size).to(avatar.device)
    drawn = rasterize(replace(gaussians, colors=torch.cat([gaussians.colors, marks], dim=-1)), cameras)
    alpha, pictures = drawn.alpha.cpu(), drawn.colors[:, :3].cpu()
    weights = drawn.colors[:, 3:].cpu()
    weights = weights * (weights > _LEAST)
    seen = pictures / alpha.clamp(min=1e-3)
    colors = torch.einsum("vrhw,vchw->vrc", weights, lab(seen.clamp(0, 1).movedim(-3, -1)).movedim(-1, -3))
    colors = colors / weights.sum(dim=(-2, -1))[..., None].clamp(min=1e-6)
    return Look((pictures + 1 - alpha).clamp(0, 1), alpha, colors)


def lab(srgb: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3"]:
    """CIE Lab (D65) over 100, of sRGB 0..1: distances are about as large as they look."""
    light = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    matrix = srgb.new_tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = light @ matrix.T / srgb.new_tensor([0.9505, 1.0, 1.089])
    f = torch.where(xyz > 0.008856, xyz.clamp(min=0.008856) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], dim=-1)
