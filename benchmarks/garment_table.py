"""The table and the pictures of ``benchmarks.garment``."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import torch

from lca_method.demo.contact_sheet import Row, contact_sheet
from lca_method.evaluating.test_set import TestSet
from lca_method.evaluation import person_mask
from lca_method.trained_network import TrainedNetwork

_CELL = 256
_COLUMNS = ("test people", "model", "L1", "LPIPS", "PSNR (dB)", "with beside (dB)", "inside (dB)", "whole person (dB)")
_COLUMNS += ("split (mm)", "error at the outline (%)", "drawn beside (%)")


@dataclass(frozen=True)
class Measured:
    """A model on a test set."""

    data: str
    model: str
    people: Sequence[Mapping[str, float]]
    """Of each person: means over their pictures, and ``hem``, see ``garment_scores.hem_from_hips``.

    ``person``, ``psnr``, ``around``, ``inside``: dB; ``l1``; ``lpips``; ``split``: mm. psnr, l1, lpips: the garment's
    pixels, where there is one, else on the person's; around also on the background beside them, inside without those
    at the person's outline; rim is the share of the squared error that lies there. beside: how much is drawn on that
    background, over the garment's pixels."""

    @property
    def means(self) -> dict[str, float]:
        """Over people."""
        return {key: fmean(person[key] for person in self.people) for key in self.people[0]}


def print_table(measured: Sequence[Measured]) -> None:
    """As Markdown; below each test set what nodes win, with the standard error over its people."""
    print(f"| {' | '.join(_COLUMNS)} |\n|{' --- |' * len(_COLUMNS)}")
    for one in measured:
        m = one.means
        decibels = " | ".join(f"{m[key]:.2f}" for key in ("psnr", "around", "inside", "person"))
        shares = f"{100 * m['rim']:.0f} | {100 * m['beside']:.1f}"
        numbers = f"{m['l1']:.4f} | {m['lpips']:.4f} | {decibels} | {m['split']:.1f} | {shares}"
        print(f"| {one.data} ({len(one.people)}) | {one.model} | {numbers} |")
    found = {(one.data, one.model): one.people for one in measured}
    garments: list[Gain] = []
    for data in dict.fromkeys(one.data for one in measured if one.model == "with"):
        gains = [
            Gain(w["psnr"] - o["psnr"], w["around"] - o["around"], w["inside"] - o["inside"], w.get("hem"))
            for w, o in zip(found[data, "with"], found[data, "without"])
        ]
        _print_gain(data, gains)
        print("  of each: " + ", ".join(f"{one.own:+.1f}/{one.around:+.1f}" for one in gains))
        garments += [one for one in gains if one.hem is not None]
        for name, below in (("above", False), ("below", True)):
            some = [one for one in gains if one.hem is not None and (one.hem > 1) == below]
            if some:
                _print_gain(f"  {data}, hem {name} the knee", some)
    if garments:
        _print_gain("all garments", garments)


@dataclass(frozen=True)
class Gain:
    """What nodes win on one person, dB."""

    own: float
    """On the garment's pixels, where there is one, else on the person's."""
    around: float
    """With what is beside it."""
    inside: float
    """Without the pixels at the person's outline."""
    hem: float | None
    """How far down the garment reaches: 1 = to the knee."""


def _print_gain(name: str, gains: Sequence[Gain]) -> None:
    own, around, inside = (_with_error([getattr(one, key) for one in gains]) for key in ("own", "around", "inside"))
    print(f"{name} ({len(gains)}): with nodes {own} dB, with what is beside it {around} dB, inside {inside} dB")


def _with_error(values: Sequence[float]) -> str:
    return f"{fmean(values):+.2f} ± {stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan:.2f}"


def stride_sheet(data: str, models: Mapping[str, TrainedNetwork], test_set: TestSet) -> list[np.ndarray]:
    """A row for each test person: of their pictures the one with the widest stride, drawn by each model."""
    rows = []
    for draw in test_set.draws:
        batches = [test_set.batch(draw, row) for row in draw.targets]
        batch = max(batches, key=lambda one: stride(models["before"], one))
        mask = person_mask(batch)
        truth = batch.targets.images[0, 0] * mask + 1 - mask
        drawn = [(model.picture(model.encode(batch), batch),) for model in models.values()]
        caption = f"{data}, {draw.subject}: stride {stride(models['before'], batch):.2f} m"
        rows.append(Row(((truth,), *drawn), caption))
    return [contact_sheet(["truth", *models], rows, _CELL)]


def stride(model: TrainedNetwork, batch) -> float:
    """Distance of the feet along the floor, metres."""
    body, driving = model.body, batch.targets.driving
    with torch.no_grad():
        joints = body.posed(body.shaped_joints(batch.shape[:, None]), driving.pose[:, :1]).joints[0, 0]
    left, right = (joints[body.joint_names.index(name)] for name in ("foot.L", "foot.R"))
    return float((left - right)[:2].norm())
