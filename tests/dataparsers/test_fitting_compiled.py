"""The compiled objective of the body fit against the torch terms and their automatic derivatives."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations, moving_pose

from lca_dataparsers.processing.fitting.compiled.objective import Objective, Person
from lca_dataparsers.processing.fitting.compiled.unknowns import Adam, Unknowns
from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import make_limit_table
from lca_dataparsers.processing.fitting.optimise import nearest_surface_points
from lca_dataparsers.processing.fitting.point_body import FEW_SURFACE_POINTS, get_point_body
from lca_dataparsers.processing.fitting.state import FitState, Prediction, predict
from lca_dataparsers.processing.fitting.targets import Targets, make_targets
from lca_dataparsers.processing.fitting.terms import TERMS, TermContext
from lca_dataparsers.processing.fitting.terms.head_outline import outline_partners
from lca_shared.body import get_body_model
from lca_shared.rotations import rotation_vector_to_matrix

FOCAL, SIGMA, CUTOFF = 600.0, 0.12, 6.0


@pytest.fixture(scope="module")
def case() -> tuple[Person, Targets, FitState]:
    """A person, targets of five frames at uneven times, and a state off the truth."""
    body, pose = get_body_model("anny"), moving_pose(5)
    seen = made_observations(torch.zeros(len(body.shape_names)), pose, level_camera(5, 3.0, FOCAL, (256, 384)))
    seen.times[3:] += 0.03
    seen.body_visibility[1, 20:] = 0.4
    seen.face_points[2] = np.nan
    points = get_point_body("anny", FEW_SURFACE_POINTS)
    still = torch.tensor([[1.0, 0.5], [0.8, 0.0], [1.0, 0.7], [0.3, 0.9], [1.0, 1.0]])
    targets = replace(make_targets(seen, body.driven_joints, points), foot_still=still)
    person = Person(points, make_limit_table(body), FitConfig(), FOCAL, SIGMA)
    random = torch.Generator().manual_seed(1)

    def noise(*size: int) -> torch.Tensor:
        return 0.05 * torch.randn(*size, generator=random)

    rotations = pose.joint_rotations + 3 * noise(5, 52, 3)
    rotations[0, :4] = 1e-4 * noise(4, 3)  # where series stand for quotients
    state = FitState(
        shape=noise(len(body.shape_names)),
        log_focal=noise(1)[0],
        root_start=rotation_vector_to_matrix(pose.root_rotation + noise(5, 3)),
        root_delta=noise(5, 3),
        translation=pose.root_translation + torch.tensor([0.0, 3.0, 0.0]) + noise(5, 3),
        rotations=rotations,
    )
    return person, targets, state


def in_torch(person: Person, targets: Targets, state: FitState) -> Prediction:
    """The prediction of the reference, in double precision."""
    points = person.body.to(torch.float64)
    return predict(state, points, points.face_displacements(targets.expression), FOCAL, targets.picture)


def doubled(value: object) -> dict:
    return {name: part.double() for name, part in vars(value).items()}


@pytest.mark.parametrize("name", sorted(TERMS))
def test_terms_and_gradients_are_those_of_torch(name: str, case: tuple[Person, Targets, FitState]) -> None:
    person, targets, state = case
    exact = Targets(**doubled(targets))
    inputs = {k: v.requires_grad_(True) for k, v in doubled(state).items() if k != "root_start"}
    prediction = in_torch(person, exact, FitState(root_start=state.root_start.double(), **inputs))
    partner, beside = nearest_surface_points(prediction, exact), outline_partners(prediction, exact)
    limits = person.limits.to(torch.float64)
    context = TermContext(prediction, exact, limits, person.config, SIGMA, partner, beside, CUTOFF)
    value = TERMS[name](context)
    theirs = dict(zip(inputs, torch.autograd.grad(3.0 * value, list(inputs.values()), allow_unused=True)))

    objective = Objective(person, targets, {name: 3.0}, CUTOFF)
    at = Unknowns.of(state, shape_is_free=True)
    objective.pose(at)
    if objective.silhouette:
        objective.find_partners()
    values, ours = objective.gradient(at)
    assert float(value.detach()) > 0.0
    assert values == {name: pytest.approx(float(value.detach()), rel=1e-3, abs=1e-6)}
    largest = max(float(gradient.abs().max()) for gradient in theirs.values() if gradient is not None)
    for unknown, gradient in theirs.items():
        expected = np.zeros_like(getattr(ours, unknown)) if gradient is None else gradient.numpy()
        scale = max(0.02 * largest, np.abs(expected).max())
        np.testing.assert_allclose(getattr(ours, unknown) / scale, expected / scale, atol=2e-3, err_msg=unknown)


def test_points_are_where_torch_puts_them(case: tuple[Person, Targets, FitState]) -> None:
    person, targets, state = case
    objective = Objective(person, targets, {"outside": 1.0}, CUTOFF)
    objective.pose(Unknowns.of(state))
    prediction = in_torch(person, Targets(**doubled(targets)), FitState(**doubled(state)))
    theirs = torch.cat(list(prediction.pixels.values()), dim=1)
    np.testing.assert_allclose(objective.pixels, theirs.numpy(), atol=2e-3)


def test_photos_are_not_smoothed(case: tuple[Person, Targets, FitState]) -> None:
    person, targets, state = case
    photos = replace(person, config=FitConfig(independent_frames=True))
    values, slope = Objective(photos, targets, {"smoothness": 1.0}, CUTOFF).gradient(Unknowns.of(state))
    assert values == {"smoothness": 0.0} and not slope.rotations.any() and not slope.translation.any()


def test_adam_is_torchs(case: tuple[Person, Targets, FitState]) -> None:
    state = case[2]
    at, theirs = Unknowns.of(state), state.rotations.clone().requires_grad_(True)
    ours, reference = Adam({"rotations": (at.rotations, 0.02)}), torch.optim.Adam([theirs], 0.02, betas=(0.9, 0.99))
    random = np.random.default_rng(0)
    for factor in (1.0, 0.7, 0.3):
        slope = Unknowns.zeros_like(at)
        slope.rotations[:] = random.normal(size=slope.rotations.shape)
        theirs.grad = torch.from_numpy(slope.rotations.copy())
        reference.param_groups[0]["lr"] = 0.02 * factor
        reference.step()
        ours.step(slope, factor)
    np.testing.assert_allclose(at.rotations, theirs.detach().numpy(), atol=1e-6)
