"""What detectors saw through the cameras of a rig: the border between detection and the studio fit."""

from dataclasses import dataclass, replace

import numpy as np

from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.tensors import Bool, Float, Int

CUT_SIDE = 512
"""Pixels of the square cuts that observations are expressed in, whatever the rig's pictures are."""


@dataclass(frozen=True)
class StudioViews:
    """V pictures of one person at T moments through calibrated cameras.

    Each picture is cut to a square around the person and resampled, so that pictures of all sizes share one grid and
    masks have their pixels where the person is. Cameras follow exactly.
    """

    observations: ClipObservations
    """V rows, pixels of the cuts; NaN = not seen."""
    moment: Int[np.ndarray, "views"]
    """Position of each view's moment in ``times``; rising."""
    camera: tuple[str, ...]
    """Name of each view's camera."""
    times: Float[np.ndarray, "moments"]
    """Seconds from the start."""
    intrinsics: Float[np.ndarray, "views 3 3"]
    """Pixels of the cuts; pixel centres at +0.5."""
    camera_from_world: Float[np.ndarray, "views 4 4"]
    """OpenCV axes, metres, world Z up."""
    inside: Bool[np.ndarray, "views height width"]
    """Pixels of the reduced masks that lie in the picture: outside of it nothing is known."""

    def __len__(self) -> int:
        return len(self.moment)

    def of_moments(self, chosen: Int[np.ndarray, "chosen"]) -> "StudioViews":
        """The views of some moments (rising positions in ``times``)."""
        kept = np.flatnonzero(np.isin(self.moment, chosen))
        return replace(
            self,
            observations=self.observations[kept],
            moment=np.searchsorted(chosen, self.moment[kept]),
            camera=tuple(self.camera[i] for i in kept),
            times=self.times[chosen],
            intrinsics=self.intrinsics[kept],
            camera_from_world=self.camera_from_world[kept],
            inside=self.inside[kept],
        )

    def projections(self) -> Float[np.ndarray, "views 3 4"]:
        """World to homogeneous pixels of the cuts."""
        return self.intrinsics @ self.camera_from_world[:, :3]
