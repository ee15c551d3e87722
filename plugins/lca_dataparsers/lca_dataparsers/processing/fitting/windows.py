"""Clips of any length: windows that overlap, frames between fitted ones, and joins without a step."""

from itertools import pairwise

import numpy as np
import torch

from lca_dataparsers.processing.fitting.state import FitState
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


def windows(frames: int, length: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of windows of about equal length that cover all frames and share ``overlap``.

    Raises:
        ValueError: the overlap is not smaller than the length.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"windows of {length} frames cannot share {overlap}")
    if frames <= length:
        return [(0, frames)]
    count = int(np.ceil((frames - overlap) / (length - overlap)))
    starts = np.linspace(0, frames - overlap, count + 1).round().astype(int)
    return [(int(start), int(end) + overlap) for start, end in pairwise(starts)]


def coarse_frames(times: Float[np.ndarray, "frames"], rate: float) -> np.ndarray:
    """Indices of about ``rate`` frames a second, with the first and the last."""
    if len(times) < 3:
        return np.arange(len(times))
    step = float(np.median(np.diff(times)))
    stride = max(1, round(1.0 / (rate * step))) if step > 0 else 1
    return np.unique(np.append(np.arange(0, len(times), stride), len(times) - 1))


def interpolated(state: FitState, at: np.ndarray, times: Float[np.ndarray, "frames"]) -> FitState:
    """The state at all ``times`` from the one fitted at the frames ``at``: straight lines, and shortest turns of the
    root.
    """
    if len(at) == len(times):
        return state
    known = times[at]
    above = np.searchsorted(known, times, side="left").clip(1, len(at) - 1)
    below = above - 1
    share = (times - known[below]) / np.maximum(known[above] - known[below], 1e-9)
    weight = torch.from_numpy(share.clip(0.0, 1.0).astype(np.float32)).to(state.translation)
    return blended(state[torch.from_numpy(below)], state[torch.from_numpy(above)], weight)


def blended(first: FitState, second: FitState, weight: Float[Tensor, "frames"]) -> FitState:
    """``first`` where ``weight`` is 0, ``second`` where it is 1; the person is that of ``first``."""
    w = weight[:, None]
    turn = matrix_to_rotation_vector(second.root @ first.root.mT)
    return FitState(
        shape=first.shape,
        log_focal=first.log_focal,
        root_start=rotation_vector_to_matrix(w * turn) @ first.root,
        root_delta=torch.zeros_like(first.root_delta),
        translation=torch.lerp(first.translation, second.translation, w),
        rotations=torch.lerp(first.rotations, second.rotations, w[..., None]),
    )


def joined(parts: list[FitState], spans: list[tuple[int, int]]) -> FitState:
    """States of windows as one; where two share frames the weight moves smoothly from one to the other."""
    whole, end = parts[0], spans[0][1]
    for part, (start, next_end) in zip(parts[1:], spans[1:], strict=True):
        shared = end - start
        if shared > 0:
            line = (torch.arange(shared) + 0.5) / shared
            weight = (line * line * (3.0 - 2.0 * line)).to(whole.translation)
            middle = blended(whole[-shared:], part[:shared], weight)
            whole = _appended(_appended(whole[:-shared], middle), part[shared:])
        else:
            whole = _appended(whole, part)
        end = next_end
    return whole


def _appended(first: FitState, second: FitState) -> FitState:
    return FitState(
        first.shape,
        first.log_focal,
        *(
            torch.cat([getattr(first, name), getattr(second, name)])
            for name in ("root_start", "root_delta", "translation", "rotations")
        ),
    )
