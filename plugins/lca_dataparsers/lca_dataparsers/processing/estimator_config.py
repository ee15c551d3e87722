"""Which estimator is used for what."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class EstimatorConfig:
    """What looks at the pictures; each kind can be chosen by itself. Sapiens and Sapiens2 need their weights (see the
    page on processing) and a GPU."""

    pose: Literal["mediapipe", "sapiens", "sapiens2"] = "mediapipe"
    """Body points. Sapiens moves those of the picture; people, and points in 3D, are still found by MediaPipe."""
    face: Literal["mediapipe", "none"] = "mediapipe"
    """Points of the face."""
    hands: Literal["mediapipe", "none"] = "mediapipe"
    """Points of the hands."""
    masks: Literal["mediapipe", "sapiens", "sapiens2"] = "mediapipe"
    """The person's outline."""
    matting: Literal["none", "sapiens2"] = "none"
    """Soft edges of the outline, as at hair; none = as the mask has them."""
    expression: Literal["mediapipe", "none"] = "mediapipe"
    """The 52 coefficients; none = a neutral face."""
    gaze: Literal["mediapipe", "none"] = "mediapipe"
    """Where the eyes look; none = straight ahead."""
    device: Literal["auto", "cuda", "cpu"] = "auto"
    """Of Sapiens: auto = the GPU. On a processor it takes many seconds a picture."""


MEDIAPIPE = EstimatorConfig()
"""The defaults."""
