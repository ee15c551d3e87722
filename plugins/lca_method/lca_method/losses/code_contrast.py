"""Telling a person's own frames apart by their codes."""

import torch
from torch.nn import functional as F

from lca_shared.tensors import Float, Tensor

TEMPERATURE = 0.2


def code_contrast(
    first: Float[Tensor, "*b targets code"],
    second: Float[Tensor, "*b targets code"],
    seen: Float[Tensor, "*b targets"],
) -> Float[Tensor, ""]:
    """Cross-entropy of finding, for each frame, its other copy among the copies of the same person's frames.

    Only frames of one person are compared (InfoNCE on cosines, temperature 0.2). So codes must tell frames apart and
    cannot shrink to a constant, as they could if they only had to agree, while telling people apart gains nothing.

    Args:
        first: codes of some frames.
        second: codes of the same frames, changed at random another time.
        seen: 1 = counts.
    """
    cosines = F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).mT / TEMPERATURE
    cosines = cosines.masked_fill(seen[..., None, :] == 0, -1e4)
    own = torch.diagonal(cosines, dim1=-2, dim2=-1)
    among = cosines.logsumexp(dim=-1)
    return ((among - own) * seen).sum() / seen.sum().clamp(min=1)
