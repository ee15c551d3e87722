"""Rasterization of 3D Gaussians: gsplat on CUDA, Numba on a CPU, torch as the reference."""
