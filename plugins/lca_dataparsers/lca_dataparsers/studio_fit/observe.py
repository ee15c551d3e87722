"""Detectors on one picture of a rig, expressed in a square cut around the person."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lca_dataparsers.processing.estimators import PersonDetails, PersonEstimator, Sighting
from lca_dataparsers.processing.observations import MASK_LONG_SIDE, ClipObservations, concatenate, empty_observations
from lca_dataparsers.studio_fit.views import CUT_SIDE, StudioViews
from lca_shared.tensors import Bool, Float, UInt8

MARGIN = 0.08
"""Room around the person on each side of a cut, over the person's longer side."""
ROOM = 0.25
"""Room around the person in what detectors see, over the person's longer side."""
DETECTION_SIDES = (768, 1600)
"""Smallest and largest long side of what detectors see, pixels."""
MOST_ENLARGED = 3.0


@dataclass(frozen=True)
class RigPicture:
    """One picture of a rig, undistorted."""

    moment: int
    """Position of its moment."""
    time: float
    camera: str
    image: UInt8[np.ndarray, "h w 3"]
    mask: UInt8[np.ndarray, "h w"] | None
    """255 = person; None = not known."""
    intrinsics: Float[np.ndarray, "3 3"]
    camera_from_world: Float[np.ndarray, "4 4"]
    dark: bool = False
    """Lit by few lights: detectors see it brightened."""


@dataclass(frozen=True)
class View:
    """One row of :class:`StudioViews`."""

    picture: RigPicture
    """Without its pixels."""
    observation: ClipObservations
    """One row."""
    intrinsics: Float[np.ndarray, "3 3"]
    inside: Bool[np.ndarray, "height width"]
    mask: UInt8[np.ndarray, "h w"]
    """Of the whole picture: the capture's own, or the detector's."""
    box: Float[np.ndarray, "4"]
    """Around the person, pixels of the picture: left, top, right, bottom."""


def observe(picture: RigPicture, estimator: PersonEstimator) -> View | None:
    """What the detectors see in a picture; None if neither they nor a mask show anybody."""
    place = _place(picture)
    image = place.taken(picture.image, cv2.INTER_AREA if place.factor < 1 else cv2.INTER_CUBIC)
    mask = None if picture.mask is None else place.taken(picture.mask, cv2.INTER_LINEAR)
    people = estimator.people(brightened(image) if picture.dark else image)
    person = _chosen(people, mask)
    if person is None and mask is None:
        return None
    details = estimator.details(image, person, len(people) == 1) if person is not None else None
    whole = picture.mask
    if whole is None:
        assert details is not None  # without a mask somebody was seen
        whole = place.put_back(details.mask, picture.image.shape[:2])
    box = _person_box(whole)
    return None if box is None else _cut(picture, person, details, whole, box, place)


@dataclass(frozen=True)
class Place:
    """The part of a picture that detectors see: cut out, turned upright, resampled."""

    corner: tuple[int, int]
    """Left and top in the picture, pixels."""
    size: tuple[int, int]
    """Width and height in the picture."""
    turns: int
    """Quarter turns, as ``np.rot90``."""
    factor: float
    """Pixels that detectors see per pixel of the picture."""

    def taken(self, picture: np.ndarray, interpolation: int) -> np.ndarray:
        """The part of a picture [h, w, ...] that detectors see."""
        (left, top), (width, height) = self.corner, self.size
        turned = np.ascontiguousarray(np.rot90(picture[top : top + height, left : left + width], self.turns))
        if self.factor == 1.0:
            return turned
        return cv2.resize(turned, self._seen_size(), interpolation=interpolation)

    def own(self, points: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points 2"]:
        """Pixels of what detectors see in pixels of the picture."""
        width, height = self._seen_size()
        turned = self.size if self.turns % 2 == 0 else (self.size[1], self.size[0])
        scaled = points * (np.array(turned) / np.array([width, height]))
        return unturned(scaled, turned, self.turns) + np.array(self.corner)

    def put_back(self, mask: UInt8[np.ndarray, "mh mw"], shape: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
        """A mask of what detectors see as a mask of the picture; 0 elsewhere."""
        turned = np.ascontiguousarray(np.rot90(mask, -self.turns))
        (left, top), (width, height) = self.corner, self.size
        whole = np.zeros(shape, np.uint8)
        whole[top : top + height, left : left + width] = cv2.resize(turned, (width, height))
        return whole

    def _seen_size(self) -> tuple[int, int]:
        width, height = self.size if self.turns % 2 == 0 else self.size[::-1]
        return max(1, round(width * self.factor)), max(1, round(height * self.factor))


def _place(picture: RigPicture) -> Place:
    """Around the mask if there is one, with room; otherwise everything."""
    height, width = picture.image.shape[:2]
    corner, size = (0, 0), (width, height)
    box = None if picture.mask is None else _person_box(picture.mask)
    if box is not None:
        room = ROOM * float((box[2:] - box[:2]).max())
        low = np.floor((box[:2] - room).clip(0)).astype(int)
        high = np.ceil(np.minimum(box[2:] + room, (width, height))).astype(int)
        corner, size = (int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1]))
    longest = max(size)
    factor = DETECTION_SIDES[0] / longest if longest < DETECTION_SIDES[0] else min(1.0, DETECTION_SIDES[1] / longest)
    return Place(corner, size, upright_turns(picture.camera_from_world), min(factor, MOST_ENLARGED))


