"""Scores of pictures, on the whole person and on parts of the body, and their means over people."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch

from lca_method.analysis.region_pixels import region_pixels
from lca_method.batch import SubjectBatch
from lca_method.evaluating.bootstrap import Interval, bootstrap_mean
from lca_method.evaluation import person_mask
from lca_shared.body.compact_body import CompactBody
from lca_shared.metrics import masked_l1, masked_lpips, masked_psnr, masked_ssim
from lca_shared.perceptual import LPIPS
from lca_shared.tensors import Bool, Float, Tensor

METRICS = ("psnr", "l1", "ssim", "lpips")
REGIONS = {"person": None, "face": "face", "hands": "hands", "garment": None}
"""Reported regions and the body's regions they are: person = the whole mask, garment = the mask of a loose garment, in
datasets that have it."""
_FEWEST_PIXELS = 16
"""A part of the body that covers less is not scored: it says more about the mask's edge than about the avatar."""


@dataclass(frozen=True)
class PictureScore:
    """One render against its picture."""

    subject: str
    row: int
    values: Mapping[str, float]
    """``region_metric`` -> number; NaN where the region is not in the picture or LPIPS was not measured."""


def region_masks(batch: SubjectBatch, body: CompactBody) -> dict[str, Bool[Tensor, "1 h w"]]:
    """Pixels of each of :data:`REGIONS` in a batch's first target: person pixels inside the picture, and of those the
    ones where the fitted body shows the part (``region_pixels``), or the loose garment's mask."""
    person = person_mask(batch)
    names = [name for name in REGIONS.values() if name is not None]
    shown = region_pixels(body, batch.shape, batch.targets.driving, batch.targets.cameras, names)[0, 0]
    parts = dict(zip(names, shown))
    masks = {name: person > 0.5 if part is None else (person > 0.5) & parts[part] for name, part in REGIONS.items()}
    worn = batch.targets.garments
    masks["garment"] &= torch.zeros_like(masks["garment"]) if worn is None else worn[0, 0] > 0.5
    return masks


def score_picture(
    picture: Float[Tensor, "3 h w"], batch: SubjectBatch, row: int, body: CompactBody, lpips: LPIPS | None
) -> PictureScore:
    """Score a render of a batch's first target.

    The person's figures weigh pixels with the soft mask, as ``ns-eval`` does; a part's are over its whole pixels.
    """
    truth, masks = batch.targets.images[0, 0], region_masks(batch, body)
    values: dict[str, float] = {}
    for name, pixels in masks.items():
        mask = person_mask(batch) if name == "person" else pixels.to(truth)
        enough = name == "person" or int(pixels.sum()) >= _FEWEST_PIXELS
        measured = {
            "psnr": masked_psnr(picture, truth, mask),
            "l1": masked_l1(picture, truth, mask),
            "ssim": masked_ssim(picture, truth, mask),
            "lpips": torch.tensor(math.nan) if lpips is None else masked_lpips(lpips, picture, truth, mask),
        }
        values |= {f"{name}_{metric}": float(value) if enough else math.nan for metric, value in measured.items()}
    return PictureScore(batch.ids[0], row, values)


def means_of_people(scores: Iterable[PictureScore]) -> dict[str, dict[str, float]]:
    """Person -> mean of each value over the person's pictures in which it could be measured (NaN if in none)."""
    people: dict[str, list[PictureScore]] = {}
    for score in scores:
        people.setdefault(score.subject, []).append(score)
    return {name: {key: _mean([s.values[key] for s in own]) for key in own[0].values} for name, own in people.items()}


def intervals(scores: Sequence[PictureScore], samples: int, seed: int) -> dict[str, Interval | None]:
    """Mean over people of each value (each person counts the same) with its bootstrap interval.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("no picture was scored")
    people = means_of_people(scores)
    return {
        key: bootstrap_mean([values[key] for values in people.values()], samples, seed=seed) for key in scores[0].values
    }


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan
