"""Expression coefficients and gaze from the detector's blendshapes."""

import numpy as np
import torch

from lca_dataparsers.processing.observations import ARKIT_NAMES
from lca_shared.body.gaze import GAZE_PITCH, GAZE_YAW
from lca_shared.tensors import Bool, Float, Tensor

NEUTRAL_QUANTILE = 0.1
NEUTRAL_CAP = 0.3
"""Of a coefficient's lowest values no more than this is taken for the person's neutral face: who smiles through the
whole clip keeps most of the smile."""
NEUTRAL_FRAMES = 30
"""Fewer frames than this say nothing about the neutral face."""
_LOOKS = np.array([name.startswith("eyeLook") for name in ARKIT_NAMES])


def neutral_blendshapes(
    blendshapes: Float[np.ndarray, "frames 52"], seen: Bool[np.ndarray, "frames"]
) -> Float[np.ndarray, "52"]:
    """What the detector reads off the person's neutral face: a low quantile over the clip, bounded.

    Left and right share one value, so that a crooked habit is not turned into its opposite.
    """
    if seen.sum() < NEUTRAL_FRAMES:
        return np.zeros(len(ARKIT_NAMES), np.float32)
    neutral = np.quantile(blendshapes[seen], NEUTRAL_QUANTILE, axis=0).clip(0.0, NEUTRAL_CAP)
    for i, name in enumerate(ARKIT_NAMES):
        if name.endswith("Left"):
            other = ARKIT_NAMES.index(name.removesuffix("Left") + "Right")
            neutral[[i, other]] = neutral[[i, other]].min()
    return neutral.astype(np.float32)


def expression_from_blendshapes(
    blendshapes: Float[np.ndarray, "frames 52"], seen: Bool[np.ndarray, "frames"], neutral: Float[np.ndarray, "52"]
) -> Float[Tensor, "frames 52"]:
    """Coefficients above the person's neutral face, 0..1; zero where the face was not seen.

    ``eyeLook*`` are zero here: they turn into gaze, and the result's lids follow from that.
    """
    raised = ((blendshapes - neutral) / (1.0 - neutral)).clip(0.0, 1.0)
    return torch.from_numpy(np.where(seen[:, None] & ~_LOOKS, raised, 0.0).astype(np.float32))


def gaze_from_blendshapes(
    blendshapes: Float[np.ndarray, "frames 52"], seen: Bool[np.ndarray, "frames"]
) -> Float[Tensor, "frames 2 2"]:
    """(left, right) x (yaw, pitch), radians; yaw > 0 towards the person's left, pitch > 0 upwards."""

    def value(name: str) -> np.ndarray:
        return blendshapes[:, ARKIT_NAMES.index(name)]

    up = value("eyeLookUpLeft") + value("eyeLookUpRight") - value("eyeLookDownLeft") - value("eyeLookDownRight")
    pitch = GAZE_PITCH * 0.5 * up
    left = GAZE_YAW * (value("eyeLookOutLeft") - value("eyeLookInLeft"))
    right = GAZE_YAW * (value("eyeLookInRight") - value("eyeLookOutRight"))
    gaze = np.stack([np.stack([left, pitch], -1), np.stack([right, pitch], -1)], axis=1)
    return torch.from_numpy(np.where(seen[:, None, None], gaze, 0.0).astype(np.float32))


def gaze_confidence(
    blendshapes: Float[np.ndarray, "frames 52"], seen: Bool[np.ndarray, "frames"]
) -> Float[np.ndarray, "frames"]:
    """1 with open eyes, 0 with closed ones: a closed eye looks nowhere."""
    blink = 0.5 * sum(blendshapes[:, ARKIT_NAMES.index(name)] for name in ("eyeBlinkLeft", "eyeBlinkRight"))
    return (seen * (1.0 - (np.asarray(blink) - 0.4) / 0.3).clip(0.0, 1.0)).astype(np.float32)
