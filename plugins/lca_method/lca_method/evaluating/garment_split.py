"""How far neighbouring Gaussians of one garment drift apart: skirts split where the template's legs part."""

import math

import torch

from lca_method.batch import SubjectBatch
from lca_method.networks.subject import SubjectCode
from lca_method.trained_network import TrainedNetwork
from lca_shared.cameras import Cameras, project
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import Rendering
from lca_shared.tensors import Bool, Float, Tensor

NEIGHBOURS = 4
NEAR = 0.03
"""Metres: Gaussians farther apart at rest are no neighbours."""
QUANTILE = 0.99
"""A split is a seam: few of all pairs cross it."""
_FEWEST = 50
_BEHIND = 0.03
"""Metres: how far behind the surface that is seen a Gaussian still belongs to it."""
_FAINT = 0.3


def garment_split(trained: TrainedNetwork, code: SubjectCode, batch: SubjectBatch) -> float:
    """Of a batch's first target: the distance, millimetres, by which 1 % of all neighbours on the garment that is seen
    have drifted apart or more (0.99 quantile of the growth of their distance since the rest pose).

    Returns:
        NaN where there is no mask of a garment, or fewer than 50 Gaussians on it.
    """
    worn = batch.targets.garments
    if worn is None:
        return math.nan
    with torch.no_grad():
        driving, camera = trained.network.coded(batch.targets.driving, batch.targets.faces), batch.targets.cameras[0, 0]
        posed = trained.network.drive(code, driving)[1][0, 0]
        seen = on_surface(posed, camera, trained.render(posed, camera), worn[0, 0])
        return drift(code.canonical.means[0][seen], posed.means[seen])


def drift(rest: Float[Tensor, "gaussians 3"], posed: Float[Tensor, "gaussians 3"]) -> float:
    """The :data:`QUANTILE` over neighbours at rest of how much their distance grows, millimetres."""
    if len(rest) < _FEWEST:
        return math.nan
    apart = torch.cdist(rest, rest).fill_diagonal_(torch.inf)
    distance, index = apart.topk(NEIGHBOURS, dim=-1, largest=False)
    grown = (posed[:, None] - posed[index]).norm(dim=-1) - distance
    pairs = grown[distance < NEAR]
    return 1000 * float(pairs.clamp(min=0).quantile(QUANTILE)) if len(pairs) >= _FEWEST else math.nan


def on_surface(
    gaussians: Gaussians, camera: Cameras, rendering: Rendering, mask: Float[Tensor, "1 h w"]
) -> Bool[Tensor, "gaussians"]:
    """Which Gaussians are seen where ``mask`` is 1: their centres lie on the surface that ``rendering`` shows there."""
    pixels, depth = project(camera, gaussians.means)
    column, row = pixels.floor().long().unbind(-1)
    inside = (column >= 0) & (row >= 0) & (column < camera.width) & (row < camera.height) & (depth > 0)
    column, row = column.clamp(0, camera.width - 1), row.clamp(0, camera.height - 1)
    near = depth < rendering.depth[0, row, column] + _BEHIND
    return inside & near & (mask[0, row, column] > 0.5) & (gaussians.opacities > _FAINT)
