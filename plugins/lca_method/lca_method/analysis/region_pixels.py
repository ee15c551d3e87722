"""Which pixels of a picture show a part of the body, according to the fitted body."""

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from lca_method.batch import DrivingSignal
from lca_method.networks.flat_start import z_axis_along
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.tensors import Bool, Float, Tensor


def region_pixels(
    body: CompactBody,
    shape: Float[Tensor, "*b coefficients"],
    driving: DrivingSignal,
    cameras: Cameras,
    regions: Sequence[str],
) -> Bool[Tensor, "*b targets regions h w"]:
    """True where the nearest surface of the fitted body belongs to a region in a third of the pixel at least.

    The body is drawn as an opaque disc on every triangle, so that the pixels do not depend on any avatar; finer than
    the picture, in which open eyes may be lower than a pixel.

    Args:
        body: on the device of the rest.
        shape: of the people.
        driving: of the frames, batch shape ``[*b targets]``.
        cameras: of the frames, batch shape ``[*b targets]``.
        regions: names of ``body.regions``.

    Raises:
        KeyError: the body has no such region.
    """
    with torch.no_grad():
        corners = body.skinned(body.shaped(shape[..., None, :], driving.expression), driving.pose)[..., body.faces, :]
        first, second, third = corners.unbind(dim=-2)
        normals = torch.linalg.cross(second - first, third - first)
        sides = normals.norm(dim=-1, keepdim=True).clamp(min=1e-12).sqrt()
        colors = torch.stack([body.regions[name][body.faces].all(dim=-1) for name in regions], dim=-1).to(corners)
        batch, count = corners.shape[:-3], len(body.faces)
        discs = Gaussians(
            means=corners.mean(dim=-2),
            quaternions=z_axis_along(normals / sides.square()),
            scales=sides * sides.new_tensor([_SCALE_PER_SIDE, _SCALE_PER_SIDE, 0.05]),
            opacities=corners.new_full((count,), 0.98).expand(*batch, count),
            colors=colors.expand(*batch, -1, -1),
        )
        fine = cameras.resized(cameras.width * _FINER, cameras.height * _FINER)
        shown = rasterize(discs, fine, background=corners.new_zeros(len(regions))).colors > 0.5
        shares = F.avg_pool2d(shown.flatten(0, -4).to(corners), _FINER)
        return shares.reshape(*batch, *shares.shape[1:]) > 1 / 3


_FINER = 4
_SCALE_PER_SIDE = 0.45
"""Deviation of a disc over the root of twice its triangle's area: neighbours overlap into a closed surface."""
