"""LPIPS, the learned perceptual distance of Zhang et al. 2018, frozen and aware of masks.

The linear layers come with the ``lpips`` package; the backbone's convolution weights through ``lca_shared.weights``.
Nothing is downloaded behind the user's back.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor
from lca_shared.weights import find_weight

Backbone = Literal["alex", "vgg"]

WEIGHT_NAMES: dict[Backbone, str] = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16"}
"""Names of the backbones in ``lca_shared.weights``."""

# (index in torchvision's features, input channels, output channels, kernel, stride, padding, max pooling before it)
_ALEX = (
    (0, 3, 64, 11, 4, 2, None),
    (3, 64, 192, 5, 1, 2, (3, 2)),
    (6, 192, 384, 3, 1, 1, (3, 2)),
    (8, 384, 256, 3, 1, 1, None),
    (10, 256, 256, 3, 1, 1, None),
)
_VGG = (
    (0, 3, 64, 3, 1, 1, None),
    (2, 64, 64, 3, 1, 1, None),
    (5, 64, 128, 3, 1, 1, (2, 2)),
    (7, 128, 128, 3, 1, 1, None),
    (10, 128, 256, 3, 1, 1, (2, 2)),
    (12, 256, 256, 3, 1, 1, None),
    (14, 256, 256, 3, 1, 1, None),
    (17, 256, 512, 3, 1, 1, (2, 2)),
    (19, 512, 512, 3, 1, 1, None),
    (21, 512, 512, 3, 1, 1, None),
    (24, 512, 512, 3, 1, 1, (2, 2)),
    (26, 512, 512, 3, 1, 1, None),
    (28, 512, 512, 3, 1, 1, None),
)
_CONVOLUTIONS = {"alex": _ALEX, "vgg": _VGG}
_COMPARED = {"alex": (0, 3, 6, 8, 10), "vgg": (2, 7, 14, 21, 28)}
"""Convolutions after whose ReLU features are compared."""


class LPIPS(nn.Module):
    """Weighted squared distance of unit-length features of two pictures, averaged over pixels, summed over 5 layers."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, backbone: Backbone, convolutions: Mapping[str, Tensor], linear: Mapping[str, Tensor]):
        """Args: backbone; its weights under torchvision's names (``features.N.weight``); the lpips package's linear
        weights (``linN.model.1.weight``).

        Raises:
            KeyError: a weight is missing.
        """
        super().__init__()
        self.backbone = backbone
        self.convolutions = nn.ModuleDict()
        for index, inputs, outputs, kernel, stride, padding, _ in _CONVOLUTIONS[backbone]:
            layer = nn.Conv2d(inputs, outputs, kernel, stride, padding)
            layer.weight.data.copy_(convolutions[f"features.{index}.weight"])
            layer.bias.data.copy_(convolutions[f"features.{index}.bias"])  # type: ignore[union-attr]
            self.convolutions[str(index)] = layer
        for position in range(5):
            self.register_buffer(f"linear{position}", linear[f"lin{position}.model.1.weight"].float().clone())
        # ImageNet's mean and deviation, for pictures in -1..1 as the lpips package has them
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("deviation", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "LPIPS":
        """Stays in evaluation mode: it is a fixed yardstick."""
        return super().train(False)

    def features(self, images: Float[Tensor, "*b 3 h w"]) -> list[Float[Tensor, "pictures channels rows columns"]]:
        """Unit-length features of sRGB 0..1 pictures at 5 layers; of a target they need computing only once."""
        hidden = (images.reshape(-1, *images.shape[-3:]) * 2 - 1 - self.mean) / self.deviation
        found = []
        for index, _, _, _, _, _, pooling in _CONVOLUTIONS[self.backbone]:
            if pooling is not None:
                hidden = F.max_pool2d(hidden, *pooling)
            hidden = F.relu(self.convolutions[str(index)](hidden))
            if index in _COMPARED[self.backbone]:
                length = hidden.square().sum(dim=1, keepdim=True).add(1e-20).sqrt()
                found.append(hidden / (length + 1e-10))
        return found

    def distance(
        self,
        first: list[Float[Tensor, "_ _ _ _"]],
        second: list[Float[Tensor, "_ _ _ _"]],
        masks: Float[Tensor, "pictures 1 h w"] | None = None,
    ) -> Float[Tensor, "pictures"]:
        """LPIPS from features. With ``masks`` each layer's distances are averaged with the mask's area in each cell as
        weight; a picture with an empty mask has distance 0.
        """
        total = first[0].new_zeros(len(first[0]))
        for position, (one, other) in enumerate(zip(first, second)):
            distances = F.conv2d((one - other).square(), getattr(self, f"linear{position}"))
            if masks is None:
                total = total + distances.mean(dim=(1, 2, 3))
            else:
                weights = F.interpolate(masks, size=distances.shape[-2:], mode="area")
                total = total + (distances * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3)).clamp(min=1e-6)
        return total

    def forward(
        self,
        first: Float[Tensor, "*b 3 h w"],
        second: Float[Tensor, "*b 3 h w"],
        masks: Float[Tensor, "*b 1 h w"] | None = None,
    ) -> Float[Tensor, "*b"]:
        """LPIPS of sRGB 0..1 pictures; see :meth:`distance` for ``masks``."""
        flat = None if masks is None else masks.reshape(-1, *masks.shape[-3:])
        return self.distance(self.features(first), self.features(second), flat).reshape(first.shape[:-3])


def load_lpips(backbone: Backbone = "alex", model_dir: Path | None = None) -> LPIPS:
    """LPIPS with its published weights, on the CPU.

    Args:
        backbone: ``alex`` (fast; usual for evaluation) or ``vgg``.
        model_dir: where to look for weights first (see ``lca_shared.weights``).

    Raises:
        MissingWeightsError: the backbone's weights are neither on disk nor fetchable.
        UserError: the file found does not hold them, or the ``lpips`` package lacks its linear layers.
    """
    path = find_weight(WEIGHT_NAMES[backbone], model_dir)
    try:
        return LPIPS(backbone, _read(path), _linear_layers(backbone))
    except KeyError as error:
        raise UserError(
            f"{path} does not hold the weight {error} of LPIPS ({backbone}). Remove it and try again."
        ) from error


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _linear_layers(backbone: Backbone) -> Mapping[str, Tensor]:
    """Read from the package's folder without importing it (importing pulls in torchvision's models)."""
    found = importlib.util.find_spec("lpips")
    if found is None or found.origin is None:
        raise UserError("The package lpips is not installed: pip install lpips")
    return _read(Path(found.origin).parent / "weights" / "v0.1" / f"{backbone}.pth")
