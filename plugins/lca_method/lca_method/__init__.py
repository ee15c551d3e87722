"""Large-scale Codec Avatars (arXiv 2604.02320) as nerfstudio methods."""

__version__ = "0.1.0"
