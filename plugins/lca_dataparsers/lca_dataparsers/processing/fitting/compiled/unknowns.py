"""What a stage searches for, as arrays, and Adam over them."""

from dataclasses import dataclass, fields

import numpy as np
import torch

from lca_dataparsers.processing.fitting.state import FitState
from lca_shared.rendering.numba_kernel import kernel

BETAS, EPSILON = (0.9, 0.99), 1e-8


@dataclass(frozen=True)
class Unknowns:
    """Arrays (float32) of a :class:`FitState`; also of its gradient, without ``root_start``."""

    shape: np.ndarray
    log_focal: np.ndarray
    """[] ; changed in place, as all."""
    root_start: np.ndarray
    root_delta: np.ndarray
    translation: np.ndarray
    rotations: np.ndarray
    shape_is_free: bool = False
    """Whether gradients by the shape are wanted."""

    @staticmethod
    def of(state: FitState, shape_is_free: bool = False) -> "Unknowns":
        """Copies of a state's tensors."""
        arrays = {f.name: getattr(state, f.name).detach().numpy().copy() for f in fields(FitState)}
        return Unknowns(**arrays, shape_is_free=shape_is_free)

    @staticmethod
    def zeros_like(other: "Unknowns") -> "Unknowns":
        """A gradient to be added to."""
        return Unknowns(**{f.name: np.zeros_like(getattr(other, f.name)) for f in fields(FitState)})

    def state(self) -> FitState:
        """As tensors that share the memory."""
        return FitState(**{f.name: torch.from_numpy(getattr(self, f.name)) for f in fields(FitState)})


class Adam:
    """D. P. Kingma and J. Ba, "Adam: a method for stochastic optimization", 2015, as torch's does it.

    torch's own loads its compiler when first used, which takes longer than a fit.

    Args:
        arrays: changed in place, with each one's learning rate.
    """

    def __init__(self, arrays: dict[str, tuple[np.ndarray, float]]) -> None:
        self._arrays = arrays
        self._moments = {name: (np.zeros_like(a), np.zeros_like(a)) for name, (a, _) in arrays.items()}
        self._steps = 0

    def step(self, slope: Unknowns, factor: float) -> None:
        """Move against a gradient; ``factor`` on all learning rates."""
        self._steps += 1
        for name, (array, rate) in self._arrays.items():
            first, second = self._moments[name]
            _adam(
                *(array.reshape(-1), getattr(slope, name).reshape(-1), first.reshape(-1), second.reshape(-1)),
                *(rate * factor, *BETAS, self._steps, EPSILON),
            )


@kernel(nogil=True)
def _adam(
    array: np.ndarray,
    slope: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    rate: float,
    beta1: float,
    beta2: float,
    steps: int,
    epsilon: float,
) -> None:
    size = rate / (1.0 - beta1**steps)
    root = np.sqrt(1.0 - beta2**steps)
    for i in range(len(array)):
        first[i] = beta1 * first[i] + (1.0 - beta1) * slope[i]
        second[i] = beta2 * second[i] + (1.0 - beta2) * slope[i] * slope[i]
        array[i] -= size * first[i] / (np.sqrt(second[i]) / root + epsilon)


@kernel(nogil=True)
def keep_fitted(axes: np.ndarray, rotations: np.ndarray) -> None:
    """Multiply rotation vectors [T, D, 3] by [D, 3, 3], in place."""
    for t in range(len(rotations)):
        for d in range(rotations.shape[1]):
            x, y, z = rotations[t, d, 0], rotations[t, d, 1], rotations[t, d, 2]
            for i in range(3):
                rotations[t, d, i] = axes[d, i, 0] * x + axes[d, i, 1] * y + axes[d, i, 2] * z
