"""The outline of the masks in the studio fit: where it points, what clothes are allowed, and how far it pulls."""

import cv2
import numpy as np
import pytest
import torch

from lca_dataparsers.processing.fitting.point_body import get_point_body
from lca_dataparsers.processing.fitting.targets import ADULT_HEIGHT
from lca_dataparsers.studio_fit.outline import HAIR, LIMB, SIGMA, TRUNK, Outline, allowance, outline_term, outward

HEIGHT = 340.0
"""Pixels of an adult: 200 to a metre."""


def test_normals_of_a_disc_point_away_from_its_middle() -> None:
    mask = np.zeros((120, 140), np.uint8)
    cv2.circle(mask, (70, 60), 40, (255,), -1)
    (outline,), _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = outline[:, 0]
    away = points - np.array([70, 60])
    cosine = (outward(mask, points) * away).sum(axis=1) / np.linalg.norm(away, axis=1)
    assert cosine.min() > 0.99


def test_clothes_are_allowed_on_the_body_alone() -> None:
    body = get_point_body("anny")
    allowed, surface = allowance(body), body.groups["surface"]
    assert len(allowed) == surface.stop - surface.start and float(allowed.max()) == pytest.approx(TRUNK, rel=1e-3)
    for begin, expected in (("head", HAIR), ("finger", 0.0), ("lowerleg", LIMB)):
        moved_by = [i for i, name in enumerate(body.joint_names) if name.startswith(begin)]
        whole = body.weights[surface][:, moved_by].sum(dim=1) > 0.999
        assert whole.any()
        torch.testing.assert_close(allowed[whole], torch.full_like(allowed[whole], expected), atol=1e-4, rtol=0)


def term(gap: torch.Tensor, allowed: float = TRUNK, cutoff: float = 8.0) -> torch.Tensor:
    """Of one outline point that lies ``gap`` metres to the right of the only surface point and 5 cm below it."""
    pixels = HEIGHT / ADULT_HEIGHT
    surface = torch.stack([100.0 - gap * pixels, gap.new_tensor(90.0)]).reshape(1, 1, 2)
    outline = Outline(
        points=torch.tensor([[[100.0, 90.0 + 0.05 * pixels]]]),
        normal=torch.tensor([[[1.0, 0.0]]]),
        weight=torch.ones(1, 1),
        height=torch.tensor([HEIGHT]),
    )
    return outline_term(outline, surface, torch.zeros(1, 1, dtype=torch.long), torch.tensor([allowed]), cutoff)


def test_what_clothes_take_costs_nothing_and_neither_does_a_body_beyond() -> None:
    for gap in (TRUNK, 0.5 * TRUNK, 0.0, -0.03):
        assert float(term(torch.tensor(gap))) == pytest.approx(0.0, abs=1e-6)
    beyond = 0.02
    squared = (beyond / (SIGMA * ADULT_HEIGHT)) ** 2
    assert float(term(torch.tensor(TRUNK + beyond))) == pytest.approx(squared / (1 + squared / 64), rel=1e-3)


def test_a_stout_person_in_a_jacket_still_pulls() -> None:
    """Six centimetres away a wide norm pulls harder than at two, and a narrow one has all but given up."""

    def pull(gap: float, cutoff: float) -> float:
        at = torch.tensor(gap, requires_grad=True)
        term(at, cutoff=cutoff).backward()
        assert at.grad is not None
        return float(at.grad)

    assert pull(TRUNK + 0.06, 8.0) > 1.8 * pull(TRUNK + 0.02, 8.0) > 0
    assert pull(TRUNK + 0.06, 1.5) < 0.25 * pull(TRUNK + 0.06, 8.0)
