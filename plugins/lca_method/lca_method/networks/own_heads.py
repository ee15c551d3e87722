"""Heads of what nodes carry, beside those of everything else.

Cloth that hangs together wants other Gaussians than legs. If one pair of heads learned both, whoever wears trousers
would change with every skirt that is learned. So what is learned for loose garments is added where nodes act, by how
much they do: somebody whose gates are shut stays who they were, to the bit. Not in the paper.
"""

from torch import nn

from lca_method.networks.gaussian_heads import VALUES, GaussianHeadsConfig, mlp, per_gaussian
from lca_shared.tensors import Float, Tensor

SHUT, OPEN = 0.1, 0.3
"""Share of a Gaussian's weights, replaced by nodes, up to which it is as without them, and from which it is cloth's."""


def of_cloth(replaced: Float[Tensor, "*b gaussians"]) -> Float[Tensor, "*b gaussians"]:
    """How far Gaussians are cloth's, 0..1. Args: share of each one's weights that nodes replaced."""
    return ((replaced - SHUT) / (OPEN - SHUT)).clamp(0, 1)


class OwnHeads(nn.Module):
    """Tokens -> what is added to both heads; nothing before training."""

    def __init__(self, width: int, gaussians_per_token: int, config: GaussianHeadsConfig):
        """Args: token width; K; sizes of the heads that are added to."""
        super().__init__()
        self.each = gaussians_per_token
        self.layers = mlp(width, config.hidden, config.layers)
        self.canonical = nn.Linear(config.hidden, VALUES * gaussians_per_token)
        self.posed = nn.Linear(config.hidden, config.hidden)
        for last in (self.canonical, self.posed):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(
        self, tokens: Float[Tensor, "*b tokens width"], replaced: Float[Tensor, "*b gaussians"]
    ) -> tuple[Float[Tensor, "*b gaussians values"], Float[Tensor, "*b tokens hidden"]]:
        """What is added to what the canonical head's last layers say, and to the token half of the pose-dependent
        head's first layer.

        Args: geometric tokens after the encoder; as of :func:`of_cloth`.
        """
        share, hidden = of_cloth(replaced), self.layers(tokens)
        of_tokens = share.unflatten(-1, (-1, self.each)).mean(dim=-1)
        added = per_gaussian(self.canonical(hidden), self.each)
        return share[..., None] * added, of_tokens[..., None] * self.posed(hidden)
