"""The picture of ``lca analyze attention``: a row a body point, its attention over the reference views."""

import cv2
import numpy as np
import torch
from torch.nn import functional as F

from lca_method.analysis.attention_maps import AttentionMaps
from lca_method.batch import ReferenceViews
from lca_method.demo.contact_sheet import Row, contact_sheet
from lca_shared.tensors import Float, Tensor

_DIMMED = 0.55
"""Brightness of the grey picture below the heat."""
_GAMMA = 0.6
"""Exponent of the heat's opacity: below 1 shows small weights too."""


def attention_sheet(
    names: list[str],
    maps: AttentionMaps,
    references: ReferenceViews,
    places: Float[Tensor, "points views 2"],
    visible: Float[Tensor, "points views"],
    cell: int = 160,
) -> np.ndarray:
    """Draw the sheet.

    Heat maps are scaled to the largest weight of their row: brightness does not compare one row with another. A ring
    marks where the fitted body has the point in a view that sees it.

    Args:
        names: of the points.
        maps: their attention.
        references: of one person, without batch axes.
        places: pixels of the reference pictures where the fitted body has each point.
        visible: 1 = the view sees the point.
        cell: side of each picture, pixels.

    Returns:
        uint8 [height, width, 3] RGB.
    """
    views = references.images.shape[0]
    bodies = _on_white(references.images, references.masks, 2 * cell)
    faces = _on_white(references.face_images, references.face_masks, 2 * cell)
    rows = [Row((tuple(bodies), tuple(faces)), "reference views and their face crops")]
    for point, name in enumerate(names):
        shares = (places[point] / references.images.shape[-1]).cpu()
        heat = [
            _marked(picture, shares[view]) if bool(visible[point, view] > 0) else picture
            for view, picture in enumerate(_overlaid(maps.body[point], bodies))
        ]
        crops: tuple[Tensor, ...] = ()
        caption = f"{name}: {float(maps.body_share[point]):.0%} of its attention on the body pictures"
        if bool(maps.face[point].isfinite().all()):
            seen = references.face_masks.flatten(1).any(dim=1).tolist()
            overlaid = _overlaid(maps.face[point], faces)
            crops = tuple(crop if there else torch.ones_like(crop) for crop, there in zip(overlaid, seen))
            caption += f", {float(maps.face_share[point]):.0%} on the face crops in the stage before"
        rows.append(Row((tuple(heat), crops), caption))
    headings = (f"last layer's attention over {views} reference views", "face crops")
    return contact_sheet(headings, rows, cell)


def _on_white(images: Tensor, masks: Tensor, side: int) -> Float[Tensor, "views 3 side side"]:
    return F.interpolate((images * masks + 1 - masks).cpu(), size=(side, side), mode="bilinear", antialias=True)


def _overlaid(heat: Tensor, pictures: Tensor) -> list[Tensor]:
    """Grey pictures with the heat of all views, scaled by their common maximum, on top."""
    strength = (heat / heat.max().clamp(min=1e-12)).cpu()
    result = []
    for weights, picture in zip(strength, pictures):
        smooth = F.interpolate(weights[None, None], size=picture.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
        grey = picture.mean(dim=0) * _DIMMED
        colors = cv2.applyColorMap((smooth.clamp(0, 1) * 255).byte().numpy(), cv2.COLORMAP_INFERNO)[..., ::-1]
        hot = torch.from_numpy(np.ascontiguousarray(colors)).movedim(-1, 0).float() / 255
        opacity = smooth.clamp(0, 1) ** _GAMMA
        result.append(grey * (1 - opacity) + hot * opacity)
    return result


def _marked(picture: Tensor, place: Tensor) -> Tensor:
    """The square picture with a ring around ``place``, in sides of the picture."""
    drawn = np.ascontiguousarray((picture.clamp(0, 1) * 255).byte().movedim(0, -1).numpy())
    center = [int(value) for value in (place * picture.shape[-1]).round()]
    cv2.circle(drawn, center, picture.shape[-1] // 24, (80, 255, 160), 2, cv2.LINE_AA)
    return torch.from_numpy(drawn).movedim(-1, 0).float() / 255
