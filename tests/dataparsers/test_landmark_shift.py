"""One person's own places of the body landmarks in the studio fit."""

import torch

from lca_dataparsers.processing.fitting.point_body import get_point_body
from lca_dataparsers.studio_fit.landmark_shift import shift_prior, shift_sigma, symmetric, with_landmarks_shifted

BODY = get_point_body("anny")
LEFT, RIGHT, NOSE = (BODY.body_landmarks.index(k) for k in (23, 24, 0))


def test_left_mirrors_right_and_a_second_time_changes_nothing() -> None:
    shift = torch.randn(len(BODY.body_landmarks), 3, generator=torch.Generator().manual_seed(0))
    even = symmetric(BODY, shift)
    torch.testing.assert_close(even[LEFT], even[RIGHT] * torch.tensor([-1.0, 1.0, 1.0]))
    assert float(even[NOSE, 0]) == 0.0
    torch.testing.assert_close(symmetric(BODY, even), even)


def test_only_body_landmarks_move() -> None:
    shift = torch.zeros(len(BODY.body_landmarks), 3)
    shift[LEFT], shift[RIGHT] = torch.tensor([0.01, -0.02, -0.05]), torch.tensor([-0.01, -0.02, -0.05])
    moved = with_landmarks_shifted(BODY, shift).points - BODY.points
    group = BODY.groups["body"]
    torch.testing.assert_close(moved[group], shift)
    moved[group] = 0.0
    assert float(moved.abs().max()) == 0.0


def test_hips_may_lie_farther_off_than_others() -> None:
    sigma = shift_sigma(BODY)[:, 0]
    assert float(sigma[LEFT]) > 2 * float(sigma[NOSE])
    shift = torch.zeros(len(BODY.body_landmarks), 3)
    shift[LEFT, 2] = sigma[LEFT]
    assert float(shift_prior(BODY, shift)) == 0.5
