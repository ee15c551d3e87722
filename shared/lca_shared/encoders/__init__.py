"""Image encoders behind one protocol: a small one that trains, DINOv2 and DINOv3, Sapiens and Sapiens2."""

from lca_shared.encoders.protocol import EncoderConfig, ImageEncoder
from lca_shared.encoders.registry import ENCODERS, build_encoder

__all__ = ["ENCODERS", "EncoderConfig", "ImageEncoder", "build_encoder"]