def brightened(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """A dark picture with its 99th percentile brought near white, for detectors."""
    high = float(np.quantile(image.max(axis=2), 0.99))
    if high >= 180.0:
        return image
    values = (image.astype(np.float32) / max(high, 8.0)).clip(0.0, 1.0) ** 0.6
    return (values * 235.0).astype(np.uint8)


def upright_turns(camera_from_world: Float[np.ndarray, "4 4"]) -> int:
    """Quarter turns (counter-clockwise, as ``np.rot90``) after which the world's up points up in the picture."""
    right, down = camera_from_world[0, 2], camera_from_world[1, 2]  # of the world's up axis
    if np.hypot(right, down) < 0.3:  # looks straight down or up
        return 0
    return int(np.round(np.degrees(np.arctan2(right, -down)) / 90.0)) % 4


def unturned(
    points: Float[np.ndarray, "*points 2"], size: tuple[int, int], turns: int
) -> Float[np.ndarray, "*points 2"]:
    """Pixels of a picture turned by ``np.rot90(.., turns)``, whose size is now (width, height), in the one before."""
    width, height = size
    x, y = points[..., 0], points[..., 1]
    options = ((x, y), (height - y, x), (width - x, height - y), (y, width - x))
    return np.stack(options[turns % 4], axis=-1)


def gathered(views: list[View], times: Float[np.ndarray, "moments"]) -> StudioViews:
    """Views stacked, in order of their moments. Raises ValueError if there are none."""
    views = sorted(views, key=lambda view: (view.picture.moment, view.picture.camera))
    return StudioViews(
        observations=concatenate([view.observation for view in views]),
        moment=np.array([view.picture.moment for view in views]),
        camera=tuple(view.picture.camera for view in views),
        times=np.asarray(times, np.float32),
        intrinsics=np.stack([view.intrinsics for view in views]),
        camera_from_world=np.stack([view.picture.camera_from_world for view in views]),
        inside=np.stack([view.inside for view in views]),
    )


def _chosen(people: list[Sighting], mask: np.ndarray | None) -> Sighting | None:
    """The person whose plainly seen points lie in the mask; without a mask the largest."""
    if mask is None or not people:
        return people[0] if people else None

    def share(person: Sighting) -> float:
        height, width = mask.shape
        plain = person.points[person.visibility > 0.5]
        if not len(plain):
            return 0.0
        x, y = plain[:, 0].astype(int).clip(0, width - 1), plain[:, 1].astype(int).clip(0, height - 1)
        return float((mask[y, x] > 127).mean())

    best = max(people, key=share)
    return best if share(best) > 0.5 else None


def _person_box(mask: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "4"] | None:
    rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return None
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)


def _cut(
    picture: RigPicture,
    person: Sighting | None,
    details: PersonDetails | None,
    mask: np.ndarray,
    box: np.ndarray,
    place: Place,
) -> View:
    height, width = mask.shape
    side = float((box[2:] - box[:2]).max()) * (1 + 2 * MARGIN)
    corner = (box[:2] + box[2:]) / 2 - side / 2
    scale = CUT_SIDE / side

    def cut(points: np.ndarray) -> np.ndarray:
        return ((place.own(points) - corner) * scale).astype(np.float32)

    row = empty_observations(np.array([picture.time]), (CUT_SIDE, CUT_SIDE))
    if person is not None and details is not None:
        own = place.own(person.points)
        seen = ((own > 0) & (own < (width, height))).all(axis=1)
        row.body_points[0] = cut(person.points)
        row.body_visibility[0] = np.where(seen, person.visibility, 0.0)
        row.body_points_world[0] = person.points_world
        row.face_points[0], row.hand_points[0] = cut(details.face_points), cut(details.hand_points)
        row.blendshapes[0], row.head_from_canonical[0] = details.blendshapes, details.head_from_canonical
        row.hand_scores[0] = details.hand_scores
    grid = MASK_LONG_SIDE
    factor = grid / side
    shift = 0.5 * factor - 0.5 - corner * factor  # pixel centres at +0.5 on both grids
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float32)
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    blurred = cv2.blur(mask, (k := max(1, round(1 / factor)), k)) if factor < 1 else mask
    small = cv2.warpAffine(blurred, matrix, (grid, grid), flags=interpolation & cv2.INTER_LINEAR)
    inside = cv2.warpAffine(np.full(mask.shape, 255, np.uint8), matrix, (grid, grid)) > 127
    masks = row.masks
    assert isinstance(masks, np.ndarray)
    masks[0] = small
    row.person_boxes[0] = (box - np.tile(corner, 2)) * scale
    intrinsics = picture.intrinsics.copy()
    intrinsics[:2, 2] -= corner
    intrinsics[:2] *= scale
    bare = replace(picture, image=picture.image[:0, :0], mask=None)
    return View(bare, row, intrinsics, inside, mask, box)
