"""Bodies through MediaPipe."""

from pathlib import Path

import cv2
import numpy as np

from lca_dataparsers.processing.estimators.crops import square_around
from lca_dataparsers.processing.estimators.masks import mask_box
from lca_dataparsers.processing.estimators.mediapipe_graph import Rectangle
from lca_dataparsers.processing.estimators.mediapipe_models import MOST_PEOPLE, load_pose
from lca_dataparsers.processing.estimators.mediapipe_packets import landmark_list, one_image, rectangle_list
from lca_dataparsers.processing.estimators.protocol import Sighting
from lca_shared.tensors import Float, UInt8

_SMALL_PERSON = 0.45
"""A person shorter than this share of the picture's long side is looked at again in a crop."""
_BODY_PICTURE = 640
"""Long side of the picture handed to the body model, pixels: a person that fills it still has all it looks at."""
_SMALL_PLACE = 0.5
"""Places smaller than this share of the picture's long side are cut out before the model looks at them."""


class MediaPipePose:
    """MediaPipe's pose landmarker, once more in a crop where a person is small.

    Args:
        model_dir: where to look for the ``.task`` file first.

    Raises:
        MissingWeightsError: it is neither on disk nor fetchable.
    """

    name = "mediapipe-pose-0.10-4"

    def __init__(self, model_dir: Path | None = None) -> None:
        self._places, self._points = load_pose(model_dir)

    def close(self) -> None:
        """Free the models."""
        self._places.close()
        self._points.close()

    def people(
        self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"] | None = None
    ) -> list[Sighting]:
        """Everybody in the picture, largest first."""
        person = None if expected is None else self._followed(image, expected)
        if person is not None:
            return [person]
        found = self._bodies(image)
        for number, person in enumerate(found):
            size = person.box[2:] - person.box[:2]
            if size.max() < _SMALL_PERSON * max(image.shape[:2]):
                found[number] = self._closer(image, person)
        return sorted(found, key=lambda person: -float(np.prod(person.box[2:] - person.box[:2])))

    def _bodies(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Sighting]:
        small = _reduced(image)
        packets = self._places.run(small)
        places = rectangle_list(packets["EXPANDED_POSE_RECTS"]) if "EXPANDED_POSE_RECTS" in packets else []
        people = [self._body(small, place, (image.shape[1], image.shape[0])) for place in places[:MOST_PEOPLE]]
        return [person for person in people if person is not None]

    def _followed(self, image: UInt8[np.ndarray, "h w 3"], expected: Float[np.ndarray, "4"]) -> Sighting | None:
        """The person at a place, without looking for where people are; None if nobody is there."""
        height, width = image.shape[:2]
        left, top, right, bottom = 0, 0, width, height
        if expected[2] < _SMALL_PLACE * max(width, height):
            square = square_around(expected[:2], 1.5 * float(expected[2]))  # whichever way it is turned, it is in there
            left, top = max(square.left, 0), max(square.top, 0)
            right, bottom = min(square.left + square.side, width), min(square.top + square.side, height)
            if right - left <= 8 or bottom - top <= 8:
                return None
        size = (right - left, bottom - top)
        x, y = (float(expected[0]) - left) / size[0], (float(expected[1]) - top) / size[1]
        side, turned = float(expected[2]), float(expected[3])
        place = (x, y, side / size[0], side / size[1], turned)
        person = self._body(_reduced(image[top:bottom, left:right]), place, size)
        return None if person is None else _in_whole(person, (left, top, right, bottom), (width, height))

    def _body(self, small: UInt8[np.ndarray, "h w 3"], place: Rectangle, size: tuple[int, int]) -> Sighting | None:
        """Who is at a place of a reduced picture, in the picture of that width and height; None: nobody."""
        packets = self._points.run(small, place)
        if "LANDMARKS" not in packets:
            return None
        points, world = landmark_list(packets["LANDMARKS"]), landmark_list(packets["WORLD_LANDMARKS"])
        pixels = points[:, :2] * np.array(size, np.float32)
        visibility = np.ascontiguousarray(points[:, 3])
        soft = cv2.convertScaleAbs(np.squeeze(one_image(packets["SEGMENTATION_MASK"])), alpha=255.0)
        return Sighting(
            points=pixels,
            visibility=visibility,
            points_world=np.ascontiguousarray(world[:, :3]),
            mask=soft,
            box=_person_box(soft, pixels, visibility, size),
            place=np.array([place[0] * size[0], place[1] * size[1], place[2] * size[0], place[4]], np.float32),
        )

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
        return _in_whole(near, (left, top, right, bottom), (width, height))


def _reduced(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "rh rw 3"]:
    """With its long side at most :data:`_BODY_PICTURE`."""
    height, width = image.shape[:2]
    factor = min(1.0, _BODY_PICTURE / max(height, width))
    small = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, small, interpolation=cv2.INTER_AREA) if factor < 1 else image


def _in_whole(person: Sighting, crop: tuple[int, int, int, int], size: tuple[int, int]) -> Sighting:
    """A person seen in a part (left, top, right, bottom) of a picture of that width and height."""
    left, top, right, bottom = crop
    if (left, top, right, bottom) == (0, 0, *size):
        return person
    offset = np.array([left, top], np.float32)
    mask = np.zeros((size[1], size[0]), np.uint8)
    mask[top:bottom, left:right] = cv2.resize(person.mask, (right - left, bottom - top))
    assert person.place is not None
    place = person.place + np.array([left, top, 0, 0], np.float32)
    box = person.box + np.concatenate([offset, offset])
    return Sighting(person.points + offset, person.visibility, person.points_world, mask, box, place)


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
