"""One estimator of each kind, one after the other."""

from dataclasses import dataclass, fields

import numpy as np

from lca_dataparsers.processing.estimators.masks import mask_box
from lca_dataparsers.processing.estimators.protocol import (
    Estimator,
    ExpectedHands,
    ExpressionEstimator,
    FaceEstimator,
    GazeEstimator,
    HandEstimator,
    MaskEstimator,
    MattingEstimator,
    PersonDetails,
    PoseEstimator,
    Sighting,
)
from lca_dataparsers.processing.observations import ARKIT_NAMES, FACE_POINTS
from lca_dataparsers.processing.timing import StepTimes
from lca_shared.tensors import Float, UInt8

LOOKS = np.array([name.startswith("eyeLook") for name in ARKIT_NAMES])
"""Which of the coefficients are the gaze's."""


@dataclass(frozen=True)
class EstimatorParts:
    """One of each kind."""

    pose: PoseEstimator
    face: FaceEstimator
    hands: HandEstimator
    masks: MaskEstimator
    matting: MattingEstimator
    expression: ExpressionEstimator
    gaze: GazeEstimator

    def all(self) -> list[Estimator]:
        """In order."""
        return [getattr(self, field.name) for field in fields(self)]


class EstimatorChain:
    """A :class:`PersonEstimator` of parts; it keeps the time that each takes."""

    def __init__(self, parts: EstimatorParts) -> None:
        self._parts = parts
        self.name = " ".join(part.name for part in parts.all())
        self.times = StepTimes()

    def close(self) -> None:
        """Free all models."""
        for part in self._parts.all():
            part.close()

    def people(
        self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"] | None = None
    ) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        with self.times.step("bodies"):
            return self._parts.pose.people(image, expected)

    def details(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        person: Sighting,
        alone: bool,
        hands: tuple[bool, bool] = (True, True),
        expected: ExpectedHands | None = None,
    ) -> PersonDetails:
        """Face, hands and outline of one person."""
        parts, coefficients = self._parts, np.zeros(len(ARKIT_NAMES), np.float32)
        with self.times.step("face"):
            face = parts.face.face(image, person)
            if face is not None:
                coefficients[:] = parts.expression.coefficients(image, face)
                coefficients[LOOKS] = parts.gaze.looks(image, face)
        with self.times.step("hands"):
            hand_points, hand_scores = parts.hands.hands(image, person, hands, expected)
        with self.times.step("mask"):
            mask = parts.matting.alpha(image, person, parts.masks.mask(image, person, alone))
        unseen = np.full((FACE_POINTS, 2), np.nan, np.float32)
        turned = None if face is None else face.head_from_canonical
        return PersonDetails(
            face_points=unseen if face is None else face.points,
            blendshapes=coefficients,
            head_from_canonical=np.full((4, 4), np.nan, np.float32) if turned is None else turned,
            hand_points=hand_points,
            hand_scores=hand_scores,
            mask=mask,
            box=mask_box(mask),
        )
