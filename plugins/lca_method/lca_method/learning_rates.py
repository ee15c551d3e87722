"""Layer-wise decay of the learning rate: the deeper a part of the encoder, the slower it learns (Section 4)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from torch.nn import Parameter

_LAYER = re.compile(r"encoder\.layers\.(\d+)\.")
_INPUTS = ("image_encoder.", "tokenizer.", "geometric_projection.")
_NEW = ("node_head.layers.", "node_head.last.")
NEW_FACTOR = 6.0
"""Times the learning rate: what post-training adds begins with nothing, and at the rate of trained heads the gates of
garments' nodes would not open in some hundred steps (our choice)."""


@dataclass
class LearningRatePart:
    """Parameters that learn at one fraction of the learning rate."""

    factor: float
    """The fraction."""
    names: list[str] = field(default_factory=list)
    """Of ``parameters``."""
    parameters: list[Parameter] = field(default_factory=list)


def layer_depth(name: str, layers: int) -> int:
    """Depth of a parameter of ``LCA`` below the decoders.

    Args:
        name: as in ``LCA.named_parameters``.
        layers: of the transformer.

    Returns:
        0 for what reads the encoder's tokens (both heads, driving, colour look-up), 1 for the transformer's last layer
        and its final normalisation, ``layers`` for its first layer, ``layers + 1`` for what makes its tokens (the
        projections of image features and of points, and an image encoder that is trained).
    """
    layer = _LAYER.match(name)
    if layer:
        return layers - int(layer.group(1))
    if name.startswith("encoder."):
        return 1
    return layers + 1 if name.startswith(_INPUTS) else 0


def learning_rate_parts(named: Iterable[tuple[str, Parameter]], layers: int, gamma: float) -> list[LearningRatePart]:
    """Split parameters by how fast they learn: at ``gamma ** depth`` of the learning rate, garments' nodes at
    :data:`NEW_FACTOR` times it.

    With gamma 1 there is one part beside these; with gamma 0 only what reads the encoder's tokens moves.

    Args:
        named: parameters of ``LCA`` by name; those that need no gradient are left out.
        layers: of the transformer.
        gamma: between 0 and 1; the paper's post-training has 0.65.

    Returns:
        Parts of falling factor; every parameter is in exactly one.

    Raises:
        ValueError: ``gamma`` is not between 0 and 1.
    """
    if not 0.0 <= gamma <= 1.0:
        raise ValueError(f"gamma is {gamma}, not between 0 and 1")
    parts: dict[float, LearningRatePart] = {}
    for name, parameter in named:
        if parameter.requires_grad:
            factor = NEW_FACTOR if name.startswith(_NEW) else gamma ** layer_depth(name, layers)
            part = parts.setdefault(factor, LearningRatePart(factor))
            part.names.append(name)
            part.parameters.append(parameter)
    return [parts[factor] for factor in sorted(parts, reverse=True)]
