"""Encoders of pictures of parts of the body."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from lca_shared.encoders import build_encoder
from lca_shared.encoders.protocol import EncoderConfig
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class PartEncoderConfig:
    """Which encoder of pictures of parts."""

    name: str = "dinov2"
    """pixels: no weights, patches as they are; or a frozen encoder of ``lca_shared.encoders``."""
    source: str = ""
    """Weights of a frozen encoder: a folder or a Hugging Face id."""
    size: int = 224
    """Pixels to which pictures are resized."""
    patch: int = 16
    """Pixels (``pixels`` only)."""


class PartEncoder(ABC):
    """Pictures to one vector per patch."""

    channels: int
    patches: int
    """Of a picture."""
    plain: bool = False
    """Features are on one scale as they are: normalising them would lose something."""

    @abstractmethod
    def __call__(self, pictures: Float[Tensor, "pictures 3 h w"]) -> Float[Tensor, "pictures patches channels"]:
        """Features of square pictures of any size, sRGB 0..1."""


class PixelEncoder(PartEncoder):
    """Patches' pixels in -1..1 with the code of the patch's place."""

    plain = True

    def __init__(self, config: PartEncoderConfig):
        """Args: sizes. Raises: UserError: the size is no multiple of the patch."""
        if config.size % config.patch:
            raise UserError(f"Pictures of {config.size} pixels cannot be cut into patches of {config.patch}.")
        self.size, self.patch = config.size, config.patch
        side = config.size // config.patch
        self.patches, self.channels = side * side, 3 * config.patch**2 + 2 * side
        eye = torch.eye(side)
        self.places = torch.cat([eye.repeat_interleave(side, 0), eye.repeat(side, 1)], dim=-1)

    def __call__(self, pictures: Float[Tensor, "pictures 3 h w"]) -> Float[Tensor, "pictures patches channels"]:
        """See :class:`PartEncoder`."""
        pixels = F.unfold(_resized(pictures, self.size) * 2 - 1, self.patch, stride=self.patch).mT
        return torch.cat([pixels, self.places.to(pixels).expand(len(pixels), -1, -1)], dim=-1)


class FrozenPartEncoder(PartEncoder):
    """A frozen image encoder."""

    def __init__(self, config: PartEncoderConfig):
        """Args: which. Raises: UserError: its weights are missing, or it is not a frozen one."""
        self.encoder = build_encoder(EncoderConfig(name=config.name, source=config.source))
        if not self.encoder.frozen:
            raise UserError(
                f"The encoder {config.name!r} is trained with LCA; for pictures of parts name a frozen one."
            )
        self.size, self.channels = config.size, self.encoder.width
        rows, columns = self.encoder.grid(config.size, config.size)
        self.patches = rows * columns

    @torch.no_grad()
    def __call__(self, pictures: Float[Tensor, "pictures 3 h w"]) -> Float[Tensor, "pictures patches channels"]:
        """See :class:`PartEncoder`."""
        return self.encoder(_resized(pictures, self.size))


def build_part_encoder(config: PartEncoderConfig) -> PartEncoder:
    """The encoder that ``config`` names.

    Raises:
        UserError: no such encoder, or its weights are missing.
    """
    return PixelEncoder(config) if config.name == "pixels" else FrozenPartEncoder(config)


def _resized(pictures: Tensor, size: int) -> Tensor:
    if pictures.shape[-2:] == (size, size):
        return pictures
    return F.interpolate(pictures, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
