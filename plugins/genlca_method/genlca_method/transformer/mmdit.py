"""A two-stream transformer over a person's latents and their conditions, in the style of SD3's and Hunyuan's MMDiT.

Latents and conditions have their own weights and attend jointly; time and the mean condition set shifts, scales and
gates of every layer (AdaLN); queries and keys are normalised. Where an anchor is comes from its point on the template.
Small models read several neighbouring anchors as one token (``patch``). Anchors of a person who is to be changed or
completed may be given as they are, without noise and marked as such.

What the layers give is not the velocity itself but what of it cannot be read off the noisy values. Latents and noise
have deviation 1, so that ``x (2 level - 1) / (level^2 + (1 - level)^2)`` is the best guess from ``x`` alone, and the
rest has deviation ``1 / sqrt(level^2 + (1 - level)^2)`` (as Karras et al. 2022 precondition denoisers). The layers'
target is then minus the data where all is noise, and the noise where there is none.
"""

from typing import Any

import torch
import torch.utils.checkpoint
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.modeling_utils import ModelMixin
from torch import nn

from genlca_method.conditioning.tokens import ConditionTokens
from genlca_method.transformer.block import JointBlock, modulated
from genlca_method.transformer.given import Given
from genlca_method.transformer.patches import neighbours
from lca_method.networks.fourier import fourier_features, fourier_width
from lca_shared.tensors import Bool, Float, Tensor

_TIME_CHANNELS = 256


