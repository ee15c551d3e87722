"""The outline of the masks, and how near the body comes to it: clothes lie between."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.targets import ADULT_HEIGHT
from lca_dataparsers.processing.fitting.terms.context import robust
from lca_shared.tensors import Float, Int, Tensor, UInt8

SIGMA = 0.01
"""Of the person's height."""
TRUNK, THIGH, LIMB, HAIR = 0.024, 0.018, 0.006, 0.005
"""Metres that the outline may lie off the trunk, off thighs, off the rest of arms and legs, and off the head, at no
cost; off hands none."""
NORMAL_BLUR = 2.0
"""Pixels of the reduced masks over which the outline's direction is taken."""


@dataclass(frozen=True)
class Outline:
    """Points along the outlines of the masks of some views; pixels."""

    points: Float[Tensor, "views contour 2"]
    normal: Float[Tensor, "views contour 2"]
    """Out of the mask, of length 1."""
    weight: Float[Tensor, "views contour"]
    height: Float[Tensor, "views"]
    """Of an adult."""


def outward(mask: UInt8[np.ndarray, "h w"], points: Int[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
    """Unit vectors out of a mask (255 = person) at points of its outline, pixels of the mask."""
    smooth = cv2.GaussianBlur((mask > 127).astype(np.float32), (0, 0), NORMAL_BLUR)
    columns, rows = points.T
    inward = np.stack([cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)], axis=-1)
    chosen = inward[rows.clip(0, mask.shape[0] - 1), columns.clip(0, mask.shape[1] - 1)]
    return -chosen / np.linalg.norm(chosen, axis=-1, keepdims=True).clip(1e-6)


def allowance(body: PointBody) -> Float[Tensor, "surface"]:
    """Metres that the outline may lie off each surface point."""

    def share(*begins: str) -> Float[Tensor, "surface"]:
        moved_by = [i for i, name in enumerate(body.joint_names) if name.startswith(begins)]
        return body.weights[body.groups["surface"]][:, moved_by].sum(dim=1)

    return (
        TRUNK * share("root", "spine", "neck", "clavicle")
        + THIGH * share("upperleg")
        + LIMB * share("upperarm", "lower", "foot")
        + HAIR * share("head", "jaw", "eye")
    )


def outline_term(
    outline: Outline,
    surface: Float[Tensor, "views surface 2"],
    partner: Int[Tensor, "views contour"],
    allowed: Float[Tensor, "surface"],
    cutoff: float,
) -> Float[Tensor, ""]:
    """How far the masks' outline lies beyond the body and its clothes, robust.

    Measured across the outline, to the surface point nearest to each of its points. A body beyond it costs nothing
    here: the term ``outside`` sees to that. The norm has to be wide to start with: an average body in the jacket of a
    stout person is 6 cm away, and one that is given up there stays thin, with its pelvis too far in front.

    Args:
        outline: of the masks.
        surface: the body's surface points, pixels.
        partner: of each outline point, the surface point nearest to it.
        allowed: metres, see :func:`allowance`.
        cutoff: where the norm turns over, in standard deviations.
    """
    chosen = torch.gather(surface, 1, partner[..., None].expand(-1, -1, 2))
    height = outline.height[:, None]
    gap = ((outline.points - chosen) * outline.normal).sum(dim=-1) - allowed[partner] * height / ADULT_HEIGHT
    squared = (gap.clamp(min=0.0) / (SIGMA * height)).square()
    return (outline.weight * robust(squared, cutoff)).mean()
