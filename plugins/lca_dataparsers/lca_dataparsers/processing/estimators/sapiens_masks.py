"""Outlines through Sapiens' body-part segmentation and Sapiens2's matting."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lca_dataparsers.processing.estimators.masks import without_islands
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_dataparsers.processing.estimators.sapiens_network import PersonCrop, SapiensNetwork
from lca_shared.tensors import Float, UInt8

BACKGROUND = 0
"""The first of 28 classes (Sapiens) or 29 (Sapiens2, with eyeglasses); all others are a person and their clothes."""
_NEAR = 0.03
"""Of the person's long side: how far beyond the body detector's mask a mask may reach where others are near."""


class SapiensMasks:
    """One minus the probability of the background.

    Args:
        kind: ``sapiens`` or ``sapiens2``.
        model_dir: see :class:`SapiensNetwork`, also for what is raised.
        device: see there.
    """

    def __init__(self, kind: str, model_dir: Path | None, device: str) -> None:
        self._network = SapiensNetwork(kind, "seg", model_dir, device)
        self.name = self._network.name

    def close(self) -> None:
        """Nothing to free beside memory."""

    def mask(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool) -> UInt8[np.ndarray, "h w"]:
        """255 = person; in company only near what the body detector takes for this one."""
        crop = PersonCrop(person.box)
        logits = self._network(crop.cut(image))
        probability = 1 - torch.softmax(logits, dim=0)[BACKGROUND].numpy()
        mask = _drawn(probability, crop, image)
        if not alone:
            mask[~_near(person, image)] = 0
        return without_islands(mask)


class SapiensMatting:
    """Sapiens2's alpha matte, kept to the surroundings of a mask.

    Args:
        model_dir: see :class:`SapiensNetwork`, also for what is raised.
        device: see there.
    """

    def __init__(self, model_dir: Path | None, device: str) -> None:
        self._network = SapiensNetwork("sapiens2", "matting", model_dir, device)
        self.name = self._network.name

    def close(self) -> None:
        """Nothing to free beside memory."""

    def alpha(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, mask: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w"]:
        """Opacity of the person; 0 farther from the mask than hair reaches."""
        crop = PersonCrop(person.box)
        alpha = _drawn(self._network(crop.cut(image))[0].clamp(0, 1).numpy(), crop, image)
        return np.where(cv2.dilate(mask, _disc(person)) > 127, alpha, 0).astype(np.uint8)


def _drawn(
    probability: Float[np.ndarray, "rows columns"], crop: PersonCrop, image: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w"]:
    whole = crop.back(np.ascontiguousarray(probability, np.float32), (image.shape[1], image.shape[0]))
    return (255 * whole.clip(0, 1)).round().astype(np.uint8)


def _near(person: Sighting, image: UInt8[np.ndarray, "h w 3"]) -> np.ndarray:
    """[h, w] bool: on or beside the body detector's mask."""
    body = cv2.resize(person.mask, (image.shape[1], image.shape[0]))
    return cv2.dilate(body, _disc(person)) > 76


def _disc(person: Sighting) -> np.ndarray:
    reach = max(3, round(_NEAR * float((person.box[2:] - person.box[:2]).max())))
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
