"""What estimators are: one small protocol for each kind, and :class:`PersonEstimator`, which brings them together.

Pictures are sRGB uint8 [h, w, 3]; pixels: x right, y down, pixel centres at +0.5; NaN = not seen. One instance belongs
to one thread, and pictures are independent of each other, so that frames may be spread over threads.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from lca_shared.tensors import Float, UInt8

HAND_SCORE = 0.7
"""Hands that are less sure are not believed."""


@dataclass(frozen=True)
class Sighting:
    """One person in one picture."""

    points: Float[np.ndarray, "33 2"]
    """Body points in MediaPipe's order, pixels; may lie outside the picture."""
    visibility: Float[np.ndarray, "33"]
    """0..1."""
    points_world: Float[np.ndarray, "33 3"]
    """Metres: x right, y down, z away from the camera; hips at the origin."""
    mask: UInt8[np.ndarray, "mh mw"]
    """255 = this person, soft; of the whole picture, possibly with fewer pixels than it has."""
    box: Float[np.ndarray, "4"]
    """left, top, right, bottom of the person in the picture, pixels."""
    place: Float[np.ndarray, "4"] | None = None
    """Where to look for them in the pictures before and after: middle x, y and side of a square, pixels, and its
    rotation, radians; None = this estimator does not say."""


@dataclass(frozen=True)
class Face:
    """One person's face."""

    points: Float[np.ndarray, "478 2"]
    """Pixels, in MediaPipe's order."""
    blendshapes: Float[np.ndarray, "52"] | None = None
    """0..1, ARKit's names in the body model's order, if the same network gave them."""
    head_from_canonical: Float[np.ndarray, "4 4"] | None = None
    """See ClipObservations, if it was asked for."""


@dataclass(frozen=True)
class ExpectedHands:
    """What pictures nearby say about the hands in one: left, then right."""

    points: Float[np.ndarray, "2 21 2"]
    """Where they are likely to be, pixels; NaN = nothing known."""
    scores: Float[np.ndarray, "2"]
    """How sure those pictures were, 0..1."""


@dataclass(frozen=True)
class PersonDetails:
    """Face, hands and outline of one person. NaN = not seen."""

    face_points: Float[np.ndarray, "478 2"]
    """Pixels."""
    blendshapes: Float[np.ndarray, "52"]
    """0..1, ARKit's names in the body model's order; 0 where the face was not seen."""
    head_from_canonical: Float[np.ndarray, "4 4"]
    """See ClipObservations."""
    hand_points: Float[np.ndarray, "2 21 2"]
    """Pixels; the person's left hand, then the right."""
    hand_scores: Float[np.ndarray, "2"]
    """0..1."""
    mask: UInt8[np.ndarray, "h w"]
    """255 = person, with crisp edges."""
    box: Float[np.ndarray, "4"]
    """left, top, right, bottom of the mask, pixels."""


@runtime_checkable
class Estimator(Protocol):
    """Every kind."""

    name: str
    """Goes into what is kept for resuming: another name means that all is done again."""

    def close(self) -> None:
        """Free the models."""
        ...


@runtime_checkable
class PoseEstimator(Estimator, Protocol):
    """Finds people."""

    def people(
        self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"] | None = None
    ) -> list[Sighting]:
        """Everybody in the picture, largest first. ``expected``: the place (see :class:`Sighting`) of one who is alone
        in the pictures nearby; if there is a person, nobody else is looked for.
        """
        ...


@runtime_checkable
class FaceEstimator(Estimator, Protocol):
    """Finds the points of a face."""

    def face(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> Face | None:
        """The face of that person; None if it is not seen."""
        ...


@runtime_checkable
class HandEstimator(Estimator, Protocol):
    """Finds the points of hands."""

    def hands(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        person: Sighting,
        wanted: tuple[bool, bool],
        expected: ExpectedHands | None = None,
    ) -> tuple[Float[np.ndarray, "2 21 2"], Float[np.ndarray, "2"]]:
        """Points (pixels, MediaPipe's order) and scores 0..1 of the left and the right hand; NaN and 0 where one was
        not seen or was not ``wanted``. One that is ``expected`` somewhere is looked for there first."""
        ...


@runtime_checkable
class MaskEstimator(Estimator, Protocol):
    """Finds a person's outline."""

    def mask(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool) -> UInt8[np.ndarray, "h w"]:
        """255 = person; ``alone``: nobody else is in the picture."""
        ...


@runtime_checkable
class MattingEstimator(Estimator, Protocol):
    """Softens an outline where a pixel is partly background."""

    def alpha(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, mask: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w"]:
        """Opacity of the person, 255 = nothing shines through; 0 far from ``mask``."""
        ...


@runtime_checkable
class ExpressionEstimator(Estimator, Protocol):
    """Reads an expression off a face."""

    def coefficients(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "52"]:
        """0..1, ARKit's names in the body model's order; those of the gaze are not used."""
        ...


@runtime_checkable
class GazeEstimator(Estimator, Protocol):
    """Reads off a face where its eyes look."""

    def looks(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "8"]:
        """0..1, ARKit's eyeLook coefficients in the body model's order."""
        ...


@runtime_checkable
class PersonEstimator(Estimator, Protocol):
    """All kinds together."""

    def people(
        self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"] | None = None
    ) -> list[Sighting]:
        """Everybody in the picture, largest first; see :class:`PoseEstimator`."""
        ...

    def details(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        person: Sighting,
        alone: bool,
        hands: tuple[bool, bool] = (True, True),
        expected: ExpectedHands | None = None,
    ) -> PersonDetails:
        """Face, hands and outline of ``person``.

        Args:
            image: sRGB.
            person: from :meth:`people` of this picture.
            alone: nobody else is in the picture.
            hands: whether to look for the left and the right hand; one that is not looked for is not seen.
            expected: what pictures nearby say about them.
        """
        ...
