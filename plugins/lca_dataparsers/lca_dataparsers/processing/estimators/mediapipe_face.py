"""Face, expression and gaze through MediaPipe: one network gives all three."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from lca_dataparsers.processing.estimators.chain import LOOKS
from lca_dataparsers.processing.estimators.crops import NOSE, head_square
from lca_dataparsers.processing.estimators.mediapipe_models import load_face
from lca_dataparsers.processing.estimators.mediapipe_packets import landmark_lists, score_lists
from lca_dataparsers.processing.estimators.protocol import Face, Sighting
from lca_dataparsers.processing.observations import ARKIT_NAMES
from lca_shared.errors import UserError
from lca_shared.tensors import Float, UInt8

_HEAD_CROP = 384
"""Largest side of the crop handed to the model, pixels."""
_NOSE_TIP = 1
"""Of the face points."""


class MediaPipeFace:
    """MediaPipe's face landmarker on a crop of the head.

    Args:
        model_dir: where to look for the ``.task`` file first.
        head_matrix: whether the head's orientation is wanted too; it takes a sixth of the time.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-face-0.10-3"

    def __init__(self, model_dir: Path | None = None, head_matrix: bool = True) -> None:
        self._model = load_face(model_dir, head_matrix)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def face(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> Face | None:
        """The face of that person; None if it is not seen."""
        square = head_square(person.points)
        if not square.meets(image.shape[1], image.shape[0]):
            return None
        found = self._model.run(square.cut(image, min(_HEAD_CROP, max(64, square.side))))
        faces = landmark_lists(found["NORM_LANDMARKS"]) if "NORM_LANDMARKS" in found else []
        if not faces:
            return None
        points = square.to_picture(faces[0][:, :2])
        # Another person's face, or a pattern taken for one, lies elsewhere than this body's nose.
        if np.linalg.norm(points[_NOSE_TIP] - person.points[NOSE]) > 0.6 * np.ptp(points, axis=0).max():
            return None
        scores = score_lists(found["BLENDSHAPES"])[0]
        blendshapes = np.array([scores.get(name, 0.0) for name in ARKIT_NAMES], np.float32)
        return Face(points, blendshapes, _head_matrix(found["FACE_GEOMETRY"]) if "FACE_GEOMETRY" in found else None)


def _head_matrix(packet: Any) -> Float[np.ndarray, "4 4"]:
    from mediapipe.python import packet_getter

    data = packet_getter.get_proto_list(packet)[0].pose_transform_matrix
    order: Literal["F", "C"] = "F" if data.layout == 0 else "C"  # MatrixData: 0 = column by column
    return np.array(data.packed_data, np.float32).reshape(data.rows, data.cols, order=order)


class FromFace:
    """Expression and gaze as the face's own network gives them."""

    name = "mediapipe"

    def close(self) -> None:
        """Nothing to free."""

    def coefficients(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "52"]:
        """0..1, ARKit's names in the body model's order.

        Raises:
            UserError: another estimator found the face.
        """
        if face.blendshapes is None:
            raise UserError(
                "MediaPipe's expression and gaze come with its face points: add --estimators.face mediapipe."
            )
        return face.blendshapes

    def looks(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "8"]:
        """ARKit's eyeLook coefficients."""
        return self.coefficients(image, face)[LOOKS]
