"""Outlines through MediaPipe's portrait segmenter and its body detector."""

from pathlib import Path

import numpy as np

from lca_dataparsers.processing.estimators.masks import fused_mask
from lca_dataparsers.processing.estimators.mediapipe_models import as_mediapipe, load_portrait
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float, UInt8


class MediaPipeMasks:
    """The mask that came with the body and the portrait segmenter's, brought together.

    Args:
        model_dir: where to look for the ``.tflite`` file first.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-masks-0.10-3"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._model = load_portrait(model_dir)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def mask(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool) -> UInt8[np.ndarray, "h w"]:
        """255 = person."""
        return fused_mask(image, person.mask, person.box, self._portrait, alone)

    def _portrait(self, square: UInt8[np.ndarray, "size size 3"]) -> Float[np.ndarray, "size size"]:
        return self._model.segment(as_mediapipe(square)).confidence_masks[0].numpy_view().squeeze().copy()
