"""Rasterization of 3D Gaussians: gsplat on CUDA, Numba on a CPU, torch as the reference."""

from lca_shared.rendering.convention import Convention
from lca_shared.rendering.rasterize import Backend, Rendering, rasterize

__all__ = ["Backend", "Convention", "Rendering", "rasterize"]
