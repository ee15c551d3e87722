"""How far a render is from its target: L1, LPIPS, and alpha against the person mask (Section 3.2).

Targets are put on the background the render has; what a crop shows beyond the picture's border counts for nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_method.batch import TargetViews
from lca_shared.perceptual import LPIPS
from lca_shared.tensors import Float, Tensor


def mask_l1(alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """Absolute difference of alpha and mask."""
    return (alpha - masks).abs()


def mask_squared(alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """Squared difference of alpha and mask."""
    return (alpha - masks).square()


def mask_cross_entropy(alpha: Float[Tensor, "*b 1 h w"], masks: Float[Tensor, "*b 1 h w"]) -> Float[Tensor, "*b 1 h w"]:
    """Binary cross-entropy of alpha and mask, alpha kept 1e-3 away from 0 and 1."""
    return F.binary_cross_entropy(alpha.clamp(1e-3, 1 - 1e-3), masks, reduction="none")


MASK_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": mask_l1,
    "squared": mask_squared,
    "cross_entropy": mask_cross_entropy,
}


@dataclass(frozen=True)
class Target:
    """Target pictures as renders should look, and the work on them that two renders share."""

    images: Float[Tensor, "*b 3 h w"]
    """On the background colour."""
    masks: Float[Tensor, "*b 1 h w"]
    valid: Float[Tensor, "*b 1 h w"]
    """1 = known, 0 = beyond the border of the picture."""
    weights: Float[Tensor, "*b"]
    """Of each picture, mean 1 over those that count."""
    features: list[Tensor] | None
    """LPIPS features of ``images``; None = LPIPS is not asked for."""


def prepare(targets: TargetViews, background: Float[Tensor, "3"], lpips: LPIPS | None) -> Target:
    """Put the targets on the background, and compute their LPIPS features if ``lpips`` is given."""
    masks = targets.masks
    valid = torch.ones_like(masks) if targets.valid is None else targets.valid
    images = targets.images * masks + background[:, None, None] * (1 - masks)
    weights = targets.weights / targets.weights.mean().clamp(min=1e-6)
    with torch.no_grad():
        features = None if lpips is None else lpips.features(images)
    return Target(images, masks, valid, weights, features)


def l1(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """Mean absolute difference over known pixels."""
    return _mean((render - target.images).abs(), target)


def l1_on_person(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """Mean absolute difference over known person pixels."""
    person = target.masks * target.valid * target.weights[..., None, None, None]
    return ((render - target.images).abs() * person).sum() / (3 * (target.masks * target.valid).sum()).clamp(min=1)


def alpha_loss(name: str, alpha: Float[Tensor, "*b 1 h w"], target: Target) -> Float[Tensor, ""]:
    """A loss of :data:`MASK_LOSSES` on alpha, mean over known pixels."""
    return _mean(MASK_LOSSES[name](alpha, target.masks), target)


def lpips_loss(lpips: LPIPS, render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """LPIPS over the whole picture, weighted by picture; unknown pixels are the same in both.

    Raises:
        ValueError: the target was prepared without LPIPS.
    """
    if target.features is None:
        raise ValueError("the target was prepared without LPIPS")
    filled = render * target.valid + target.images * (1 - target.valid)
    distances = lpips.distance(lpips.features(filled), target.features)
    return (distances * target.weights.flatten()).mean()


def _mean(values: Float[Tensor, "*b channels h w"], target: Target) -> Float[Tensor, ""]:
    known = target.valid * target.weights[..., None, None, None]
    return (values * known).sum() / (target.valid.sum() * values.shape[-3]).clamp(min=1)
