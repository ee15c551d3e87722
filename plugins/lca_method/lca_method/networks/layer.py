"""One layer of the encoder: image attention, geometric attention, two-stage multimodal attention (Section B.2)."""

from dataclasses import replace

import torch
from torch import nn

from lca_method.networks.blocks import JointAttentionBlock, SelfAttentionBlock
from lca_method.networks.image_tokens import ImageTokens
from lca_method.networks.rotary import rotary_angles
from lca_shared.tensors import Float, Tensor


class ImageAttention(nn.Module):
    """Self-attention inside each picture alone, with register tokens that are dropped afterwards (eq. 4-5)."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, registers: int):
        """Args: sizes; number of learned register tokens."""
        super().__init__()
        self.head_width = width // heads
        self.registers = nn.Parameter(0.02 * torch.randn(registers, width))
        self.block = SelfAttentionBlock(width, heads, mlp_ratio)

    def forward(self, images: ImageTokens) -> ImageTokens:
        """The pictures' tokens after the block; the 2D rotary code tells patches apart, registers have none."""
        batch, count = images.tokens.shape[:-2], len(self.registers)
        registers = self.registers.to(images.tokens.dtype).expand(*batch, -1, -1)
        angles = rotary_angles(images.positions, self.head_width)
        angles = torch.cat([angles.new_zeros(*batch, count, angles.shape[-1]), angles], dim=-2)
        valid = images.valid
        if valid is not None:
            valid = torch.cat([valid.new_ones(*batch, count), valid], dim=-1)
        tokens = self.block(torch.cat([registers, images.tokens], dim=-2), angles, valid)
        return replace(images, tokens=tokens[..., count:, :])


class GlobalVector(nn.Sequential):
    """MLP of the mean body image token: the condition of the multimodal stage (eq. 16)."""

    def __init__(self, width: int):
        """Args: token width."""
        super().__init__(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))


class EncoderLayer(nn.Module):
    """Steps 1 to 3 of Section 3.1, each with weights of its own.

    Geometric tokens come with the face's first. In the multimodal stage the face's geometric tokens meet the face
    image tokens of all views, then all geometric tokens meet the body image tokens of all views (eq. 17-20).
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float,
        registers: int,
        gate_start: float,
        update_images: bool,
    ):
        """Args: sizes; see :class:`~lca_method.networks.blocks.ConditionedStream` for ``gate_start``; the last layer
        need not update image tokens in its multimodal stage, for nobody reads them."""
        super().__init__()
        self.image_attention = ImageAttention(width, heads, mlp_ratio, registers)
        self.geometric_attention = SelfAttentionBlock(width, heads, mlp_ratio)
        self.global_vector = GlobalVector(width)
        self.face_attention = JointAttentionBlock(width, heads, mlp_ratio, gate_start, update_images)
        self.body_attention = JointAttentionBlock(width, heads, mlp_ratio, gate_start, update_images)

    def forward(
        self,
        geometric: Float[Tensor, "*b points width"],
        body: ImageTokens,
        face: ImageTokens,
        face_points: int,
    ) -> tuple[Float[Tensor, "*b points width"], ImageTokens, ImageTokens]:
        """The three streams after the layer; the first ``face_points`` geometric tokens are the face's."""
        body, face = self.image_attention(body), self.image_attention(face)
        geometric = self.geometric_attention(geometric)
        condition = self.global_vector(body.mean())
        face_geometric, face = _met(self.face_attention, geometric[..., :face_points, :], face, condition)
        geometric = torch.cat([face_geometric, geometric[..., face_points:, :]], dim=-2)
        geometric, body = _met(self.body_attention, geometric, body, condition)
        return geometric, body, face


def _met(
    block: JointAttentionBlock, geometric: Tensor, images: ImageTokens, condition: Tensor
) -> tuple[Tensor, ImageTokens]:
    """Joint attention of geometric tokens with the image tokens of all views in one row."""
    views, patches = images.tokens.shape[-3:-1]
    valid = None if images.valid is None else images.valid.flatten(-2)
    geometric, tokens = block(geometric, images.tokens.flatten(-3, -2), condition, valid)
    return geometric, replace(images, tokens=tokens.unflatten(-2, (views, patches)))
