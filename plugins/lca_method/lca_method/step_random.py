"""Random numbers of a training step that do not depend on how many processes share it.

Every process seeds torch alike at the beginning of a step, draws for the people of all of them, and keeps what belongs
to its own: people are dealt to the processes in the order of their ranks.
"""

import torch
import torch.distributed as dist

from lca_shared.tensors import Tensor


def uniform(*shape: int, device: torch.device | str | None = None) -> Tensor:
    """Numbers between 0 and 1; the first axis runs over this process's people (and, after each, their frames)."""
    first, count = _part(shape[0])
    return torch.rand(count, *shape[1:], device=device)[first : first + shape[0]]


def normal(*shape: int, device: torch.device | str | None = None) -> Tensor:
    """Normally distributed numbers, likewise."""
    first, count = _part(shape[0])
    return torch.randn(count, *shape[1:], device=device)[first : first + shape[0]]


def _part(own: int) -> tuple[int, int]:
    """Where this process's part of a first axis begins, and how long the axis of all processes is."""
    if not (dist.is_available() and dist.is_initialized()):
        return 0, own
    return dist.get_rank() * own, dist.get_world_size() * own
