"""One stage of the search: Adam over the chosen unknowns of all frames at once."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from lca_dataparsers.processing.fitting.compiled.objective import Objective, Person
from lca_dataparsers.processing.fitting.compiled.unknowns import Adam, Unknowns, keep_fitted
from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.limits import LimitTable
from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.state import FitState, Prediction, predict
from lca_dataparsers.processing.fitting.targets import Targets
from lca_shared.tensors import Float, Int, Tensor

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
    person = Person(problem.body, problem.limits, config, problem.focal, problem.focal_sigma)
    objective = Objective(person, targets, {name: value for name, value in weights.items() if value}, stage.cutoff)
    at = Unknowns.of(state.settled(), shape_is_free="shape" in stage.free)
    free, shape_mask = _fitted_axes(problem.limits), problem.shape_mask.numpy()
    optimiser, iterations = _optimiser(at, stage), _iterations(stage, config)
    for iteration in range(iterations):
        if objective.silhouette and iteration % PARTNER_REFRESH == 0:
            objective.pose(at)
            objective.find_partners()
        _, slope = objective.gradient(at)
        # a cosine from the stage's rate to a tenth of it
        optimiser.step(slope, 0.1 + 0.45 * (1.0 + math.cos(math.pi * iteration / iterations)))
        keep_fitted(free, at.rotations)
        at.shape[...] *= shape_mask
        problem.advance(len(targets))
    return at.state().settled()


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


def _optimiser(at: Unknowns, stage: Stage) -> Adam:
    """Adam over what the stage frees."""
    unknowns = {
        "pose": (("rotations", 1.0), ("root_delta", 1.0)),
        "translation": (("translation", 1.0),),
        "shape": (("shape", SHAPE_RATE),),
        "focal": (("log_focal", FOCAL_RATE),),
    }
    chosen = [part for name in stage.free for part in unknowns[name]]
    return Adam({name: (getattr(at, name), factor * stage.rate) for name, factor in chosen})


def _fitted_axes(limits: LimitTable) -> np.ndarray:
    """[driven, 3, 3] float32: what each joint's rotation vector is multiplied by to keep the axes that are fitted."""
    return (limits.frames.mT @ (limits.free[..., None] * limits.frames)).numpy()


def stage_cost(stages: tuple[Stage, ...], frames: int, config: FitConfig) -> int:
    """Frames times iterations: what a progress bar counts."""
    return frames * sum(_iterations(stage, config) for stage in stages)
