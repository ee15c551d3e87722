"""Bodies through MediaPipe."""

from pathlib import Path

import cv2
import numpy as np

from lca_dataparsers.processing.estimators.crops import square_around
from lca_dataparsers.processing.estimators.masks import mask_box
from lca_dataparsers.processing.estimators.mediapipe_models import load_pose
from lca_dataparsers.processing.estimators.mediapipe_packets import image_list, landmark_lists
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float, UInt8

_SMALL_PERSON = 0.45
"""A person shorter than this share of the picture's long side is looked at again in a crop."""
_BODY_PICTURE = 640
"""Long side of the picture handed to the body model, pixels: a person that fills it still has all it looks at."""


class MediaPipePose:
    """MediaPipe's pose landmarker, once more in a crop where a person is small.

    Args:
        model_dir: where to look for the ``.task`` file first.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-pose-0.10-3"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._model = load_pose(model_dir)

    def close(self) -> None:
        """Free the model."""
        self._model.close()

    def people(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        found = self._bodies(image)
        for number, person in enumerate(found):
            size = person.box[2:] - person.box[:2]
            if size.max() < _SMALL_PERSON * max(image.shape[:2]):
                found[number] = self._closer(image, person)
        return sorted(found, key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))

    def _bodies(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        height, width = image.shape[:2]
        factor = min(1.0, _BODY_PICTURE / max(height, width))
        small = (max(1, round(width * factor)), max(1, round(height * factor)))
        seen = cv2.resize(image, small, interpolation=cv2.INTER_AREA) if factor < 1 else image
        packets = self._model.run(seen)
        if "NORM_LANDMARKS" not in packets:
            return []
        found = []
        for points, world, mask in zip(
            landmark_lists(packets["NORM_LANDMARKS"]),
            landmark_lists(packets["WORLD_LANDMARKS"]),
            image_list(packets["SEGMENTATION_MASK"]),
        ):
            pixels, visibility = (
                points[:, :2] * np.array([width, height], np.float32),
                np.ascontiguousarray(points[:, 3]),
            )
            soft = (np.clip(mask.reshape(small[1], small[0]), 0, 1) * 255).round().astype(np.uint8)
            found.append(
                Sighting(
                    points=pixels,
                    visibility=visibility,
                    points_world=np.ascontiguousarray(world[:, :3]),
                    mask=soft,
                    box=_person_box(soft, pixels, visibility, (width, height)),
                )
            )
        return found

    def _closer(self, image: UInt8[np.ndarray, "h w 3"], person: Sighting) -> Sighting:
        """The same person from a crop that they fill; as before if nobody is found there."""
        height, width = image.shape[:2]
        square = square_around(
            (person.box[:2] + person.box[2:]) / 2, 1.6 * float((person.box[2:] - person.box[:2]).max())
        )
        left, top = max(square.left, 0), max(square.top, 0)
        right, bottom = min(square.left + square.side, width), min(square.top + square.side, height)
        offset = np.array([left, top], np.float32)
        middle = np.nanmean(person.points, axis=0)
        found = self._bodies(image[top:bottom, left:right]) if right - left > 8 and bottom - top > 8 else []
        near = min(
            found, key=lambda other: float(np.linalg.norm(other.points.mean(axis=0) + offset - middle)), default=None
        )
        if near is None or np.linalg.norm(near.points.mean(axis=0) + offset - middle) > 0.3 * square.side:
            return person
        mask = np.zeros((height, width), np.uint8)
        mask[top:bottom, left:right] = cv2.resize(near.mask, (right - left, bottom - top))
        box = near.box + np.concatenate([offset, offset])
        return Sighting(near.points + offset, near.visibility, near.points_world, mask, box)


def _person_box(
    mask: UInt8[np.ndarray, "h w"],
    points: Float[np.ndarray, "33 2"],
    visibility: Float[np.ndarray, "33"],
    size: tuple[int, int],
) -> Float[np.ndarray, "4"]:
    """Around the mask and the points that are seen, within the picture."""
    width, height = size
    box = mask_box(mask) * np.tile([width / mask.shape[1], height / mask.shape[0]], 2).astype(np.float32)
    seen = points[(visibility > 0.5) & (points >= 0).all(axis=1) & (points < [width, height]).all(axis=1)]
    if len(seen):
        low, high = np.fmin(box[:2], seen.min(axis=0)), np.fmax(box[2:], seen.max(axis=0))
        box = np.concatenate([low, high])
    return np.nan_to_num(box, nan=0.0).astype(np.float32)
