"""One layer of the two-stream transformer."""

import torch
from torch import nn
from torch.nn import functional as F

from lca_shared.tensors import Bool, Float, Tensor


def modulated(
    values: Float[Tensor, "b n width"], shift: Float[Tensor, "b width"], scale: Float[Tensor, "b width"]
) -> Float[Tensor, "b n width"]:
    """AdaLN: normalised values scaled by ``1 + scale`` and shifted."""
    return values * (1 + scale[:, None]) + shift[:, None]


class Stream(nn.Module):
    """One stream's own weights of a layer: modulation, queries, keys and values, merging, perceptron."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, last: bool = False):
        """Args: width; attention heads; width of the perceptron over the stream's; whether nothing reads the stream
        after this layer's attention."""
        super().__init__()
        self.heads, self.last = heads, last
        self.modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if last else 6) * width))
        nn.init.zeros_(self.modulation[1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.modulation[1].bias)  # type: ignore[arg-type]
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.queries_keys_values = nn.Linear(width, (2 if last else 3) * width)
        self.key_norm = nn.RMSNorm(width // heads)
        if not last:
            self.query_norm, self.merge = nn.RMSNorm(width // heads), nn.Linear(width, width)
            inner = int(mlp_ratio * width)
            self.perceptron_norm = nn.LayerNorm(width, elementwise_affine=False)
            self.perceptron = nn.Sequential(
                nn.Linear(width, inner), nn.GELU(approximate="tanh"), nn.Linear(inner, width)
            )

    def signals(self, signal: Float[Tensor, "b width"]) -> tuple[Tensor, ...]:
        """Shift and scale before attention; gate after it; shift, scale and gate of the perceptron."""
        return self.modulation(signal).chunk(2 if self.last else 6, dim=-1)

    def asked(self, values: Float[Tensor, "b n width"]) -> tuple[Tensor, ...]:
        """``[b heads n channels]``: values, normalised keys, and normalised queries if anything reads the answers."""
        parts = self.queries_keys_values(values).unflatten(-1, (-1, self.heads, values.shape[-1] // self.heads))
        found, keys, *queries = (part.transpose(1, 2) for part in parts.unbind(2))
        return found, self.key_norm(keys), *(self.query_norm(query) for query in queries)


class JointBlock(nn.Module):
    """Both streams attend over both; then each has its perceptron."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, last: bool = False):
        """Args: as of :class:`Stream`; ``last``: nothing reads the conditions after this layer."""
        super().__init__()
        self.latents = Stream(width, heads, mlp_ratio)
        self.conditions = Stream(width, heads, mlp_ratio, last)

    def forward(
        self,
        hidden: Float[Tensor, "b n width"],
        context: Float[Tensor, "b m width"],
        signal: Float[Tensor, "b width"],
        keys: Bool[Tensor, "b k"],
    ) -> tuple[Float[Tensor, "b n width"], Float[Tensor, "b m width"]]:
        """Args: latents; conditions; time and mean condition; which of latents and conditions may be attended to."""
        streams = (self.latents, self.conditions)
        signals = [stream.signals(signal) for stream in streams]
        before = [
            modulated(stream.norm(values), parts[0], parts[1])
            for stream, values, parts in zip(streams, (hidden, context), signals)
        ]
        asked = [stream.asked(values) for stream, values in zip(streams, before)]
        values, known = (torch.cat([parts[i] for parts in asked], dim=2) for i in (0, 1))
        queries = torch.cat([parts[2] for parts in asked if len(parts) > 2], dim=2)
        found = F.scaled_dot_product_attention(queries, known, values, attn_mask=keys[:, None, None])
        found = found.transpose(1, 2).flatten(2)
        given = (found[:, : hidden.shape[1]], found[:, hidden.shape[1] :])
        after = []
        for stream, values, parts, attended in zip(streams, (hidden, context), signals, given):
            if not stream.last:
                values = values + parts[2][:, None] * stream.merge(attended)
                inner = modulated(stream.perceptron_norm(values), parts[3], parts[4])
                values = values + parts[5][:, None] * stream.perceptron(inner)
            after.append(values)
        return after[0], after[1]
