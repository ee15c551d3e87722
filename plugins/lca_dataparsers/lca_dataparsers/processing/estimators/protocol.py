"""What an estimator of people is: first everybody in the picture, then the details of one person."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from lca_shared.tensors import Float, UInt8


@dataclass(frozen=True)
class Sighting:
    """One person in one picture. Pixels: x right, y down, pixel centres at +0.5."""

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
class PersonEstimator(Protocol):
    """Finds people. One instance belongs to one thread; the pictures are independent of each other."""

    name: str
    """Goes into what is kept for resuming: another name means that all is done again."""

    def people(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        """Everybody in an sRGB picture, largest first."""
        ...

    def details(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, alone: bool, hands: tuple[bool, bool] = (True, True)
    ) -> PersonDetails:
        """Face, hands and outline of ``person``.

        Args:
            image: sRGB.
            person: from :meth:`people` of this picture.
            alone: nobody else is in the picture.
            hands: whether to look for the left and the right hand; one that is not looked for is not seen.
        """
        ...

    def close(self) -> None:
        """Free the models."""
        ...
