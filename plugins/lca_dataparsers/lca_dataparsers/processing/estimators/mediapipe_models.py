"""MediaPipe's task models, built without its chatter."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lca_shared.weights import find_weight

MOST_PEOPLE = 4
"""How many people are looked for in a picture."""


def as_mediapipe(image: np.ndarray) -> Any:
    """An sRGB uint8 [h, w, 3] array as MediaPipe's image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def load_pose(model_dir: Path | None) -> Any:
    """The pose landmarker. Raises MissingWeightsError if its file cannot be had; so do the others."""
    with _quiet_vision() as vision:
        return _warm(
            vision.PoseLandmarker.create_from_options(
                vision.PoseLandmarkerOptions(
                    _file("pose", model_dir),
                    num_poses=MOST_PEOPLE,
                    output_segmentation_masks=True,
                    min_pose_detection_confidence=0.5,
                )
            )
        )


def load_face(model_dir: Path | None, head_matrix: bool) -> Any:
    """The face landmarker with its 52 coefficients, and with the head's orientation if that is wanted."""
    with _quiet_vision() as vision:
        return _warm(
            vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(
                    _file("face", model_dir),
                    num_faces=1,
                    min_face_detection_confidence=0.3,
                    output_face_blendshapes=True,
                    output_facial_transformation_matrixes=head_matrix,
                )
            )
        )


def load_hands(model_dir: Path | None) -> Any:
    """The hand landmarker."""
    with _quiet_vision() as vision:
        return _warm(
            vision.HandLandmarker.create_from_options(
                vision.HandLandmarkerOptions(
                    _file("hand", model_dir),
                    num_hands=2,
                    min_hand_detection_confidence=0.3,
                    min_hand_presence_confidence=0.3,
                )
            )
        )


def load_portrait(model_dir: Path | None) -> Any:
    """The portrait segmenter."""
    with _quiet_vision() as vision:
        model = vision.ImageSegmenter.create_from_options(
            vision.ImageSegmenterOptions(
                _file("selfie", model_dir), output_confidence_masks=True, output_category_mask=False
            )
        )
        model.segment(_blank())
        return model


def _file(name: str, model_dir: Path | None) -> Any:
    from mediapipe.tasks.python import BaseOptions

    return BaseOptions(model_asset_path=str(find_weight(f"mediapipe-{name}", model_dir)))


def _warm(model: Any) -> Any:
    """The model, run once: what it prints at first use is printed here, to nobody."""
    model.detect(_blank())
    return model


def _blank() -> Any:
    return as_mediapipe(np.zeros((256, 256, 3), np.uint8))


@contextmanager
def _quiet_vision() -> Iterator[Any]:
    with silenced_native_logs():
        from mediapipe.tasks.python import vision

        yield vision


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
