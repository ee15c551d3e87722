"""Face, expression and gaze through MediaPipe: one network gives all three."""

from pathlib import Path

import numpy as np

from lca_dataparsers.processing.estimators.chain import LOOKS
from lca_dataparsers.processing.estimators.crops import NOSE, head_square
from lca_dataparsers.processing.estimators.mediapipe_models import as_mediapipe, load_face
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
        result = self._model.detect(as_mediapipe(square.cut(image, min(_HEAD_CROP, max(64, square.side)))))
        if not result.face_landmarks:
            return None
        points = square.to_picture(np.array([[p.x, p.y] for p in result.face_landmarks[0]], np.float32))
        # Another person's face, or a pattern taken for one, lies elsewhere than this body's nose.
        if np.linalg.norm(points[_NOSE_TIP] - person.points[NOSE]) > 0.6 * np.ptp(points, axis=0).max():
            return None
        scores = {shape.category_name: shape.score for shape in result.face_blendshapes[0]}
        blendshapes = np.array([scores.get(name, 0.0) for name in ARKIT_NAMES], np.float32)
        turned = result.facial_transformation_matrixes
        return Face(points, blendshapes, np.asarray(turned[0], np.float32) if turned else None)


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
