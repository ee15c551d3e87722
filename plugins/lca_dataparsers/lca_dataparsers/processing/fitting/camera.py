"""What is known of the focal length before fitting."""

import numpy as np

from lca_dataparsers.processing.fitting.config import FitConfig
from lca_dataparsers.processing.fitting.targets import ADULT_HEIGHT, FACE_BOTTOM, FACE_TOP, person_height
from lca_dataparsers.processing.fitting.visibility import faces_seen, landmark_visibility
from lca_dataparsers.processing.observations import ClipObservations

FACE_HEIGHT = 0.18
"""Metres from the top of an adult's forehead to the chin."""


def focal_prior(observations: ClipObservations, config: FitConfig) -> tuple[float, float]:
    """Focal length in pixels that the fit starts from, and the standard deviation of its logarithm.

    From the picture's metadata if there is any. Otherwise from ``config.field_of_view``, unless the person would then
    stand nearer than ``config.closest_distance``: a head that fills the picture was filmed with a long lens (or cut
    out of a larger picture), and a short one would fold its ears behind the cheeks.

    Args:
        observations: frames in which a person was seen.
        config: the priors.
    """
    if observations.focal_prior is not None:
        return observations.focal_prior, config.metadata_focal_sigma
    focal = 0.5 * max(observations.image_size) / float(np.tan(0.5 * np.radians(config.field_of_view)))
    closest = config.closest_distance * pixels_per_metre(observations)
    return (closest, config.close_focal_sigma) if closest > focal else (focal, config.focal_sigma)


def pixels_per_metre(observations: ClipObservations) -> float:
    """At the person's distance, median over the frames; 0 if nobody was seen."""
    if len(observations) == 0:
        return 0.0
    seen = faces_seen(observations)
    if seen.any():
        face = observations.face_points[seen]
        return float(np.median(np.linalg.norm(face[:, FACE_TOP] - face[:, FACE_BOTTOM], axis=-1))) / FACE_HEIGHT
    return float(np.median(person_height(observations, landmark_visibility(observations) ** 2))) / ADULT_HEIGHT
