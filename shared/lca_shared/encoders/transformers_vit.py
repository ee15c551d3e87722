"""Pretrained vision transformers through the transformers package: DINOv2, DINOv3, Sapiens2."""

import torch

from lca_shared.encoders.protocol import EncoderConfig, ImageEncoder, freeze
from lca_shared.errors import MissingWeightsError
from lca_shared.tensors import Float, Tensor

EXAMPLES = {
    "dinov2": "facebook/dinov2-with-registers-large",
    "dinov3": "facebook/dinov3-vitl16-pretrain-lvd1689m",
    "sapiens2": "facebook/sapiens2-pretrain-1b",
}
"""A Hugging Face id of each kind, for messages."""


class TransformersEncoder(ImageEncoder):
    """A frozen backbone from a local folder or a Hugging Face id; its patch tokens are the features.

    Class and register tokens come first in such a backbone (1 and as many as its config says: 9 in all for Sapiens2)
    and are dropped. Pictures are normalised with ImageNet's mean and deviation, as all three were trained.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: EncoderConfig):
        """Args: kind of backbone and where it is.

        Raises:
            MissingWeightsError: it is neither a folder with a model nor an id that can be fetched.
        """
        super().__init__()
        from transformers import AutoModel  # takes seconds to import

        example = EXAMPLES.get(config.name, EXAMPLES["dinov2"])
        if not config.source:
            raise MissingWeightsError(
                f"The image encoder {config.name!r} needs its weights: give their folder or Hugging Face id as the "
                f"encoder's source (e.g. {example})."
            )
        try:
            self.backbone = AutoModel.from_pretrained(config.source)
        except (OSError, ValueError) as error:
            raise MissingWeightsError(
                f"No model for the image encoder {config.name!r} at {config.source!r} ({_first_line(error)}). Give the "
                f"folder with config.json and model.safetensors, or a Hugging Face id (e.g. {example}) and a network."
            ) from error
        sizes = self.backbone.config
        self.patch_size = sizes.patch_size
        self.width = sizes.hidden_size
        self.prefix_tokens = 1 + getattr(sizes, "num_register_tokens", 0)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225])[:, None, None])
        freeze(self)

    def forward(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b patches width"]:
        """Features of sRGB 0..1 pictures, patches row by row."""
        rows, columns = self.grid(images.shape[-2], images.shape[-1])
        flat = (images.reshape(-1, *images.shape[-3:]) - self.mean) / self.deviation
        tokens = self.backbone(pixel_values=flat.to(self.backbone.dtype)).last_hidden_state
        patches = tokens[:, self.prefix_tokens :].to(images.dtype)
        return patches.reshape(*images.shape[:-3], rows * columns, self.width)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
