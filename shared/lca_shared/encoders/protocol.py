"""What an image encoder is, and how one is named in a config."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import nn

from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class EncoderConfig:
    """Which image encoder, and where its weights are."""

    name: str = "sapiens"
    """A name in ``lca_shared.encoders.ENCODERS``: patch, dinov2, dinov3, sapiens, sapiens2."""
    source: str = ""
    """Weights: a file or folder, or (dinov2, dinov3, sapiens2) a Hugging Face id. ``patch`` has none."""
    patch_size: int = 16
    """Pixels (``patch`` only; the others bring their own)."""
    width: int = 1536
    """Feature width (``patch`` and ``sapiens``, 1536 for Sapiens-1B; the others bring their own)."""


class ImageEncoder(nn.Module, ABC):
    """Pictures -> one feature vector per patch. Subclasses set the three attributes in their constructor."""

    patch_size: int
    """Pixels."""
    width: int
    """Length of a feature vector."""
    frozen: bool
    """True: pretrained and left as it is; its features may be cached and its weights are not part of a checkpoint."""

    def grid(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of patches of a picture of ``height`` x ``width`` pixels.

        Raises:
            UserError: a side is not a multiple of the patch size.
        """
        if height % self.patch_size or width % self.patch_size:
            raise UserError(
                f"Pictures of {width} x {height} pixels cannot be cut into patches of {self.patch_size}. "
                f"Set the reference and face image sizes to multiples of {self.patch_size}."
            )
        return height // self.patch_size, width // self.patch_size

    @abstractmethod
    def forward(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b patches width"]:
        """Features of sRGB 0..1 pictures, patches row by row."""


def freeze(encoder: ImageEncoder) -> None:
    """Mark as frozen: no gradients to the weights, always in evaluation mode."""
    encoder.frozen = True
    encoder.requires_grad_(False)
    encoder.eval()
