"""The two kinds of transformer block: self-attention of one stream, and joint attention of two streams."""

import torch
from torch import nn

from lca_method.networks.attention import Attention, FeedForward, Projected, attend, attention_weights, joined
from lca_shared.tensors import Bool, Float, Int, Tensor


class SelfAttentionBlock(nn.Module):
    """LayerNorm, self-attention, residual; LayerNorm, MLP, residual."""

    def __init__(self, width: int, heads: int, mlp_ratio: float):
        """Args: token width; number of heads; hidden width of the MLP over token width."""
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = FeedForward(width, mlp_ratio)

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        angles: Float[Tensor, "*b tokens pairs"] | None = None,
        valid: Bool[Tensor, "*b tokens"] | None = None,
    ) -> Float[Tensor, "*b tokens width"]:
        """Tokens after the block; tokens that are not ``valid`` are seen by nobody."""
        tokens = tokens + self.attention(self.attention_norm(tokens), angles, valid)
        return tokens + self.mlp(self.mlp_norm(tokens))


class ConditionedStream(nn.Module):
    """One stream's half of a joint attention block: its weights, and how a global vector modulates it (AdaLN).

    From the condition come shift, scale and gate for the attention and for the MLP. They start at zero, and the gates
    at ``gate_start``: 0 is AdaLN-Zero, where the block starts as the identity; 1 starts as an ordinary block, which
    learns sooner in short runs.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float, gate_start: float, updated: bool):
        """Args: as the block's; ``updated``: whether the stream reads the result, or only offers its tokens."""
        super().__init__()
        self.updated = updated
        self.gate_start = gate_start
        self.attention_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads, output=updated)
        self.modulation = nn.Linear(width, (6 if updated else 2) * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)
        if updated:
            self.mlp_norm = nn.LayerNorm(width, elementwise_affine=False)
            self.mlp = FeedForward(width, mlp_ratio)

    def modulations(self, condition: Float[Tensor, "*b width"]) -> tuple[Tensor, ...]:
        """Shift and scale of the attention's input, then (if updated) its gate and the MLP's shift, scale and gate."""
        parts = self.modulation(nn.functional.silu(condition))[..., None, :]
        return parts.chunk(6 if self.updated else 2, dim=-1)

    def attention_input(self, tokens: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        """The normalised and modulated tokens."""
        shift, scale = modulations[:2]
        return self.attention_norm(tokens) * (1 + scale) + shift

    def update(self, tokens: Tensor, attended: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        """The tokens after the attention's result and the MLP."""
        if not self.updated:
            return tokens
        attention_gate, shift, scale, mlp_gate = modulations[2:]
        tokens = tokens + (self.gate_start + attention_gate) * self.attention.merge(attended)
        hidden = self.mlp_norm(tokens) * (1 + scale) + shift
        return tokens + (self.gate_start + mlp_gate) * self.mlp(hidden)


class JointAttentionBlock(nn.Module):
    """Attention over geometric and image tokens together, each with its own weights (MMDiT; eq. 17-20 of the paper)."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, gate_start: float, update_images: bool):
        """Args: sizes; start of the gates; whether image tokens are updated too (not needed after the last layer)."""
        super().__init__()
        self.geometric = ConditionedStream(width, heads, mlp_ratio, gate_start, updated=True)
        self.image = ConditionedStream(width, heads, mlp_ratio, gate_start, updated=update_images)

    def forward(
        self,
        geometric: Float[Tensor, "*b points width"],
        images: Float[Tensor, "*b patches width"],
        condition: Float[Tensor, "*b width"],
        valid: Bool[Tensor, "*b patches"] | None = None,
    ) -> tuple[Float[Tensor, "*b points width"], Float[Tensor, "*b patches width"]]:
        """Both streams after the block; image tokens that are not ``valid`` are seen by nobody."""
        modulations, (queries, keys, values), valid = self._joined(geometric, images, condition, valid)
        attended = attend(queries, keys, values, valid)
        points = geometric.shape[-2]
        return (
            self.geometric.update(geometric, attended[..., :points, :], modulations[0]),
            self.image.update(images, attended[..., points:, :], modulations[1]),
        )

    def weights(
        self,
        chosen: Int[Tensor, "chosen"],
        geometric: Float[Tensor, "*b points width"],
        images: Float[Tensor, "*b patches width"],
        condition: Float[Tensor, "*b width"],
        valid: Bool[Tensor, "*b patches"] | None = None,
    ) -> Float[Tensor, "*b heads chosen points_and_patches"]:
        """How much some geometric tokens attend to each token in :meth:`forward`: to geometric ones, then patches."""
        _, (queries, keys, _), valid = self._joined(geometric, images, condition, valid)
        return attention_weights(queries[..., chosen, :], keys, valid)

    def _joined(
        self, geometric: Tensor, images: Tensor, condition: Tensor, valid: Tensor | None
    ) -> tuple[tuple[tuple[Tensor, ...], tuple[Tensor, ...]], Projected, Tensor | None]:
        """Modulations of both streams; queries, keys and values of both in a row; which of these may be seen."""
        modulations = self.geometric.modulations(condition), self.image.modulations(condition)
        parts = [
            self.geometric.attention.project(self.geometric.attention_input(geometric, modulations[0])),
            self.image.attention.project(self.image.attention_input(images, modulations[1])),
        ]
        if valid is not None:
            valid = torch.cat([valid.new_ones(geometric.shape[:-1]), valid], dim=-1)
        return modulations, joined(parts), valid
