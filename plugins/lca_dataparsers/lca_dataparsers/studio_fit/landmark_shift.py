"""Where detectors see one person's landmarks: clothes and build move them off their usual place on the body."""

from dataclasses import replace

import torch

from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.studio_fit.triangulate import MIRRORED
from lca_shared.tensors import Float, Tensor

SIGMA = 0.02
"""Metres: how far a person's landmark lies off the table of correspondences, on each axis of the rest pose."""
HIP_SIGMA = 0.06
"""The same of hips: trousers and skirts hide them, and detectors guess."""


def shift_sigma(body: PointBody) -> Float[Tensor, "landmarks 1"]:
    """Metres, for each body landmark of ``body``."""
    return body.points.new_tensor([HIP_SIGMA if k in (23, 24) else SIGMA for k in body.body_landmarks])[:, None]


def symmetric(body: PointBody, shift: Float[Tensor, "landmarks 3"]) -> Float[Tensor, "landmarks 3"]:
    """The nearest shift whose left is the mirror of its right (x of the rest pose points to the person's left)."""
    partner = [body.body_landmarks.index(int(MIRRORED[k])) for k in body.body_landmarks]
    return 0.5 * (shift + shift[partner] * shift.new_tensor([-1.0, 1.0, 1.0]))


def with_landmarks_shifted(body: PointBody, shift: Float[Tensor, "landmarks 3"]) -> PointBody:
    """``body`` with its body landmarks moved in the rest pose, metres; they stay on their joints."""
    group = body.groups["body"]
    moved = body.points[group] + symmetric(body, shift)
    return replace(body, points=torch.cat([body.points[: group.start], moved, body.points[group.stop :]]))


def shift_prior(body: PointBody, shift: Float[Tensor, "landmarks 3"]) -> Float[Tensor, ""]:
    """Half the squared shift in standard deviations: one person, so it does not grow with moments or views."""
    return 0.5 * (shift / shift_sigma(body)).square().sum()
