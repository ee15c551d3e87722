"""One stage of the search: Adam over the chosen unknowns of all frames at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.state import FitState, Prediction, predict
from lca_dataparsers.processing.fitting.targets import Targets
from lca_dataparsers.processing.fitting.terms import TERMS, TermContext
from lca_dataparsers.processing.fitting.terms.head_outline import outline_partners
from lca_shared.tensors import Float, Int, Tensor

SILHOUETTE_TERMS = ("outside", "coverage", "head_outline")
PARTNER_REFRESH = 20
"""Iterations between searches for the surface points nearest to the mask's outline."""
SHAPE_RATE, FOCAL_RATE = 3.0, 0.2
"""Learning rates of shape and focal length over the stage's."""


@dataclass(frozen=True)
class Stage:
    """Some iterations with one set of weights."""

    name: str
    iterations: int
    rate: float
    """Learning rate at the start: radians and metres an iteration."""
    weights: dict[str, float]
    """Weight of each term that takes part, by name."""
    free: tuple[str, ...] = ("pose", "translation")
    """``pose``, ``translation``, ``shape``, ``focal``."""
    cutoff: float = 5.0
    """Of the robust norm of body points, in standard deviations."""


@dataclass(frozen=True)
class Problem:
    """What stays the same for all frames while searching."""

    body: PointBody
    limits: LimitTable
    config: FitConfig
    focal: float
    """Prior of the focal length, pixels."""
    focal_sigma: float
    shape_mask: Float[Tensor, "coefficients"]
    """0 for coefficients that are not fitted."""
    advance: Callable[[int], None] = field(default=lambda frames: None)
    """Called after each iteration with the number of frames it went through, for a progress bar."""

    def predict(
        self, targets: Targets, state: FitState, displacements: Float[Tensor, "frames face 3"] | None = None
    ) -> Prediction:
        """Where the points of a state lie; ``displacements`` of the face points follow from the targets' expression."""
        if displacements is None:
            displacements = self.body.face_displacements(targets.expression)
        return predict(state, self.body, displacements, self.focal, targets.picture)


def run_stage(problem: Problem, targets: Targets, state: FitState, stage: Stage) -> FitState:
    """Lower the objective from ``state``; the result has no gradients."""
    config = problem.config
    weights = {name: value * getattr(config.weights, name) for name, value in stage.weights.items()}
    weights = {name: value for name, value in weights.items() if value}
    silhouette = any(name in weights for name in SILHOUETTE_TERMS)
    problem = problem if silhouette else replace(problem, body=problem.body.without_surface())
    displacements = problem.body.face_displacements(targets.expression)
    state = state.settled()
    optimiser, scheduler = _optimiser(state, stage, config)
    partner = torch.zeros_like(targets.contour_weight, dtype=torch.long)
    beside = torch.zeros_like(targets.outline[..., 0], dtype=torch.long)
    for iteration in range(_iterations(stage, config)):
        optimiser.zero_grad()
        prediction = problem.predict(targets, state, displacements)
        if silhouette and iteration % PARTNER_REFRESH == 0:
            partner = nearest_surface_points(prediction, targets)
            beside = outline_partners(prediction, targets)
        context = TermContext(
            prediction, targets, problem.limits, config, problem.focal_sigma, partner, beside, stage.cutoff
        )
        total = torch.stack([weight * TERMS[name](context) for name, weight in weights.items()]).sum()
        total.backward()
        optimiser.step()
        scheduler.step()
        with torch.no_grad():
            state.rotations.copy_(problem.limits.fitted_part(state.rotations))
            if state.shape.requires_grad:
                state.shape.mul_(problem.shape_mask)
        problem.advance(len(targets))
    return state.settled()


def nearest_surface_points(prediction: Prediction, targets: Targets) -> Int[Tensor, "frames contour"]:
    """Index of the surface point nearest to each point of the mask's outline."""
    with torch.no_grad():
        surface = prediction.pixels["surface"]
        chunks = [
            torch.cdist(targets.contour[i : i + 32], surface[i : i + 32]).argmin(dim=-1)
            for i in range(0, len(surface), 32)
        ]
    return torch.cat(chunks)


def _iterations(stage: Stage, config: FitConfig) -> int:
    return max(10, round(stage.iterations * config.effort))


def _optimiser(
    state: FitState, stage: Stage, config: FitConfig
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.LambdaLR]:
    """Adam over what the stage frees, with a cosine from the stage's rate to a tenth of it."""
    unknowns = {
        "pose": ([state.rotations, state.root_delta], 1.0),
        "translation": ([state.translation], 1.0),
        "shape": ([state.shape], SHAPE_RATE),
        "focal": ([state.log_focal], FOCAL_RATE),
    }
    groups = []
    for name in stage.free:
        tensors, factor = unknowns[name]
        groups.append({"params": [t.requires_grad_(True) for t in tensors], "lr": factor * stage.rate})
    optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
    total = _iterations(stage, config)
    cosine = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: 0.1 + 0.45 * (1.0 + math.cos(math.pi * i / total)))
    return optimiser, cosine


def stage_cost(stages: tuple[Stage, ...], frames: int, config: FitConfig) -> int:
    """Frames times iterations: what a progress bar counts."""
    return frames * sum(_iterations(stage, config) for stage in stages)
