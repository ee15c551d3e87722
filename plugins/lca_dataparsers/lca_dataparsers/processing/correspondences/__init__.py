"""Where detector landmarks lie on the body model: a table made by ``scripts/make_correspondences.py``."""

from lca_dataparsers.processing.correspondences.table import (
    HAND_JOINTS,
    BodyPoint,
    Correspondences,
    FacePoint,
    load_correspondences,
    mirrored_name,
)

__all__ = ["HAND_JOINTS", "BodyPoint", "Correspondences", "FacePoint", "load_correspondences", "mirrored_name"]
