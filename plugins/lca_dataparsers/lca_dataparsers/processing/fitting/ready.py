"""What the first fit of a process has to load."""

import torch

from lca_dataparsers.mesh_raster import covered_pixels
from lca_dataparsers.processing.fitting.point_body import FEW_SURFACE_POINTS, get_point_body


def make_ready() -> None:
    """Load the body's points, and Numba's own libraries by way of one compiled loop: a second that the first fit then
    does not take, where another core has time for it.
    """
    get_point_body("anny", FEW_SURFACE_POINTS)
    covered_pixels(torch.zeros(3, 2), torch.tensor([[0, 1, 2]]), 1, 1)
