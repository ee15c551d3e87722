"""What processing made of a clip, drawn over it: a video, or a sheet of photos."""

from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np

from lca_dataparsers.overlay import RED, YELLOW, draw_mask_outline, draw_mesh_overlay, draw_points
from lca_dataparsers.pictures import VideoWriter
from lca_dataparsers.processing.records import FittedClip
from lca_shared.body import CompactBody
from lca_shared.cameras import Cameras
from lca_shared.storage import atomic_path

LONG_SIDE = 576
"""Of the drawn pictures, pixels."""
_HAND_COLORS = ((255, 140, 0), (200, 80, 255))
_REFUSED_SHADE = 0.35
_MOST_TILES = 100


def drawn_frame(
    clip: FittedClip, row: int, body: CompactBody, image: np.ndarray, mask: np.ndarray | None, reason: str
) -> np.ndarray:
    """The picture (at any resolution) with the body's mesh, the mask's outline and the points that were detected; dark,
    with the reason written on it, if it was left out. uint8 [h, w, 3], long side :data:`LONG_SIDE` at most.
    """
    note = clip.notes[row]
    factor = min(1.0, LONG_SIDE / max(note.width, note.height))
    width, height = (max(2, round(side * factor) // 2 * 2) for side in (note.width, note.height))
    drawn = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if mask is not None:
        fit, place = clip.fit, clip.placements[row]
        intrinsics = fit.cameras.intrinsics.new_tensor(
            place.own_intrinsics(fit.cameras.intrinsics[row].double().numpy())
        )
        camera = Cameras(fit.cameras.camera_from_world[row], intrinsics, note.width, note.height).resized(width, height)
        vertices = body.skinned(body.shaped(fit.shape, fit.expression[row]), fit.pose[row])
        drawn = draw_mesh_overlay(drawn, vertices, body.faces, camera)
        drawn = draw_mask_outline(drawn, cv2.resize(mask, (width, height)))
        scale = np.array([width / note.width, height / note.height])
        observations = clip.observations

        def own(points: np.ndarray) -> np.ndarray:
            return place.own_points(points) * scale

        drawn = draw_points(drawn, own(observations.face_points[row, ::4]), YELLOW)
        for side, color in enumerate(_HAND_COLORS):
            drawn = draw_points(drawn, own(observations.hand_points[row, side]), color)
        seen = observations.body_visibility[row] > 0.5
        drawn = draw_points(drawn, own(observations.body_points[row, seen]), RED, 2)
    if reason:
        drawn = (drawn * _REFUSED_SHADE).astype(np.uint8)
        cv2.putText(drawn, reason, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    return drawn


@runtime_checkable
class Overlay(Protocol):
    """Where drawn pictures go."""

    wanted: bool
    """Whether drawing is worth the time."""

    def add(self, image: np.ndarray) -> None:
        """Append a picture, uint8 [h, w, 3]."""
        ...


class NoOverlay:
    """Nothing is drawn."""

    wanted = False

    def add(self, image: np.ndarray) -> None:
        """Do nothing."""


class VideoOverlay:
    """An H.264 video that appears at ``path`` when the block ends well; the first picture sets its size.

    Args:
        path: of the ``.mp4``.
        rate: frames per second.
    """

    wanted = True

    def __init__(self, path: Path, rate: float) -> None:
        self._writer = VideoWriter(path, rate, crf=23)

    def __enter__(self) -> "VideoOverlay":
        self._writer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.__exit__(*error)

    def add(self, image: np.ndarray) -> None:
        """Append a picture, uint8 [h, w, 3]."""
        self._writer.add(image)


class SheetOverlay:
    """Photos side by side in rows, as a JPEG at ``path`` when the block ends well."""

    wanted = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tiles: list[np.ndarray] = []

    def __enter__(self) -> "SheetOverlay":
        return self

    def __exit__(self, *error: Any) -> None:
        if error[0] is None and self._tiles:
            write_sheet(self._path, self._tiles)

    def add(self, image: np.ndarray) -> None:
        """Append a photo, uint8 [h, w, 3]; those beyond the hundredth are left out."""
        if len(self._tiles) < _MOST_TILES:
            self._tiles.append(image)


def write_sheet(path: Path, pictures: list[np.ndarray], columns: int = 4) -> None:
    """Pictures (uint8 [h, w, 3]) side by side in rows, as a JPEG."""
    sizes = [max(1, round(picture.shape[1] * LONG_SIDE / picture.shape[0])) for picture in pictures]
    tiles = [cv2.resize(picture, (width, LONG_SIDE)) for picture, width in zip(pictures, sizes)]
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), np.vstack(padded)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
