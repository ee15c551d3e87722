"""Pictures of parts of a person, cut from the reference view that shows each part best."""

from collections.abc import Mapping

import torch

from genlca_method.tokens.parts import IMAGE_PARTS
from genlca_method.visibility.anchor_views import AnchorViews
from lca_method.batch import ReferenceViews
from lca_shared.cameras import project
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Tensor

_LEAST_SEEN = 0.2
"""Share of a part's anchors that the best view must show; else there is no picture of the part."""
_MARGIN = 0.15
"""Around the part's anchors on each side, as a share of the box."""
_ON_THE_HEAD = ("face", "hair")
"""Parts that the head's own picture shows larger."""


def part_pictures(
    references: ReferenceViews,
    points: Float[Tensor, "views anchors 3"],
    views: AnchorViews,
    parts: Mapping[str, Bool[Tensor, "anchors"]],
    size: int,
) -> dict[str, Float[Tensor, "3 size size"]]:
    """Square cuts on white, sRGB 0..1, by name of :data:`IMAGE_PARTS`.

    Args:
        references: of one person, with ``fit``.
        points: anchors as posed in each view, metres, world.
        views: which of them each view shows.
        parts: of :func:`genlca_method.tokens.parts.anchor_parts`.
        size: pixels.

    Raises:
        UserError: nobody fitted a body to the views.
    """
    if references.fit is None:
        raise UserError("Pictures of parts need the body that was fitted to each reference view (ReferenceViews.fit).")
    fit, found = references.fit, {}
    for name in IMAGE_PARTS:
        mask = parts[name] if name in parts else torch.ones_like(parts["face"])
        if not bool(mask.any()):
            continue
        shares = views.seen[:, mask].float().mean(dim=-1)
        best = int(shares.argmax())
        if float(shares[best]) < _LEAST_SEEN:
            continue
        image, person, camera = references.images[best], references.masks[best], fit.cameras[best]
        if name in _ON_THE_HEAD and bool(references.face_masks[best].any()):
            image, person, camera = references.face_images[best], references.face_masks[best], fit.face_cameras[best]
        shown = project(camera, points[best])[0][mask & views.inside[best]]
        low, high = shown.amin(dim=0), shown.amax(dim=0)
        half = float((high - low).max()) * (0.5 + _MARGIN)
        found[name] = _cut(image, person, (low + high) / 2, half, size)
    return found


def _cut(
    image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"], middle: Float[Tensor, "2"], half: float, size: int
) -> Float[Tensor, "3 size size"]:
    """A square of ``2 half`` pixels around ``middle``, resized; white where there is nobody."""
    height, width = image.shape[-2:]
    steps = (torch.arange(size, device=image.device) + 0.5) / size * 2 - 1
    down, across = torch.meshgrid(steps * half, steps * half, indexing="ij")
    extent = middle.new_tensor([width, height])
    grid = (torch.stack([across, down], dim=-1) + middle) / extent * 2 - 1
    picture = torch.cat([image * mask, mask])[None]
    taken = torch.nn.functional.grid_sample(picture, grid[None], align_corners=False)[0]
    return (taken[:3] + 1 - taken[3:]).clamp(0, 1)
