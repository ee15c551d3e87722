"""Tokens [anchors, D] to latents [anchors, 8] and back. The paper compresses tokens so; the design is ours."""

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional as F

from lca_method.networks.fourier import fourier_features, fourier_width
from lca_shared.tensors import Bool, Float, Tensor

_SMALL = 0.1
"""Of the layers' last weights at first: beginnings are little more than the principal axes."""


class TokenAutoencoder(ModelMixin, ConfigMixin):
    """The principal axes of what tells people apart, and a few layers over all anchors on each side that add what is
    left.

    Most of a token says where on the body it is: what is coded is the difference to the mean person's token at the same
    anchor. Anchors know their points on the template. Anchors that are not valid enter as a learned vector, so that
    nothing of what no picture shows gets into the latents of what is seen. Latents come out with mean 0 and deviation 1
    over the valid anchors of the training data (:meth:`set_latent_statistics`).
    """

    token_mean: Tensor
    axes: Tensor
    token_deviation: Tensor
    latent_mean: Tensor
    latent_deviation: Tensor
    positions: Tensor

    @register_to_config
    def __init__(
        self,
        anchors: int = 8192,
        channels: int = 1024,
        latent_channels: int = 8,
        width: int = 512,
        layers: int = 2,
        heads: int = 8,
        fourier_frequencies: int = 6,
    ):
        """Args: number of anchors; numbers of a token; numbers of a latent; the layers' width; layers on each side;
        attention heads; of the code of the anchors' points."""
        super().__init__()
        code = fourier_width(fourier_frequencies)
        self.register_buffer("positions", torch.zeros(anchors, 3))
        self.register_buffer("token_mean", torch.zeros(anchors, channels))
        self.register_buffer("token_deviation", torch.ones(channels))
        self.register_buffer("axes", torch.zeros(channels, latent_channels))
        self.register_buffer("latent_mean", torch.zeros(latent_channels))
        self.register_buffer("latent_deviation", torch.ones(latent_channels))
        self.frequencies = fourier_frequencies
        self.placeholder = nn.Parameter(torch.zeros(width))
        self.into = nn.Linear(channels, width)
        self.into_place = nn.Linear(code, width)
        self.down = nn.ModuleList([AnchorLayer(width, heads) for _ in range(layers)])
        self.narrow = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, latent_channels))
        self.back = nn.Linear(latent_channels, width)
        self.back_place = nn.Linear(code, width)
        self.up = nn.ModuleList([AnchorLayer(width, heads) for _ in range(layers)])
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, channels))
        with torch.no_grad():
            for last in (self.narrow[1], self.out[1]):
                last.weight.mul_(_SMALL)  # type: ignore[operator]
                last.bias.zero_()  # type: ignore[operator]

    @torch.no_grad()
    def set_template(self, positions: Float[Tensor, "anchors 3"]) -> None:
        """Say where the anchors are on the template, metres."""
        self.positions.copy_(positions)

    @torch.no_grad()
    def set_token_statistics(
        self,
        mean: Float[Tensor, "anchors channels"],
        deviation: Float[Tensor, "channels"],
        axes: Float[Tensor, "channels latent"],
    ) -> None:
        """Of valid tokens: the mean person, deviations over all anchors, and the principal axes of what differs from
        the mean person, in those deviations."""
        self.token_mean.copy_(mean)
        self.token_deviation.copy_(deviation.clamp(min=1e-4))
        self.axes.copy_(axes)

    @torch.no_grad()
    def set_latent_statistics(self, mean: Float[Tensor, "latent"], deviation: Float[Tensor, "latent"]) -> None:
        """Of valid latents as they come out now: afterwards they come out normalised."""
        self.latent_mean.add_(self.latent_deviation * mean)
        self.latent_deviation.mul_(deviation.clamp(min=1e-4))

    def encode(
        self, tokens: Float[Tensor, "*b anchors channels"], valid: Bool[Tensor, "*b anchors"]
    ) -> Float[Tensor, "*b anchors latent"]:
        """Normalised latents; those of anchors that are not valid mean nothing."""
        differing = (tokens - self.token_mean) / self.token_deviation
        hidden = torch.where(valid[..., None], self.into(differing), self.placeholder) + self.into_place(self._code())
        for layer in self.down:
            hidden = layer(hidden)
        linear = torch.where(valid[..., None], differing @ self.axes, 0.0)
        return (linear + self.narrow(hidden) - self.latent_mean) / self.latent_deviation

    def decode(self, latents: Float[Tensor, "*b anchors latent"]) -> Float[Tensor, "*b anchors channels"]:
        """Tokens."""
        plain = latents * self.latent_deviation + self.latent_mean
        hidden = self.back(plain) + self.back_place(self._code())
        for layer in self.up:
            hidden = layer(hidden)
        return (plain @ self.axes.mT + self.out(hidden)) * self.token_deviation + self.token_mean

    def forward(
        self, tokens: Float[Tensor, "*b anchors channels"], valid: Bool[Tensor, "*b anchors"]
    ) -> Float[Tensor, "*b anchors channels"]:
        """To latents and back."""
        return self.decode(self.encode(tokens, valid))

    def _code(self) -> Float[Tensor, "anchors code"]:
        return fourier_features(self.positions, self.frequencies)


class AnchorLayer(nn.Module):
    """Attention over all anchors and a perceptron, each after a norm and added."""

    def __init__(self, width: int, heads: int):
        """Args: width; attention heads."""
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_perceptron = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.perceptron = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, hidden: Float[Tensor, "*b anchors width"]) -> Float[Tensor, "*b anchors width"]:
        """The same shape."""
        parts = self.queries_keys_values(self.before_attention(hidden)).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = parts.movedim(-2, -4).unbind(-2)
        found = F.scaled_dot_product_attention(queries, keys, values)
        hidden = hidden + self.merge(found.movedim(-3, -2).flatten(-2))
        return hidden + self.perceptron(self.before_perceptron(hidden))
