"""Sapiens v1 from its published TorchScript files (the paper's image encoder is Sapiens-1B, width 1536)."""

from pathlib import Path

import torch

from lca_shared.encoders.protocol import EncoderConfig, ImageEncoder, freeze
from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.tensors import Float, Tensor

PATCH_SIZE = 16
TRACED_SIDE = 1024
"""Pixels: the picture size the published files were traced for."""


class SapiensEncoder(ImageEncoder):
    """``facebook/sapiens-pretrain-{0.3b,0.6b,1b,2b}-torchscript``: widths 1024, 1280, 1536, 1920; licence CC-BY-NC 4.0.

    A traced file takes the picture size it was traced with, 1024 x 1024 pixels for the published ones.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: EncoderConfig, traced_side: int = TRACED_SIDE):
        """Args: ``config.source`` is the TorchScript file, ``config.width`` its feature width; side in pixels of the
        pictures it was traced with.

        Raises:
            MissingWeightsError: there is no such file, or it is not TorchScript.
        """
        super().__init__()
        path = Path(config.source)
        if not config.source or not path.is_file():
            raise MissingWeightsError(
                f"No Sapiens weights at {config.source!r}. Download a TorchScript file, e.g. "
                "sapiens_1b_epoch_173_torchscript.pt2 of facebook/sapiens-pretrain-1b-torchscript on Hugging Face "
                "(non-commercial licence), and give its path as the encoder's source."
            )
        try:
            self.backbone = torch.jit.load(path, map_location="cpu")
        except (RuntimeError, ValueError) as error:
            raise MissingWeightsError(f"{path} is not a TorchScript file. Download it again.") from error
        self.patch_size = PATCH_SIZE
        self.traced_side = traced_side
        self.register_buffer("mean", torch.tensor([123.5, 116.5, 103.5])[:, None, None] / 255)
        self.register_buffer("deviation", torch.tensor([58.5, 57.0, 57.5])[:, None, None] / 255)
        self.width = config.width
        freeze(self)

    def forward(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b patches width"]:
        """Features of sRGB 0..1 pictures, patches row by row.

        Raises:
            UserError: the pictures do not have the size the file was traced with, or the file has another width.
        """
        if images.shape[-2:] != (self.traced_side, self.traced_side):
            raise UserError(
                f"This Sapiens file takes pictures of {self.traced_side} x {self.traced_side} pixels, not "
                f"{images.shape[-1]} x {images.shape[-2]}. Set the sizes of reference and face pictures to it."
            )
        found = self._feature_map((images.reshape(-1, *images.shape[-3:]) - self.mean) / self.deviation)
        if found.shape[1] != self.width:
            raise UserError(f"This Sapiens file has features of width {found.shape[1]}: set the encoder's width to it.")
        return found.flatten(-2).mT.reshape(*images.shape[:-3], -1, self.width)

    def _feature_map(self, normalized: Tensor) -> Float[Tensor, "pictures width rows columns"]:
        found = self.backbone(normalized)
        while isinstance(found, tuple | list):  # the published files give a tuple of one map
            found = found[-1]
        return found
