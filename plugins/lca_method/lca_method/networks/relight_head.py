"""Tokens -> radiance transfer: the canonical head's part, and what driving changes in it."""

import torch
from torch import nn
from torch.nn import functional as F

from lca_method.networks.relight_config import RelightConfig
from lca_method.networks.transfer import BANDS, Transfer
from lca_shared.lighting.tone import to_linear
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

_OPEN = 3.0
"""Logit of the openness at the start: 0.95."""
_MATT = 2.5
"""Logit of the roughness at the start: nearly matt, or light from behind would draw a bright rim."""
_UP = (0.0, 0.0, 1.0)


class TransferHead(nn.Module):
    """Replaces the canonical head's colours (Section 3.4, after arXiv 2501.14726).

    Before training: albedo is the colour over the references' light, normals are those of the clothed body, lobes are
    zero, shine is faint.
    """

    def __init__(self, width: int, gaussians_per_token: int, config: RelightConfig):
        """Args: token width; K; sizes."""
        super().__init__()
        self.config, self.each = config, gaussians_per_token
        self.widths = [3, 3, 1, 3 * config.lobes, BANDS * config.lobes, 1, 1, config.shadow_code]
        self.layers = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, config.hidden),
            nn.LeakyReLU(),
            nn.Linear(config.hidden, config.hidden),
            nn.LeakyReLU(),
        )
        self.last = nn.Linear(config.hidden, (1 if config.smooth else gaussians_per_token) * sum(self.widths))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        colors: Float[Tensor, "*b gaussians 3"],
        quaternions: Float[Tensor, "*b gaussians 4"],
        normals: Float[Tensor, "*b gaussians 3"],
    ) -> Transfer:
        """Transfer of each Gaussian.

        Args:
            tokens: geometric tokens after the encoder.
            colors: sRGB 0..1, of the canonical Gaussians.
            quaternions: of the canonical Gaussians: the frames that directions are kept in.
            normals: to begin with, at rest, outward, unit (``Relight.normals``).
        """
        config = self.config
        values = _of_gaussians(self.last(self.layers(tokens)), sum(self.widths), self.each)
        albedo, tilt, opening, axes, bands, rough, shine, code = values.split(self.widths, dim=-1)
        start = torch.logit(to_linear(colors) / config.reference_light, eps=0.01)
        turned = quaternion_to_matrix(quaternions).detach()
        lobes = torch.arange(config.lobes, device=tokens.device)
        about = torch.where((lobes % 2 == 0)[:, None], normals[..., None, :], normals.new_tensor(_UP))
        axes = F.normalize(about + axes.unflatten(-1, (-1, 3)).tanh(), dim=-1, eps=1e-4)
        return Transfer(
            albedo=(start + albedo).sigmoid(),
            normals=_local(turned, F.normalize(normals + config.tilt * tilt.tanh(), dim=-1)),
            openness=(opening[..., 0] + _OPEN).sigmoid(),
            lobe_axes=_local(turned[..., None, :, :], axes),
            lobe_bands=config.lobe_range * bands.unflatten(-1, (-1, BANDS)).tanh(),
            roughness=0.2 + 0.8 * (rough[..., 0] + _MATT).sigmoid(),
            specular=0.2 * (shine[..., 0] - 2.0).sigmoid(),
            shadow_code=code,
        )


@torch.no_grad()
def without_tilt(head: TransferHead) -> None:
    """Set to zero what a head adds to normals: those that it is given stay."""
    first, width = head.widths[0], head.widths[1]
    for values in (head.last.weight, head.last.bias):
        values.unflatten(0, (-1, sum(head.widths)))[:, first : first + width] = 0


class TransferDeltas(nn.Module):
    """Replaces the pose-dependent head's colours: how a pose turns normals and opens or closes folds; zero at the
    start. It reads the hidden numbers that the pose-dependent head's last layer reads."""

    def __init__(self, hidden: int, gaussians_per_token: int, smooth: bool):
        """Args: width of the pose-dependent head; K; see ``RelightConfig``."""
        super().__init__()
        self.each = gaussians_per_token
        self.last = nn.Linear(hidden, 4 * (1 if smooth else gaussians_per_token))
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(
        self, hidden: Float[Tensor, "*b tokens hidden"]
    ) -> tuple[Float[Tensor, "*b gaussians 3"], Float[Tensor, "*b gaussians"]]:
        """What is added to normals (own frame, before they are made unit) and the factor on openness, 0.5 to 1."""
        values = _of_gaussians(self.last(hidden), 4, self.each)
        return 0.3 * values[..., :3].tanh(), 1 - 0.5 * values[..., 3].tanh().clamp(min=0)


def _of_gaussians(
    values: Float[Tensor, "*b tokens numbers"], width: int, each: int
) -> Float[Tensor, "*b gaussians width"]:
    """Numbers of tokens, those of their Gaussians side by side or the same for all of them, at the Gaussians."""
    own = values.unflatten(-1, (-1, width))
    return own.expand(*own.shape[:-2], each, width).flatten(-3, -2)


def _local(frames: Float[Tensor, "*#b 3 3"], vectors: Float[Tensor, "*#b 3"]) -> Float[Tensor, "*b 3"]:
    """World (rest) vectors in frames."""
    return (frames.mT @ vectors[..., None])[..., 0]
