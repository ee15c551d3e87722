"""Multi-head attention with normalised queries and keys, in parts that joint attention can put together."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from lca_method.networks.rotary import rotated
from lca_shared.tensors import Bool, Float, Tensor

Projected = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values, each [*b heads tokens head_width]."""


class Attention(nn.Module):
    """One stream's weights: projections to queries, keys and values, and the way back.

    Queries and keys are RMS-normalised per head, which keeps mixed-precision training stable (as LHM and SD3 do).
    """

    def __init__(self, width: int, heads: int, output: bool = True):
        """Args: token width; number of heads; whether the stream reads the result (else it only offers its tokens).

        Raises:
            ValueError: the width is not a multiple of the number of heads.
        """
        super().__init__()
        if width % heads:
            raise ValueError(f"the token width {width} is not a multiple of the number of heads {heads}")
        self.heads = heads
        self.queries = nn.Linear(width, width) if output else None
        self.keys_values = nn.Linear(width, 2 * width)
        self.query_norm = nn.RMSNorm(width // heads, eps=1e-6) if output else None
        self.key_norm = nn.RMSNorm(width // heads, eps=1e-6)
        self.output = nn.Linear(width, width) if output else None

    def project(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        angles: Float[Tensor, "*b tokens pairs"] | None = None,
    ) -> Projected:
        """Queries, keys and values of one stream, turned by the rotary ``angles`` if given.

        A stream that does not read the result has queries with no token.
        """
        keys, values = (self._split(part) for part in self.keys_values(tokens).chunk(2, dim=-1))
        keys = self.key_norm(keys)
        if angles is not None:
            keys = rotated(keys, angles)
        if self.queries is None or self.query_norm is None:
            return keys[..., :0, :], keys, values
        queries = self.query_norm(self._split(self.queries(tokens)))
        if angles is not None:
            queries = rotated(queries, angles)
        return queries, keys, values

    def merge(self, attended: Float[Tensor, "*b heads tokens head"]) -> Float[Tensor, "*b tokens width"]:
        """Heads put together again and projected: what is added to the stream."""
        assert self.output is not None, "this stream does not read the result"
        return self.output(attended.transpose(-3, -2).flatten(-2))

    def forward(
        self,
        tokens: Float[Tensor, "*b tokens width"],
        angles: Float[Tensor, "*b tokens pairs"] | None = None,
        valid: Bool[Tensor, "*b tokens"] | None = None,
    ) -> Float[Tensor, "*b tokens width"]:
        """Self-attention; tokens that are not ``valid`` are seen by nobody."""
        return self.merge(attend(*self.project(tokens, angles), valid))

    def _split(self, channels: Tensor) -> Tensor:
        return channels.unflatten(-1, (self.heads, -1)).transpose(-3, -2)


def attend(
    queries: Float[Tensor, "*b heads targets head"],
    keys: Float[Tensor, "*b heads sources head"],
    values: Float[Tensor, "*b heads sources value"],
    valid: Bool[Tensor, "*b sources"] | None = None,
) -> Float[Tensor, "*b heads targets value"]:
    """Softmax attention by torch's fused kernels; sources that are not ``valid`` get no weight.

    Each element of the batch needs at least one valid source.
    """
    batch = queries.shape[:-3]
    flat = [part.reshape(math.prod(batch), *part.shape[-3:]) for part in (queries, keys, values)]
    mask = None if valid is None else valid.reshape(math.prod(batch), 1, 1, valid.shape[-1])
    attended = F.scaled_dot_product_attention(*flat, attn_mask=mask)
    return attended.reshape(*batch, *attended.shape[1:])


def attention_weights(
    queries: Float[Tensor, "*b heads targets head"],
    keys: Float[Tensor, "*b heads sources head"],
    valid: Bool[Tensor, "*b sources"] | None = None,
) -> Float[Tensor, "*b heads targets sources"]:
    """The weights that :func:`attend` gives to the sources; for looking into a model: fused kernels never make them."""
    scores = queries.float() @ keys.float().mT / math.sqrt(queries.shape[-1])
    if valid is not None:
        scores = scores.masked_fill(~valid[..., None, None, :], -math.inf)
    return scores.softmax(dim=-1)


class FeedForward(nn.Sequential):
    """The MLP of a transformer layer: width -> ratio x width -> width, GELU."""

    def __init__(self, width: int, ratio: float):
        """Args: token width; hidden width over token width."""
        hidden = round(width * ratio)
        super().__init__(nn.Linear(width, hidden), nn.GELU(approximate="tanh"), nn.Linear(hidden, width))


def joined(parts: list[Projected]) -> Projected:
    """Streams side by side along the token axis."""
    queries, keys, values = (torch.cat(kind, dim=-2) for kind in zip(*parts))
    return queries, keys, values
