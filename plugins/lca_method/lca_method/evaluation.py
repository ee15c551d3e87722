"""Scores of renders against held-out pictures, on person pixels only, and simple baselines to compare with."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from lca_method.batch import SubjectBatch
from lca_shared.metrics import masked_l1, masked_lpips, masked_psnr
from lca_shared.perceptual import LPIPS
from lca_shared.tensors import Float, Tensor

Predictor = Callable[[SubjectBatch], Tensor]
"""From a batch of one subject and one target to a picture [3, height, width] of that target, sRGB 0..1."""


@dataclass(frozen=True)
class ImageScore:
    """How close one render is to its picture."""

    subject: str
    row: int
    """Row of the subject's frame table."""
    psnr: float
    """dB"""
    l1: float
    lpips: float | None
    """None when the weights of LPIPS were not there."""


def person_mask(batch: SubjectBatch) -> Float[Tensor, "1 h w"]:
    """The person's pixels of the first target that lie inside the picture."""
    targets = batch.targets
    mask = targets.masks[0, 0]
    return mask if targets.valid is None else mask * targets.valid[0, 0]


def score(
    picture: Float[Tensor, "3 h w"], truth: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"], lpips: LPIPS | None
) -> dict[str, float | None]:
    """Masked PSNR (dB), L1 and LPIPS of one picture; LPIPS is None without its network."""
    return {
        "psnr": float(masked_psnr(picture, truth, mask)),
        "l1": float(masked_l1(picture, truth, mask)),
        "lpips": None if lpips is None else float(masked_lpips(lpips, picture, truth, mask)),
    }


def evaluate(
    views: Iterable[tuple[int, SubjectBatch]], predictors: Mapping[str, Predictor], lpips: LPIPS | None
) -> dict[str, list[ImageScore]]:
    """Score every predictor on every view.

    Args:
        views: row and batch (one subject, one target, leading axis kept) of each picture to be predicted.
        predictors: by name.
        lpips: None leaves LPIPS out.
    """
    scores: dict[str, list[ImageScore]] = {name: [] for name in predictors}
    with torch.no_grad():
        for row, batch in views:
            truth, mask = batch.targets.images[0, 0], person_mask(batch)
            for name, predict in predictors.items():
                scores[name].append(ImageScore(batch.ids[0], row, **score(predict(batch), truth, mask, lpips)))  # type: ignore[arg-type]
    return scores


def summary(scores: Sequence[ImageScore]) -> dict[str, float | int | None]:
    """Means over pictures: ``psnr``, ``l1``, ``lpips`` and how many ``images``.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no picture was scored")
    lpips = [value.lpips for value in scores if value.lpips is not None]
    return {
        "psnr": fmean(value.psnr for value in scores),
        "l1": fmean(value.l1 for value in scores),
        "lpips": fmean(lpips) if len(lpips) == len(scores) else None,
        "images": len(scores),
    }


def constant_color(color: Float[Tensor, "3"]) -> Predictor:
    """The baseline that knows the true mask and paints it in one colour."""

    def predict(batch: SubjectBatch) -> Tensor:
        return color.to(batch.targets.images)[:, None, None].expand(batch.targets.images.shape[-3:])

    return predict


def mean_person_color(batches: Iterable[SubjectBatch]) -> Float[Tensor, "3"]:
    """Mean colour of the person pixels of the batches' targets, sRGB.

    Raises:
        ValueError: there is no person pixel.
    """
    total, count = torch.zeros(3), torch.zeros(())
    for batch in batches:
        images, masks = batch.targets.images, batch.targets.masks
        total += (images * masks).sum(dim=(0, 1, 3, 4)).cpu()
        count += masks.sum().cpu()
    if not float(count) > 0:
        raise ValueError("there is no person pixel to take the mean colour of")
    return total / count
