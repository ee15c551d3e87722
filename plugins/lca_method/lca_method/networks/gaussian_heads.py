"""From geometric tokens to 3D Gaussians: the canonical head and the pose-dependent head (eq. 8-9, Section B.3)."""

import math
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import nn

from lca_shared.gaussians import Gaussians
from lca_shared.rotations import normalized, quaternion_product
from lca_shared.tensors import Float, Tensor

SCALE_PER_SPACING = 0.6
"""Round Gaussians on a square grid overlap into an even sheet when their deviation is about 0.6 of its spacing."""


@dataclass(frozen=True)
class GaussianHeadsConfig:
    """Sizes and start values of both heads; the defaults are the paper's and, for start values, LHM's."""

    hidden: int = 128
    layers: int = 4
    """Linear layers of each head."""
    offset_range: float = 1.0
    """Metres: a coordinate of a canonical offset lies within plus or minus half of it."""
    initial_opacity: float = 0.1
    initial_scale: float | None = math.exp(-5.0)
    """Metres: standard deviation of every Gaussian at the start; None = from the spacing of the sampled points."""
    initial_flatness: float = 1.0
    """Scale along the surface's normal over that along the surface, at the start; 1 = round (LHM's). Flat Gaussians
    cover the surface without swelling the outline, which matters when they are few."""
    start_from_lookup: bool = False
    """Start colours exactly at what is looked up in the reference pictures, without the colour layer's noise."""
    scale_limit_start: float = 0.01
    """Metres: upper bound of scales until ``scale_limit_from``, then it grows linearly (LHM)."""
    scale_limit_end: float = 0.05
    scale_limit_from: int = 100
    """Training step."""
    scale_limit_until: int = 3000
    """Training step."""
    delta_offset_range: float = 0.1
    """Metres: bound of a coordinate of a driven offset (our choice)."""

    def scale_limit(self, step: int | None) -> float:
        """Upper bound of scales in metres at a training step; None = after training."""
        if step is None or step >= self.scale_limit_until:
            return self.scale_limit_end
        share = max(step - self.scale_limit_from, 0) / max(self.scale_limit_until - self.scale_limit_from, 1)
        return self.scale_limit_start + share * (self.scale_limit_end - self.scale_limit_start)

    def starting_scales(self, spacing: Float[Tensor, "gaussians"]) -> Float[Tensor, "gaussians 3"]:
        """Scales at the start, metres, from the ``spacing`` of the sampled points."""
        known = self.initial_scale
        alike = spacing * SCALE_PER_SPACING if known is None else torch.full_like(spacing, known)
        return alike[:, None] * torch.tensor([1.0, 1.0, self.initial_flatness])


@dataclass(frozen=True)
class GaussianStart:
    """What is added to a canonical head's own output before its activations; offsets after them."""

    offsets: Float[Tensor, "*b gaussians 3"]
    """Metres, rest pose."""
    opacities: Float[Tensor, "*b gaussians"]
    """Logits."""
    log_scales: Float[Tensor, "*b gaussians"]
    """The same for a Gaussian's three axes."""
    colors: Float[Tensor, "*b gaussians 3"]
    """Logits."""


@dataclass(frozen=True)
class GaussianDeltas:
    """What driving adds to canonical Gaussians."""

    colors: Float[Tensor, "*b gaussians 3"]
    """Added to sRGB."""
    offsets: Float[Tensor, "*b gaussians 3"]
    """Metres, added to canonical positions before skinning."""
    quaternions: Float[Tensor, "*b gaussians 4"]
    """Added to unit quaternions, wxyz."""
    log_scales: Float[Tensor, "*b gaussians 3"]
    """Added to the logarithm of scales."""
    opacities: Float[Tensor, "*b gaussians"] | None = None
    """Added to the logits; None = driving never changes opacity, as in the paper's dual branch."""

    def in_full(self) -> "GaussianDeltas":
        """In float32: half precision would move points by millimetres."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        return GaussianDeltas(**{name: None if value is None else value.float() for name, value in values.items()})  # type: ignore[arg-type]

    def applied_to(self, canonical: Gaussians) -> Gaussians:
        """Canonical Gaussians with the deltas; batch axes broadcast."""
        colors = (canonical.colors + self.colors).clamp(0, 1)
        opacities = canonical.opacities.expand(colors.shape[:-1])
        if self.opacities is not None:
            opacities = (opacities.logit(eps=1e-6) + self.opacities).sigmoid()
        return Gaussians(
            means=canonical.means + self.offsets,
            quaternions=canonical.quaternions + self.quaternions,
            scales=canonical.scales * self.log_scales.exp(),
            opacities=opacities,
            colors=colors,
        )


VALUES = 14
"""Numbers of a Gaussian that a canonical head's last layers say."""


