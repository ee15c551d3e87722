"""How far a render is from its target: L1, LPIPS, and alpha against the person mask (Section 3.2).

Targets are put on the background the render has; what a crop shows beyond the picture's border counts for nothing.
Every term is a mean over people of a person's own mean: people on several processes then count as in one batch.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_method.batch import TargetViews
from lca_method.losses.registry import ALPHA
from lca_shared.perceptual import LPIPS
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Target:
    """Target pictures as renders should look, and the work on them that two renders share."""

    images: Float[Tensor, "*b 3 h w"]
    """On the background colour."""
    masks: Float[Tensor, "*b 1 h w"]
    valid: Float[Tensor, "*b 1 h w"]
    """1 = known, 0 = beyond the border of the picture."""
    weights: Float[Tensor, "*b"]
    """Of each picture, mean 1 over a person's."""
    features: list[Tensor] | None
    """LPIPS features of ``images``; None = LPIPS is not asked for."""


def prepare(targets: TargetViews, background: Float[Tensor, "3"], lpips: LPIPS | None) -> Target:
    """Put the targets on the background, and compute their LPIPS features if ``lpips`` is given."""
    masks = targets.masks
    valid = torch.ones_like(masks) if targets.valid is None else targets.valid
    images = targets.images * masks + background[:, None, None] * (1 - masks)
    weights = targets.weights / targets.weights.mean(dim=-1, keepdim=True).clamp(min=1e-6)
    with torch.no_grad():
        features = None if lpips is None else lpips.features(images)
    return Target(images, masks, valid, weights, features)


def l1(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """Mean absolute difference over known pixels."""
    return _mean((render - target.images).abs(), target, target.valid)


def l1_on_person(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """Mean absolute difference over known person pixels."""
    return _mean((render - target.images).abs(), target, target.masks * target.valid)


def squared_on_person(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """Mean squared difference over known person pixels.

    Where what is seen cannot be known, as a shadow's edge on cloth, its best guess is the mean; L1's is the median: lit
    or dark.
    """
    return _mean((render - target.images).square(), target, target.masks * target.valid)


PERSON: dict[str, Callable[[Tensor, Target], Tensor]] = {"l1": l1_on_person, "squared": squared_on_person}
"""``person_loss``."""


def detail_on_person(render: Float[Tensor, "*b 3 h w"], target: Target) -> Float[Tensor, ""]:
    """L1 of what differs within a neighbourhood of an eighth of the picture, over known person pixels.

    Light differs from frame to frame by far more than an expression does, and over larger areas: without each
    neighbourhood's mean difference, lips, lids and brows are what is left to explain.
    """
    difference = (render - target.images) * target.masks
    side = difference.shape[-1] // 8 // 2
    flat = difference.flatten(0, -4)
    local = F.avg_pool2d(flat, 2 * side + 1, 1, side, count_include_pad=False).reshape(difference.shape)
    return _mean((difference - local).abs(), target, target.masks * target.valid)


def alpha_loss(name: str, alpha: Float[Tensor, "*b 1 h w"], target: Target) -> Float[Tensor, ""]:
    """A loss of ``registry.ALPHA`` on alpha, mean over known pixels."""
    return _mean(ALPHA[name](alpha, target.masks), target, target.valid)


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


def _mean(
    values: Float[Tensor, "*b channels h w"], target: Target, counts: Float[Tensor, "*b 1 h w"]
) -> Float[Tensor, ""]:
    """Mean over people of the mean over the pixels that count in a person's pictures, weighted by picture."""
    person = (-4, -3, -2, -1)
    total = (values * counts * target.weights[..., None, None, None]).sum(dim=person)
    return (total / (counts.sum(dim=person) * values.shape[-3]).clamp(min=1)).mean()
