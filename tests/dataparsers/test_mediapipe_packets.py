"""What is read from MediaPipe's serialized results is what its own Python classes say."""

import numpy as np
import pytest
from mediapipe.framework.formats import classification_pb2, landmark_pb2, rect_pb2

from lca_dataparsers.processing.estimators.mediapipe_packets import landmarks, rectangle, scores


@pytest.mark.parametrize("given", [("x", "y", "z"), ("x", "y", "z", "visibility", "presence"), ("x", "presence")])
def test_points_with_the_same_fields(given: tuple[str, ...]) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(478, len(given))).astype(np.float32)
    message = landmark_pb2.NormalizedLandmarkList()
    for row in values:
        message.landmark.add(**dict(zip(given, row.tolist())))
    read = landmarks(message.SerializeToString())
    columns = [("x", "y", "z", "visibility", "presence").index(name) for name in given]
    np.testing.assert_array_equal(read[:, columns], values)
    assert np.isnan(np.delete(read, columns, axis=1)).all() and read.shape == (478, 5)


def test_points_with_different_fields_and_none() -> None:
    message = landmark_pb2.LandmarkList()
    message.landmark.add(x=1.0, y=2.0)
    message.landmark.add(x=3.0, z=4.0, visibility=0.5)
    nan = np.nan
    np.testing.assert_array_equal(
        landmarks(message.SerializeToString()), [[1, 2, nan, nan, nan], [3, nan, 4, 0.5, nan]]
    )
    assert landmarks(b"").shape == (0, 5)


def test_scores_by_label() -> None:
    message = classification_pb2.ClassificationList()
    message.classification.add(index=300, score=0.25, label="jawOpen", display_name="jaw")
    message.classification.add(index=1, score=0.75, label="Left")
    assert scores(message.SerializeToString()) == {"jawOpen": 0.25, "Left": 0.75}
    assert scores(b"") == {}


def test_rectangles() -> None:
    message = rect_pb2.NormalizedRect(x_center=0.5, y_center=0.25, width=2.0, height=1.0)
    assert rectangle(message.SerializeToString()) == (0.5, 0.25, 2.0, 1.0, 0.0)
    message.rotation = -0.75
    assert rectangle(message.SerializeToString())[4] == -0.75


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="wire type"):
        scores(bytes([0x0A, 1, 0x0B]))