class CanonicalHead(nn.Module):
    """Token -> K x (colour 3, offset 3, opacity 1, quaternion 4, scale 3).

    The last layer starts at zero but for colour, so that Gaussians start on their points, upright, round, faint.
    """

    def __init__(self, width: int, gaussians_per_token: int, config: GaussianHeadsConfig):
        """Args: token width; K; sizes and start values."""
        super().__init__()
        self.config = config
        self.gaussians_per_token = gaussians_per_token
        self.layers = mlp(width, config.hidden, config.layers)
        self.colors = nn.Linear(config.hidden, 3 * gaussians_per_token)
        self.shapes = nn.Linear(config.hidden, 11 * gaussians_per_token)
        nn.init.zeros_(self.shapes.weight)
        nn.init.zeros_(self.shapes.bias)
        if config.start_from_lookup:
            nn.init.zeros_(self.colors.weight)
            nn.init.zeros_(self.colors.bias)

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        initial_scales: Float[Tensor, "gaussians 3"],
        initial_quaternions: Float[Tensor, "gaussians 4"],
        scale_limit: float,
        color_logits: Float[Tensor, "*b gaussians 3"] | None = None,
        start: GaussianStart | None = None,
        added: Float[Tensor, "*b gaussians values"] | None = None,
    ) -> Gaussians:
        """Gaussians (K of each token in a row) whose ``means`` are offsets from their points.

        Args:
            tokens: the encoder's geometric tokens.
            initial_scales: metres, see :class:`GaussianHeadsConfig`.
            initial_quaternions: unit, wxyz; the predicted rotation comes before them.
            scale_limit: metres.
            color_logits: added to the colours' logits, if given.
            start: added to everything but rotations, if given.
            added: to colours (3), offsets (3), opacity, quaternion (4) and scales (3) as the last layers say them.
        """
        hidden = self.layers(tokens)
        colors = per_gaussian(self.colors(hidden), self.gaussians_per_token)
        shapes = per_gaussian(self.shapes(hidden), self.gaussians_per_token)
        if added is not None:
            colors, shapes = colors + added[..., :3], shapes + added[..., 3:]
        colors = colors if color_logits is None else colors + color_logits
        offsets, opacities, quaternions, scales = shapes.split([3, 1, 4, 3], dim=-1)
        values = (colors, offsets, opacities[..., 0], quaternions, scales)
        return _activated(values, self.config, initial_scales, initial_quaternions, scale_limit, start)


def start_gaussians(
    config: GaussianHeadsConfig,
    initial_scales: Float[Tensor, "gaussians 3"],
    initial_quaternions: Float[Tensor, "gaussians 4"],
    scale_limit: float,
    color_logits: Float[Tensor, "*b gaussians 3"],
    start: GaussianStart | None = None,
) -> Gaussians:
    """What a canonical head puts out before it has learned anything: all that a single branch has of a person at rest.

    Args: as of :meth:`CanonicalHead.forward`.
    """
    zero = torch.zeros_like(color_logits)
    values = (color_logits, zero, zero[..., 0], torch.cat([zero, zero[..., :1]], dim=-1), zero)
    return _activated(values, config, initial_scales, initial_quaternions, scale_limit, start)


def _activated(
    values: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    config: GaussianHeadsConfig,
    initial_scales: Tensor,
    initial_quaternions: Tensor,
    scale_limit: float,
    start: GaussianStart | None,
) -> Gaussians:
    """Colours, offsets, opacities, quaternions and scales as a network's last layer gives them -> Gaussians."""
    colors, offsets, opacities, quaternions, scales = values
    moved = (offsets.sigmoid() - 0.5) * config.offset_range
    opacities = opacities + math.log(config.initial_opacity / (1 - config.initial_opacity))
    if start is not None:
        colors, moved = colors + start.colors, moved + start.offsets
        opacities, scales = opacities + start.opacities, scales + start.log_scales[..., None]
    turn = torch.cat([quaternions[..., :1] + 1, quaternions[..., 1:]], dim=-1)
    return Gaussians(
        means=moved,
        quaternions=quaternion_product(initial_quaternions, normalized(turn)),
        scales=(scales + initial_scales.log()).clamp(max=math.log(scale_limit)).exp(),
        opacities=opacities.sigmoid(),
        colors=colors.sigmoid(),
    )


