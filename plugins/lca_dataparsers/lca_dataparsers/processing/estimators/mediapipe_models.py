"""MediaPipe's task models, built without its chatter."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lca_shared.weights import find_weight

MOST_PEOPLE = 4
"""How many people are looked for in a picture."""


@dataclass(frozen=True)
class MediaPipeModels:
    """The four models; each instance is used by one thread at a time."""

    pose: Any
    face: Any
    hand: Any
    portrait: Any

    def close(self) -> None:
        """Free them."""
        for model in (self.pose, self.face, self.hand, self.portrait):
            model.close()


def as_mediapipe(image: np.ndarray) -> Any:
    """An sRGB uint8 [h, w, 3] array as MediaPipe's image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def load_models(model_dir: Path | None) -> MediaPipeModels:
    """Load the models, and run each once so that what they print at first use is printed here, to nobody.

    Raises:
        MissingWeightsError: a model file is neither on disk nor fetchable.
    """
    paths = {name: find_weight(f"mediapipe-{name}", model_dir) for name in ("pose", "face", "hand", "selfie")}
    with silenced_native_logs():
        from mediapipe.tasks.python import BaseOptions, vision

        def options(name: str) -> Any:
            return BaseOptions(model_asset_path=str(paths[name]))

        models = MediaPipeModels(
            pose=vision.PoseLandmarker.create_from_options(
                vision.PoseLandmarkerOptions(
                    options("pose"),
                    num_poses=MOST_PEOPLE,
                    output_segmentation_masks=True,
                    min_pose_detection_confidence=0.5,
                )
            ),
            face=vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    options("face"),
                    num_faces=1,
                    min_face_detection_confidence=0.3,
                    output_face_blendshapes=True,
                    output_facial_transformation_matrixes=True,
                )
            ),
            hand=vision.HandLandmarker.create_from_options(
                vision.HandLandmarkerOptions(
                    options("hand"), num_hands=2, min_hand_detection_confidence=0.3, min_hand_presence_confidence=0.3
                )
            ),
            portrait=vision.ImageSegmenter.create_from_options(
                vision.ImageSegmenterOptions(
                    options("selfie"), output_confidence_masks=True, output_category_mask=False
                )
            ),
        )
        blank = as_mediapipe(np.zeros((256, 256, 3), np.uint8))
        for model in (models.pose, models.face, models.hand):
            model.detect(blank)
        models.portrait.segment(blank)
    return models


@contextmanager
def silenced_native_logs() -> Iterator[None]:
    """Send the process's standard error to nowhere: the libraries below write to it directly and cannot be told not to.

    Python's own exceptions pass through as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
