"""All that LCA's heads read of a person as one vector per anchor."""

from dataclasses import dataclass

import torch

from lca_method.networks.config import LCAConfig
from lca_method.networks.gaussian_heads import GaussianStart
from lca_method.networks.token_code import TokenCode
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class TokenLayout:
    """Which numbers an anchor's vector holds: its geometric token, then, for models that start Gaussians from what
    the pictures show, the starts of its K Gaussians (colour 3; offset 3, opacity, log-scale with an outline).

    At the paper's sizes the vector is the token.
    """

    anchors: int
    width: int
    """Of a geometric token."""
    each: int
    """Gaussians of an anchor."""
    colors: bool
    """The model starts colours."""
    starts: bool
    """The model starts offsets, opacities and scales too."""

    @staticmethod
    def of(config: LCAConfig) -> "TokenLayout":
        """The layout of a model's tokens."""
        placement = config.placement
        return TokenLayout(
            placement.tokens,
            config.transformer.width,
            placement.gaussians_per_token,
            config.color_lookup > 0,
            config.projected_outline,
        )

    @property
    def channels(self) -> int:
        """Numbers per anchor, D."""
        return self.width + self.each * (3 * self.colors + 5 * self.starts)

    def pack(self, code: TokenCode) -> Float[Tensor, "*b anchors channels"]:
        """A person as vectors. A start's colours are added to the looked-up ones, as decoding does."""
        parts = [code.tokens]
        if self.colors:
            assert code.color_logits is not None
            logits = code.color_logits if code.start is None else code.color_logits + code.start.colors
            parts.append(self._by_anchor(logits))
        if self.starts:
            assert code.start is not None
            scalars = (code.start.opacities[..., None], code.start.log_scales[..., None])
            parts += [self._by_anchor(value) for value in (code.start.offsets, *scalars)]
        return torch.cat(parts, dim=-1)

    def unpack(self, vectors: Float[Tensor, "*b anchors channels"]) -> TokenCode:
        """The inverse of :meth:`pack`, in float32."""
        sizes = [self.width, *[3 * self.each] * self.colors, *[3 * self.each, self.each, self.each] * self.starts]
        tokens, *rest = vectors.float().split(sizes, dim=-1)
        logits = self._by_gaussian(rest.pop(0), 3) if self.colors else None
        if not self.starts:
            return TokenCode(tokens, logits)
        offsets = self._by_gaussian(rest[0], 3)
        opacities, log_scales = (self._by_gaussian(value, 1)[..., 0] for value in rest[1:])
        return TokenCode(tokens, logits, GaussianStart(offsets, opacities, log_scales, torch.zeros_like(offsets)))

    def _by_anchor(self, values: Float[Tensor, "*b gaussians n"]) -> Float[Tensor, "*b anchors m"]:
        return values.unflatten(-2, (self.anchors, self.each)).flatten(-2)

    def _by_gaussian(self, values: Float[Tensor, "*b anchors m"], channels: int) -> Float[Tensor, "*b gaussians n"]:
        return values.unflatten(-1, (self.each, channels)).flatten(-3, -2)
