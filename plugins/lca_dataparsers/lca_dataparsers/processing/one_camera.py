"""Photos of one person brought to one camera, so that the fit sees them as frames of one clip.

A photo whose focal length is f pixels, scaled by F / f, is what a camera of focal length F sees. With their middles
laid over each other all photos then share one camera (principal points are taken to be in the middle).
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from lca_dataparsers.processing.notes import FrameNote
from lca_dataparsers.processing.observations import MASK_LONG_SIDE, PER_FRAME, ClipObservations, concatenate
from lca_shared.tensors import Float


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the shared camera's picture: ``shared = scale * own + offset`` (pixels)."""

    scale: float
    offset: tuple[float, float]

    def own_points(self, points: Float[np.ndarray, "*points 2"]) -> Float[np.ndarray, "*points 2"]:
        """Pixels of the shared picture in pixels of the own one."""
        return (points - np.array(self.offset)) / self.scale

    def own_intrinsics(self, intrinsics: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
        """The shared camera's intrinsics for the own picture."""
        own_from_shared = np.array(
            [
                [1 / self.scale, 0, -self.offset[0] / self.scale],
                [0, 1 / self.scale, -self.offset[1] / self.scale],
                [0, 0, 1],
            ]
        )
        return own_from_shared @ intrinsics


IN_PLACE = Placement(1.0, (0.0, 0.0))
"""Of the frames of a clip."""


def brought_together(
    photos: list[ClipObservations], notes: list[FrameNote], field_of_view: float
) -> tuple[ClipObservations, list[Placement]]:
    """Observations of photos in the picture of one camera.

    Args:
        photos: one frame each.
        notes: of the photos.
        field_of_view: along the long side, degrees, of photos whose focal length is not known.
    """
    tangent = 2 * np.tan(np.radians(field_of_view) / 2)
    focals = [note.focal or max(note.width, note.height) / tangent for note in notes]
    shared_focal = float(np.median(focals))
    scales = [shared_focal / focal for focal in focals]
    width = max(round(note.width * scale) for note, scale in zip(notes, scales))
    height = max(round(note.height * scale) for note, scale in zip(notes, scales))
    mask_scale = min(1.0, MASK_LONG_SIDE / max(width, height))
    placements = [
        Placement(scale, ((width - note.width * scale) / 2, (height - note.height * scale) / 2))
        for note, scale in zip(notes, scales)
    ]
    moved = [_moved(photo, placement, (width, height), mask_scale) for photo, placement in zip(photos, placements)]
    known = shared_focal if any(note.focal for note in notes) else None
    return replace(concatenate(moved), focal_prior=known), placements


def _moved(photo: ClipObservations, placement: Placement, size: tuple[int, int], mask_scale: float) -> ClipObservations:
    offset = np.array(placement.offset, np.float32)
    changed = {name: getattr(photo, name) for name in PER_FRAME}
    for name in ("body_points", "face_points", "hand_points"):
        changed[name] = (changed[name] * placement.scale + offset).astype(np.float32)
    changed["person_boxes"] = (photo.person_boxes * placement.scale + np.tile(offset, 2)).astype(np.float32)
    factor = placement.scale * mask_scale / photo.mask_scale
    # half a pixel of either grid: pixel centres are at +0.5
    shift = offset * mask_scale + 0.5 * factor - 0.5
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float32)
    grid = (max(1, round(size[0] * mask_scale)), max(1, round(size[1] * mask_scale)))
    changed["masks"] = cv2.warpAffine(photo.masks[0], matrix, grid)[None]
    return ClipObservations(image_size=size, mask_scale=mask_scale, focal_prior=None, **changed)
