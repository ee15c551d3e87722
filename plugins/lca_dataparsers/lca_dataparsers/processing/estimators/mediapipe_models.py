"""MediaPipe's task models, built without its chatter."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from lca_dataparsers.processing.estimators.mediapipe_graph import TaskGraph, model_in
from lca_dataparsers.processing.estimators.mediapipe_import import import_mediapipe
from lca_shared.weights import find_weight

MOST_PEOPLE = 4
"""How many people are looked for in a picture."""
POSE_PRESENCE = 0.5
"""The network's own probability that there is a person, from which there is."""
HAND_PRESENCE = 0.3
"""The network's own probability that there is a hand, from which there is."""


def as_mediapipe(image: np.ndarray) -> Any:
    """An sRGB uint8 [h, w, 3] array as MediaPipe's image."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def load_pose(model_dir: Path | None) -> tuple[TaskGraph, TaskGraph]:
    """The two halves of the pose landmarker: the places of people, and the points and outline of a person at a place.

    Raises MissingWeightsError if its file cannot be had; so do the others.
    """
    with _quiet_vision():
        from mediapipe.tasks.cc.vision.pose_detector.proto import pose_detector_graph_options_pb2
        from mediapipe.tasks.cc.vision.pose_landmarker.proto import pose_landmarks_detector_graph_options_pb2

        task = find_weight("mediapipe-pose", model_dir)
        places: Any = pose_detector_graph_options_pb2.PoseDetectorGraphOptions()
        places.min_detection_confidence, places.num_poses = 0.5, MOST_PEOPLE
        places.base_options.model_asset.file_content = model_in(task, "pose_detector.tflite")
        points: Any = pose_landmarks_detector_graph_options_pb2.PoseLandmarksDetectorGraphOptions()
        points.min_detection_confidence = POSE_PRESENCE
        points.base_options.model_asset.file_content = model_in(task, "pose_landmarks_detector.tflite")
        vision = "mediapipe.tasks.vision"
        outputs = ("LANDMARKS", "WORLD_LANDMARKS", "SEGMENTATION_MASK")
        return (
            _warm(TaskGraph(f"{vision}.pose_detector.PoseDetectorGraph", ("EXPANDED_POSE_RECTS",), places)),
            _warm(TaskGraph(f"{vision}.pose_landmarker.SinglePoseLandmarksDetectorGraph", outputs, points)),
        )


def load_face(model_dir: Path | None, head_matrix: bool) -> TaskGraph:
    """The face landmarker with its 52 coefficients, and with the head's orientation if that is wanted."""
    with _quiet_vision() as vision:
        options = vision.FaceLandmarkerOptions(
            _file("face", model_dir),
            num_faces=1,
            min_face_detection_confidence=0.3,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=head_matrix,
        )
        outputs = ("NORM_LANDMARKS", "BLENDSHAPES", *(("FACE_GEOMETRY",) if head_matrix else ()))
        return _warm(TaskGraph("mediapipe.tasks.vision.face_landmarker.FaceLandmarkerGraph", outputs, options.to_pb2()))


def load_hands(model_dir: Path | None) -> TaskGraph:
    """The hand landmarker."""
    with _quiet_vision() as vision:
        options = vision.HandLandmarkerOptions(
            _file("hand", model_dir),
            num_hands=2,
            min_hand_detection_confidence=0.3,
            min_hand_presence_confidence=HAND_PRESENCE,
        )
        outputs = ("LANDMARKS", "HANDEDNESS")
        return _warm(TaskGraph("mediapipe.tasks.vision.hand_landmarker.HandLandmarkerGraph", outputs, options.to_pb2()))


def load_hand_points(model_dir: Path | None) -> TaskGraph:
    """The second half of the hand landmarker: points of a hand whose place is known."""
    with _quiet_vision():
        from mediapipe.tasks.cc.vision.hand_landmarker.proto import hand_landmarks_detector_graph_options_pb2 as options

        message: Any = options.HandLandmarksDetectorGraphOptions()
        message.min_detection_confidence = HAND_PRESENCE
        network = model_in(find_weight("mediapipe-hand", model_dir), "hand_landmarks_detector.tflite")
        message.base_options.model_asset.file_content = network
        name = "mediapipe.tasks.vision.hand_landmarker.SingleHandLandmarksDetectorGraph"
        return _warm(TaskGraph(name, ("LANDMARKS", "HANDEDNESS"), message, "HAND_RECT"))


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


def _warm(graph: TaskGraph) -> TaskGraph:
    """The graph, run once: what it prints at first use is printed here, to nobody."""
    graph.run(np.zeros((256, 256, 3), np.uint8))
    return graph


def _blank() -> Any:
    return as_mediapipe(np.zeros((256, 256, 3), np.uint8))


@contextmanager
def _quiet_vision() -> Iterator[Any]:
    with silenced_native_logs():
        import_mediapipe()
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
