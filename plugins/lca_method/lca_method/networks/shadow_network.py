"""Shadows on Gaussians from irradiance on the posed body.

Section 3.4, after arXiv 2501.14726, which does it in a texture by convolutions; here each Gaussian reads its places on
the body.
"""

import torch
from torch import nn

from lca_method.networks.relight_config import RelightConfig
from lca_shared.tensors import Float, Tensor


class ShadowNetwork(nn.Module):
    """Irradiance and a Gaussian's own numbers -> how much of its light reaches it, 0..1.

    Before training it is the body's shadow as it is; the network learns by how much hair and clothes shift and soften
    it.
    """

    def __init__(self, config: RelightConfig):
        """Args: sizes."""
        super().__init__()
        inputs, hidden = 3 + config.shadow_code, config.shadow_hidden
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()
        )
        self.last = nn.Linear(hidden, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, irradiance: Float[Tensor, "*b gaussians 3"], code: Float[Tensor, "*#b gaussians code"]
    ) -> Float[Tensor, "*b gaussians"]:
        """Args: the first three numbers of :func:`irradiance.irradiance`; ``Transfer.shadow_code``."""
        code = code.expand(*irradiance.shape[:-1], -1)
        added = self.last(self.layers(torch.cat([irradiance, code], dim=-1)))[..., 0]
        return (torch.logit(irradiance[..., 0], eps=0.01) + added).sigmoid()
