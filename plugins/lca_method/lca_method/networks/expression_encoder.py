"""The learned expression code: from a face crop, or from named coefficients (Section 3.1, "facial expression code").

The paper names a code of a face crop learned without labels and gives no recipe; ours follows VASA-1's idea (identity,
head pose and expression pulled apart): the avatar knows the person, the fitted body knows the head's pose, and what is
left in the target's picture for the code to tell is the expression. Training drives a person's avatar with the code of
a frame that the avatar has not seen and compares with that frame.
"""

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from lca_method.batch import FaceViews
from lca_method.networks.expression_augment import FaceAugmentConfig, augmented
from lca_method.networks.local_contrast import local_contrast
from lca_method.step_random import normal, uniform
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class ExpressionEncoderConfig:
    """Sizes of the encoder and how narrow its bottleneck is (all but ``width`` are our choice)."""

    width: int = 128
    """Numbers of the code (the paper's)."""
    picture: int = 128
    """Side of the laid-out face that the encoder looks at, pixels; a power of two."""
    channels: tuple[int, ...] = (48, 96, 192, 256, 256)
    """Of the convolutions, each of which halves the picture."""
    noise: float = 0.1
    """Standard deviation of what is added to each number of the code (root mean square below 1) in training."""
    dropout: float = 0.1
    """Share of training frames that are driven by the zero code, so that it means "expression unknown"."""
    adapter_hidden: int = 256
    """Of the network that makes codes from coefficients."""
    augment: FaceAugmentConfig = field(default_factory=FaceAugmentConfig)


class ExpressionEncoder(nn.Module):
    """Face crop -> code of bounded length. Frames whose face was not seen get the zero code.

    It sees no colours and no light but grey local contrast, laid out by the fitted body, and reads it twice: linearly,
    which is learned in few steps and carries over to other people, and by convolutions. ``kept`` takes out what names
    the code's owner, once that has been measured (see :mod:`lca_method.networks.identity_directions`).
    """

    kept: Tensor

    def __init__(self, config: ExpressionEncoderConfig):
        """Args: sizes."""
        super().__init__()
        self.config = config
        parts: list[nn.Module] = []
        inputs = 1
        for outputs in config.channels:
            parts += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.GroupNorm(8, outputs), nn.SiLU()]
            inputs = outputs
        side = config.picture // 2 ** len(config.channels)
        if side < 1:
            raise ValueError(f"{len(config.channels)} halvings of {config.picture} pixels leave nothing")
        self.trunk = nn.Sequential(*parts, nn.Flatten())
        self.code = nn.Linear(inputs * side * side, config.width)
        self.plain = nn.Linear((config.picture // 2) ** 2, config.width)
        self.register_buffer("kept", torch.eye(config.width))
        self.register_load_state_dict_pre_hook(_nothing_taken_out)

    def forward(
        self,
        images: Float[Tensor, "*b 3 h w"],
        masks: Float[Tensor, "*b 1 h w"],
        seen: Float[Tensor, "*b"],
        places: Float[Tensor, "*b rows columns 2"] | None = None,
        unchanged: bool = False,
    ) -> Float[Tensor, "*b code"]:
        """Codes of face crops; in training mode the encoder looks at randomly changed copies.

        Args:
            images: head crops, sRGB 0..1.
            masks: person masks.
            seen: 1 = the face was seen; others get the zero code.
            places: where the parts of the face are in each crop (see :mod:`lca_method.face_places`); None = the whole
                crop.
            unchanged: look at the pictures as they are, in training mode too.
        """
        pictures = laid_out(((images - BACKGROUND) * masks).flatten(0, -4), places, self.config.picture) + BACKGROUND
        if self.training and not unchanged:
            pictures = augmented(pictures, BACKGROUND, self.config.augment)
        grey = (pictures - BACKGROUND).mean(dim=1, keepdim=True)
        contrast = local_contrast(grey, max(self.config.picture // 16, 1))
        codes = bounded(self.code(self.trunk(contrast)) + self.plain(F.avg_pool2d(contrast, 2).flatten(1)))
        return self.without_identity(codes).unflatten(0, images.shape[:-3]) * seen[..., None].to(codes)

    def without_identity(self, codes: Float[Tensor, "*b code"]) -> Float[Tensor, "*b code"]:
        """Codes without the directions that name their owner, as far as these are known."""
        return codes @ self.kept.mT.to(codes)

    def of(self, faces: FaceViews) -> Float[Tensor, "*b code"]:
        """Codes of faces."""
        return self(faces.images, faces.masks, faces.seen, faces.places)

    def disturbed(self, code: Float[Tensor, "*b code"]) -> Float[Tensor, "*b code"]:
        """The bottleneck: in training, codes with noise, and some replaced by the zero code."""
        if not self.training:
            return code
        kept = uniform(*code.shape[:-1], 1, device=code.device) >= self.config.dropout
        return self.noisy(code) * kept

    def noisy(self, code: Float[Tensor, "*b code"]) -> Float[Tensor, "*b code"]:
        """In training, codes with noise: what they tell has to be larger."""
        return code + self.config.noise * normal(*code.shape, device=code.device) if self.training else code


def _nothing_taken_out(encoder: ExpressionEncoder, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Weights saved by older versions hold no ``kept``."""
    state.setdefault(f"{prefix}kept", torch.eye(encoder.config.width))


class ExpressionAdapter(nn.Sequential):
    """Named coefficients -> code, so that sliders and blendshape streams drive the same avatar.

    Learned on the encoder's codes, which it does not change.
    """

    def __init__(self, coefficients: int, config: ExpressionEncoderConfig):
        """Args: number of coefficients; sizes."""
        hidden = config.adapter_hidden
        super().__init__(
            nn.Linear(coefficients, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(),
            nn.Linear(hidden, config.width),
        )  # fmt: skip

    def forward(self, coefficients: Float[Tensor, "*b coefficients"]) -> Float[Tensor, "*b code"]:
        """Codes, bounded as the encoder's."""
        return bounded(super().forward(coefficients))


def laid_out(
    pictures: Float[Tensor, "n 3 h w"], places: Float[Tensor, "*b rows columns 2"] | None, side: int
) -> Float[Tensor, "n 3 side side"]:
    """The faces of pictures in which zero is what lies beyond the border, laid out as ``places`` says."""
    if places is None:
        return F.interpolate(pictures, (side, side), mode="bilinear", align_corners=False, antialias=True)
    if pictures.shape[-1] > 2 * side:  # a face takes about half of a head crop: more pixels would be skipped
        pictures = F.interpolate(pictures, (2 * side, 2 * side), mode="bilinear", align_corners=False, antialias=True)
    nodes = places.flatten(0, -4).movedim(-1, 1).to(pictures)
    grid = F.interpolate(nodes, (side, side), mode="bilinear", align_corners=True).movedim(1, -1)
    return F.grid_sample(pictures, grid, align_corners=False)


def bounded(code: Float[Tensor, "*b code"]) -> Float[Tensor, "*b code"]:
    """Codes scaled down to a root mean square below 1. Unlike a tanh of each number this has gradients everywhere:
    codes that grow cannot get stuck at the corners of a cube."""
    return code / (1 + code.square().mean(dim=-1, keepdim=True)).sqrt()


BACKGROUND = 0.5
"""Grey level of what is not the person, in what the encoder sees."""
