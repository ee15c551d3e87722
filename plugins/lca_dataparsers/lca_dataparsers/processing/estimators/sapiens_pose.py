"""Body points through Sapiens: its 308 heat maps for those of the picture, MediaPipe for people and for 3D."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lca_dataparsers.processing.estimators.protocol import PoseEstimator, Sighting
from lca_dataparsers.processing.estimators.sapiens_network import HEIGHT, WIDTH, PersonCrop, SapiensNetwork
from lca_shared.tensors import Float, UInt8

GOLIATH_OF: dict[int, int] = {
    **{0: 0, 2: 1, 5: 2, 7: 3, 8: 4, 11: 5, 12: 6, 13: 7, 14: 8, 15: 62, 16: 41},
    **{17: 61, 18: 40, 19: 49, 20: 28, 21: 44, 22: 23},
    **{23: 9, 24: 10, 25: 11, 26: 12, 27: 13, 28: 14, 29: 17, 30: 20, 31: 15, 32: 18},
}
"""MediaPipe's body points among Sapiens' 308 (its "goliath" order: body, feet, right hand from 21, right wrist 41, left
hand from 42, left wrist 62, face). Knuckles of little finger and index, second joint of the thumb, heel, big toe."""
_SURE = 0.3
"""Height of a heat map's peak from which its point replaces MediaPipe's."""


class SapiensPose:
    """Moves the points that another estimator found.

    Args:
        kind: ``sapiens`` or ``sapiens2``.
        finder: builds what finds people.
        model_dir: see :class:`SapiensNetwork`, also for what is raised.
        device: see there.
    """

    def __init__(self, kind: str, finder: Callable[[], PoseEstimator], model_dir: Path | None, device: str) -> None:
        self._network = SapiensNetwork(kind, "pose", model_dir, device)
        self._finder = finder()
        self.name = f"{self._network.name} {self._finder.name}"

    def close(self) -> None:
        """Free the models."""
        self._finder.close()

    def people(
        self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"] | None = None
    ) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        return [self._sharper(image, person) for person in self._finder.people(image, expected)]

    def _sharper(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> Sighting:
        crop = PersonCrop(person.box)
        maps = self._network(crop.cut(image)).numpy()
        places, heights = peaks(maps[list(GOLIATH_OF.values())])
        points, visibility = person.points.copy(), person.visibility.copy()
        rows, columns = maps.shape[1:]
        # unbiased heat maps: their first and last pixel lie on the crop's first and last
        on_crop = places * ((WIDTH - 1) / (columns - 1), (HEIGHT - 1) / (rows - 1)) + 0.5
        found = on_crop * crop.width / WIDTH + (crop.left, crop.top)
        for of, place, height in zip(GOLIATH_OF, found, heights):
            visibility[of] = min(1.0, float(height))
            if height >= _SURE:
                points[of] = place
        return replace(person, points=points.astype(np.float32), visibility=visibility)


def peaks(
    maps: Float[np.ndarray, "points rows columns"],
) -> tuple[Float[np.ndarray, "points 2"], Float[np.ndarray, "points"]]:
    """Column and row of each map's highest pixel, with a fraction, and its height.

    The fraction is where the parabola through the logarithms of the neighbours is highest: exact for a Gaussian.
    """
    count, rows, columns = maps.shape
    best = maps.reshape(count, -1).argmax(axis=1)
    row, column = (axis.clip(1, side - 2) for axis, side in zip(np.divmod(best, columns), (rows, columns)))
    logs, index = np.log(np.maximum(maps, 1e-6)), np.arange(count)

    def fraction(before: np.ndarray, middle: np.ndarray, after: np.ndarray) -> np.ndarray:
        bend = before - 2 * middle + after
        return np.where(bend < -1e-9, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0).clip(-1, 1)

    here = logs[index, row, column]
    across = fraction(logs[index, row, column - 1], here, logs[index, row, column + 1])
    along = fraction(logs[index, row - 1, column], here, logs[index, row + 1, column])
    return np.stack([column + across, row + along], axis=1), maps.reshape(count, -1).max(axis=1)
