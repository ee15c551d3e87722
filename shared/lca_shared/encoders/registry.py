"""Image encoders by name. Modules are imported when asked for, so that naming one costs nothing."""

from collections.abc import Callable

from lca_shared.encoders.protocol import EncoderConfig, ImageEncoder
from lca_shared.errors import UserError


def _patch(config: EncoderConfig) -> ImageEncoder:
    from lca_shared.encoders.patch import PatchEncoder

    return PatchEncoder(config)


def _transformers(config: EncoderConfig) -> ImageEncoder:
    from lca_shared.encoders.transformers_vit import TransformersEncoder

    return TransformersEncoder(config)


def _sapiens(config: EncoderConfig) -> ImageEncoder:
    from lca_shared.encoders.sapiens import SapiensEncoder

    return SapiensEncoder(config)


ENCODERS: dict[str, Callable[[EncoderConfig], ImageEncoder]] = {
    "patch": _patch,
    "dinov2": _transformers,
    "dinov3": _transformers,
    "sapiens": _sapiens,
    "sapiens2": _transformers,
}
"""What builds each encoder."""


def build_encoder(config: EncoderConfig) -> ImageEncoder:
    """The encoder that ``config`` names, with its weights.

    Raises:
        UserError: no such encoder.
        MissingWeightsError: its weights are not where ``config.source`` says.
    """
    if config.name not in ENCODERS:
        raise UserError(f"There is no image encoder {config.name!r}. Choose one of: {', '.join(ENCODERS)}.")
    return ENCODERS[config.name](config)