class PoseDeltas(nn.Module):
    """What a pose-dependent head computes per frame: K x deltas of colour 3, offset 3, quaternion 4, scale 3 from the
    token half of its first layer and the driving vector; all zero at the start."""

    def __init__(self, driving: int, gaussians_per_token: int, config: GaussianHeadsConfig, alone: bool = False):
        """Args: length of the driving vector; K; sizes; whether this is a single branch, which moves Gaussians as far
        as a canonical head does and changes their opacity."""
        super().__init__()
        self.gaussians_per_token = gaussians_per_token
        self.alone = alone
        self.reach = config.offset_range / 2 if alone else config.delta_offset_range
        self.of_driving = nn.Linear(driving, config.hidden, bias=False)
        self.layers = mlp(config.hidden, config.hidden, config.layers - 1)
        self.deltas = nn.Linear(config.hidden, (14 if alone else 13) * gaussians_per_token)
        nn.init.zeros_(self.deltas.weight)
        nn.init.zeros_(self.deltas.bias)

    def forward(
        self,
        token_half: Float[Tensor, "*#b tokens hidden"],
        driving: Float[Tensor, "*#b driving"],
    ) -> GaussianDeltas:
        """Deltas of the Gaussians; batch axes broadcast (persons x frames)."""
        return self.of_hidden(self.hidden(token_half, driving))

    def hidden(
        self, token_half: Float[Tensor, "*#b tokens hidden"], driving: Float[Tensor, "*#b driving"]
    ) -> Float[Tensor, "*b tokens hidden"]:
        """What the last layer reads."""
        first = nn.functional.leaky_relu(token_half + self.of_driving(driving)[..., None, :])
        return self.layers(first)

    def of_hidden(self, hidden: Float[Tensor, "*b tokens hidden"]) -> GaussianDeltas:
        """Deltas from what the last layer reads."""
        deltas = per_gaussian(self.deltas(hidden), self.gaussians_per_token)
        colors, offsets, quaternions, log_scales, *opacities = deltas.split(
            [3, 3, 4, 3, 1] if self.alone else [3, 3, 4, 3], dim=-1
        )
        return GaussianDeltas(
            colors=colors.tanh(),
            offsets=offsets.tanh() * self.reach,
            quaternions=quaternions,
            log_scales=log_scales.tanh(),
            opacities=opacities[0][..., 0] if self.alone else None,
        )


class PoseDependentHead(PoseDeltas):
    """Token and driving vector -> deltas of its K Gaussians.

    The first layer is linear in the concatenation, ``W [token; driving] = W_t token + W_d driving``: the token half is
    computed once a person (:meth:`first_layer_of_tokens`), what is left per frame is a product shared by all tokens.
    """

    def __init__(
        self, width: int, driving: int, gaussians_per_token: int, config: GaussianHeadsConfig, alone: bool = False
    ):
        """Args: token width; the rest as of :class:`PoseDeltas`."""
        of_tokens = nn.Linear(width, config.hidden)
        super().__init__(driving, gaussians_per_token, config, alone)
        self.of_tokens = of_tokens

    def first_layer_of_tokens(self, tokens: Float[Tensor, "*b tokens width"]) -> Float[Tensor, "*b tokens hidden"]:
        """The token half of the first layer: the same for every frame of a person."""
        return self.of_tokens(tokens)


def mlp(inputs: int, hidden: int, layers: int) -> nn.Sequential:
    """All linear layers of a head but the last, each followed by LeakyReLU."""
    parts: list[nn.Module] = []
    for index in range(layers - 1):
        parts += [nn.Linear(inputs if index == 0 else hidden, hidden), nn.LeakyReLU()]
    return nn.Sequential(*parts)


def per_gaussian(
    channels: Float[Tensor, "*b tokens channels"], gaussians_per_token: int
) -> Float[Tensor, "*b gaussians each"]:
    """Numbers of tokens as those of their Gaussians, which lie in a row."""
    return channels.unflatten(-1, (gaussians_per_token, -1)).flatten(-3, -2)
