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


@dataclass(frozen=True)
class Measured:
    """A model on a test set."""

    data: str
    model: str
    people: Sequence[Mapping[str, float]]
    """Of each person: means over their pictures.

    ``person``, ``psnr``, ``around``: dB; ``l1``; ``lpips``; ``split``: mm. psnr, l1 and lpips are on the garment's
    pixels, where there is one, else on the person's; around also on the background beside them."""

    @property
    def means(self) -> dict[str, float]:
        """Over people."""
        return {key: fmean(person[key] for person in self.people) for key in self.people[0]}


def print_table(measured: Sequence[Measured]) -> None:
    """As Markdown; below each test set what nodes win, with the standard error over its people."""
    print("| test people | model | L1 | LPIPS | PSNR (dB) | with beside (dB) | whole person (dB) | split (mm) |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for one in measured:
        m = one.means
        decibels = " | ".join(f"{m[key]:.2f}" for key in ("psnr", "around", "person"))
        numbers = f"{m['l1']:.4f} | {m['lpips']:.4f} | {decibels} | {m['split']:.1f}"
        print(f"| {one.data} ({len(one.people)}) | {one.model} | {numbers} |")
    found = {(one.data, one.model): one.people for one in measured}
    for data in dict.fromkeys(one.data for one in measured if one.model == "with"):
        pairs = list(zip(found[data, "with"], found[data, "without"]))
        gain, around = ([w[key] - o[key] for w, o in pairs] for key in ("psnr", "around"))
        print(f"{data}: with nodes {_with_error(gain)} dB, with what is beside it {_with_error(around)} dB")
        print("  of each: " + ", ".join(f"{one:+.1f}/{other:+.1f}" for one, other in zip(gain, around)))


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
