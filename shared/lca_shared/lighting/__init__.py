"""Light, as maths: spherical and zonal harmonics, spherical Gaussians, environment maps, lights, tone curves.

Pure functions of tensors; no files, no networks. Directions are unit vectors of the world (Z up). Radiance is linear.
A light's strength is said as the radiance that a white matt surface facing it sends back: no factors of pi outside.
"""