class GenLCATransformer(ModelMixin, ConfigMixin):
    """Velocity of noisy latents and a noisy shape."""

    _supports_gradient_checkpointing = True
    positions: Tensor
    groups: Tensor
    shape_mean: Tensor
    shape_deviation: Tensor

    @register_to_config
    def __init__(
        self,
        anchors: int = 8192,
        latent_channels: int = 8,
        shape_coefficients: int = 37,
        text_channels: int = 4096,
        image_channels: int = 1024,
        width: int = 1536,
        layers: int = 24,
        heads: int = 24,
        mlp_ratio: float = 4.0,
        fourier_frequencies: int = 6,
        patch: int = 1,
        conditioning: dict[str, Any] | None = None,
        modalities: int = 7,
        image_norm: bool = True,
        hints: bool = False,
    ):
        """Args: number of anchors and of numbers of each; of the body's shape; lengths of a text's and a picture's
        feature vectors; the streams' width; layers; attention heads; width of the perceptrons over the streams'; of the
        code of the anchors' points; anchors that are read as one token; the encoders of conditions as plain values,
        kept for those who sample; how many of ``MODALITIES`` it knows (the first 7 are without line drawings); whether
        features of pictures are normalised: pixels, which say how bright things are, must not be; whether it reads
        LCA's guesses of what no picture shows, as hints."""
        super().__init__()
        self.gradient_checkpointing = False
        self.frequencies = fourier_frequencies
        self.register_buffer("positions", torch.zeros(anchors, 3))
        self.register_buffer("groups", neighbours(torch.zeros(anchors, 3), patch))
        self.register_buffer("shape_mean", torch.zeros(shape_coefficients))
        self.register_buffer("shape_deviation", torch.ones(shape_coefficients))
        self.latent_in = nn.Linear(patch * latent_channels, width)
        self.shape_in = nn.Linear(shape_coefficients, width)
        self.place = nn.Sequential(
            nn.Linear(fourier_width(fourier_frequencies), width), nn.SiLU(), nn.Linear(width, width)
        )
        self.placeholder = nn.Parameter(0.02 * torch.randn(patch, width))
        self.shape_place = nn.Parameter(0.02 * torch.randn(width))
        self.given_mark = nn.Parameter(torch.zeros(patch, width))
        self.given_shape_mark = nn.Parameter(torch.zeros(width))
        if hints:
            self.guess_in = nn.Linear(patch * latent_channels, width, bias=False)
            self.guess_mark = nn.Parameter(torch.zeros(patch, width))
            nn.init.zeros_(self.guess_in.weight)
        self.conditions_in = nn.ModuleDict(
            {
                "text": nn.Sequential(nn.LayerNorm(text_channels), nn.Linear(text_channels, width)),
                "image": nn.Sequential(
                    nn.LayerNorm(image_channels) if image_norm else nn.Identity(), nn.Linear(image_channels, width)
                ),
            }
        )
        self.modality = nn.Embedding(modalities, width)
        self.time_code = Timesteps(_TIME_CHANNELS, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time = TimestepEmbedding(_TIME_CHANNELS, width)
        self.pooled = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList([JointBlock(width, heads, mlp_ratio, last=i == layers - 1) for i in range(layers)])
        self.out_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))
        self.out_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.latent_out = nn.Linear(width, patch * latent_channels)
        self.shape_out = nn.Linear(width, shape_coefficients)
        for layer in (self.out_modulation[1], self.latent_out, self.shape_out):
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    @torch.no_grad()
    def set_template(self, positions: Float[Tensor, "anchors 3"]) -> None:
        """Say where the anchors are on the template, metres."""
        self.positions.copy_(positions)
        self.groups.copy_(neighbours(self.positions, self.config["patch"]))

    @torch.no_grad()
    def set_shape_statistics(self, mean: Float[Tensor, "n"], deviation: Float[Tensor, "n"]) -> None:
        """Of the bodies of the training people."""
        self.shape_mean.copy_(mean)
        self.shape_deviation.copy_(deviation.clamp(min=1e-3))

    def normalised_shape(self, shape: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
        """Coefficients as the flow knows them."""
        return (shape - self.shape_mean) / self.shape_deviation

    def shape_of(self, normalised: Float[Tensor, "*b n"]) -> Float[Tensor, "*b n"]:
        """The inverse of :meth:`normalised_shape`."""
        return normalised * self.shape_deviation + self.shape_mean

    def forward(
        self,
        latents: Float[Tensor, "people anchors latent"],
        shape: Float[Tensor, "people coefficients"],
        timestep: Float[Tensor, "people"],
        conditions: ConditionTokens,
        valid: Bool[Tensor, "people anchors"] | None = None,
        given: Given | None = None,
    ) -> tuple[Float[Tensor, "people anchors latent"], Float[Tensor, "people coefficients"]]:
        """Velocities of latents and shape.

        Args:
            latents: noisy, normalised.
            shape: noisy, normalised.
            timestep: 1000 x noise level, as diffusers' flow schedulers count.
            conditions: texts and pictures of parts; may be empty.
            valid: anchors whose latents are known; a learned vector stands for the others, and what is in ``latents``
                there has no influence. None = all.
            given: what is not noisy but as it is to be; velocities there mean nothing. None = nothing.
        """
        known = latents if valid is None else torch.where(valid[..., None], latents, 0.0)
        hidden = self.latent_in(known[:, self.groups].flatten(2))
        if valid is not None:
            hidden = hidden + (~valid[:, self.groups]).to(hidden) @ self.placeholder
        if given is not None:
            clean = given.anchors if valid is None else given.anchors & valid
            hidden = hidden + clean[:, self.groups].to(hidden) @ self.given_mark
            hidden = hidden + self._hints(given)
        hidden = hidden + self.place(fourier_features(self.positions[self.groups].mean(dim=1), self.frequencies))
        whole = (self.shape_in(shape) + self.shape_place)[:, None]
        if given is not None:
            whole = whole + given.shape[:, None, None].to(hidden) * self.given_shape_mark
        hidden = torch.cat([whole, hidden], dim=1)
        context, seen = self._context(conditions)
        weights = seen[..., None].to(context)
        mean = (context * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1.0)
        signal = self.time(self.time_code(timestep).to(hidden)) + self.pooled(mean)
        keys = torch.cat([seen.new_ones(hidden.shape[:2]), seen], dim=1)
        for block in self.blocks:
            if self.gradient_checkpointing and torch.is_grad_enabled():
                hidden, context = torch.utils.checkpoint.checkpoint(
                    block, hidden, context, signal, keys, use_reentrant=False
                )
            else:
                hidden, context = block(hidden, context, signal, keys)
        shift, scale = self.out_modulation(signal).chunk(2, dim=-1)
        hidden = modulated(self.out_norm(hidden), shift, scale)
        found = self.latent_out(hidden[:, 1:]).unflatten(-1, (-1, latents.shape[-1])).flatten(1, 2)
        found = found[:, self.groups.flatten().argsort()]
        levels = (timestep / 1000).to(latents)
        return _velocity(found, known, levels[:, None, None]), _velocity(
            self.shape_out(hidden[:, 0]), shape, levels[:, None]
        )

    def _hints(self, given: Given) -> Tensor | float:
        """Of what is not given; nothing for models that read no hints."""
        if not self.config["hints"] or given.guesses is None or given.guessed is None:
            return 0.0
        guesses = torch.where(given.guessed[..., None], given.guesses, 0.0)
        marks = given.guessed[:, self.groups].to(guesses) @ self.guess_mark
        return self.guess_in(guesses[:, self.groups].flatten(2)) + marks

    def _context(self, conditions: ConditionTokens) -> tuple[Tensor, Tensor]:
        """Conditions in the streams' width, and which of them are there."""
        parts = []
        for kind, features in (("text", conditions.text), ("image", conditions.image)):
            code = self.modality(conditions.text_modality if kind == "text" else conditions.image_modality)
            parts.append(self.conditions_in[kind](features) + code)
        seen = torch.cat([conditions.text_seen, conditions.image_seen], dim=1)
        return torch.cat(parts, dim=1), seen


def _velocity(found: Tensor, noisy: Tensor, levels: Tensor) -> Tensor:
    """What the layers found, with what the noisy values say by themselves."""
    spread = levels.square() + (1 - levels).square()
    return noisy * (2 * levels - 1) / spread + found * spread.rsqrt()
