"""Which feet stand, as far as a picture tells: those that are seen and do not move in it while the camera stands."""

import numpy as np

from lca_dataparsers.processing.fitting.visibility import landmark_visibility
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.tensors import Float

FOOT_POINTS = ((27, 29, 31), (28, 30, 32))
"""Ankle, heel and toes of the left and the right foot."""
STILL, MOVING = 0.06, 0.14
"""Heights of the person a second: feet slower than the first stand, faster than the second do not."""
AROUND = 0.1
"""Seconds before and after over which the speed is read: detectors tremble by half a per cent of the height."""
SEEN = 0.5
"""Visibility that heel and toes must have."""


def still_feet(observations: ClipObservations, height: Float[np.ndarray, "frames"]) -> Float[np.ndarray, "frames 2"]:
    """0..1, left and right. Frames without neighbours in time (photos, the coarsest rates) say nothing: 0.

    Args:
        observations: frames in order.
        height: of the person, pixels.
    """
    frames, times = len(observations), observations.times.astype(np.float64)
    still = np.zeros((frames, 2), np.float32)
    visible = landmark_visibility(observations)
    background = max(observations.image_size) * observations.camera_path[:, :2].astype(np.float64)
    for side, points in enumerate(FOOT_POINTS):
        place = np.nan_to_num(observations.body_points[:, list(points)]).mean(axis=1)
        seen = visible[:, list(points[1:])].min(axis=1) > SEEN
        for frame in range(frames):
            first, last = np.searchsorted(times, (times[frame] - AROUND - 1e-3, times[frame] + AROUND + 1e-3))
            there = np.arange(first, last)[seen[first:last]]
            if not seen[frame] or len(there) < 2:
                continue
            moment = times[there] - times[there].mean()
            spread = (moment**2).sum()
            if spread <= 0.0:
                continue
            speed = np.linalg.norm((moment[:, None] * place[there]).sum(axis=0)) / spread / height[frame]
            pan = np.linalg.norm((moment[:, None] * background[there]).sum(axis=0)) / spread / height[frame]
            speed = max(speed, pan)
            still[frame, side] = np.clip((MOVING - speed) / (MOVING - STILL), 0.0, 1.0)
    return still
