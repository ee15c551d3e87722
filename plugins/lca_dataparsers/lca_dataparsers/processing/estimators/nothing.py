"""Estimators that see nothing, for what is not wanted."""

import numpy as np

from lca_dataparsers.processing.estimators.protocol import ExpectedHands, Face, Sighting
from lca_dataparsers.processing.observations import ARKIT_NAMES, HAND_POINTS
from lca_shared.tensors import Float, UInt8


class Nothing:
    """No face, no hands, a neutral expression, eyes straight ahead, a mask as it is."""

    name = "none"

    def close(self) -> None:
        """Nothing to free."""

    def face(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> None:
        """None."""

    def hands(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        person: Sighting,
        wanted: tuple[bool, bool],
        expected: ExpectedHands | None = None,
    ) -> tuple[Float[np.ndarray, "2 21 2"], Float[np.ndarray, "2"]]:
        """NaN and 0."""
        return np.full((2, HAND_POINTS, 2), np.nan, np.float32), np.zeros(2, np.float32)

    def alpha(
        self, image: UInt8[np.ndarray, "h w 3"], person: Sighting, mask: UInt8[np.ndarray, "h w"]
    ) -> UInt8[np.ndarray, "h w"]:
        """The mask."""
        return mask

    def coefficients(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "52"]:
        """0."""
        return np.zeros(len(ARKIT_NAMES), np.float32)

    def looks(self, image: UInt8[np.ndarray, "h w 3"], face: Face) -> Float[np.ndarray, "8"]:
        """0."""
        return np.zeros(8, np.float32)
