"""How flat Gaussians lie on the surface at the start."""

import torch
from torch import nn

from lca_shared.tensors import Float, Tensor


def z_axis_along(normals: Float[Tensor, "*points 3"]) -> Float[Tensor, "*points 4"]:
    """Unit quaternions (wxyz) of the shortest rotations that carry +z to each unit normal."""
    x, y, z = normals.unbind(dim=-1)
    quaternions = torch.stack([1 + z, -y, x, torch.zeros_like(z)], dim=-1)
    half_turn = normals.new_tensor([0.0, 1.0, 0.0, 0.0])  # to -z many rotations are shortest: about x
    return nn.functional.normalize(torch.where(z[..., None] < -1 + 1e-6, half_turn, quaternions), dim=-1)
