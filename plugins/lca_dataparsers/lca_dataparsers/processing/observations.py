"""What detectors saw in a clip: the border between detection and the body fit.

Plain float32 arrays over T frames, small enough to keep for any clip (about 10 kB a frame with packed masks), pixels
of the stored image (x right, y down, pixel centres at +0.5). NaN = not seen.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from lca_dataparsers.processing.packed_masks import PackedMasks
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path

BODY_POINTS = 33
FACE_POINTS = 478
HAND_POINTS = 21
MASK_LONG_SIDE = 256
"""Long side of the reduced masks the fit works on, pixels."""

ARKIT_NAMES: tuple[str, ...] = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff"),
    *("cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight"),
    *("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight"),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft"),
    *("mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
"""ARKit's 52 expression names in the body model's order."""


@dataclass(frozen=True)
class ClipObservations:
    """Observations of one person over T frames of one camera (or T photos brought to one camera)."""

    times: np.ndarray
    """[T] seconds from the start."""
    image_size: tuple[int, int]
    """(width, height) of the pictures the pixels below refer to."""
    body_points: np.ndarray
    """[T, 33, 2] pixels, MediaPipe's order; may lie outside the picture."""
    body_visibility: np.ndarray
    """[T, 33] 0..1."""
    body_points_world: np.ndarray
    """[T, 33, 3] metres as MediaPipe guesses them: x right, y down, z away from the camera; hips at the origin."""
    face_points: np.ndarray
    """[T, 478, 2] pixels."""
    blendshapes: np.ndarray
    """[T, 52] 0..1 in the order of :data:`ARKIT_NAMES`."""
    head_from_canonical: np.ndarray
    """[T, 4, 4] MediaPipe's face transform (centimetres, y up, z towards the camera) in the camera of the head crop;
    its rotation tells where the head looks."""
    hand_points: np.ndarray
    """[T, 2, 21, 2] pixels; the person's left hand, then the right."""
    hand_scores: np.ndarray
    """[T, 2] 0..1; 0 = not seen."""
    masks: np.ndarray | PackedMasks
    """[T, h, w] uint8, 255 = person, reduced by ``mask_scale``; packed once they are gathered from chunks."""
    mask_scale: float
    """Pixels of the reduced mask per pixel of the image."""
    person_boxes: np.ndarray
    """[T, 4] left, top, right, bottom of the person in the picture, pixels."""
    camera_path: np.ndarray
    """[T, 3] how far the background has moved since the first frame: right and down at the picture's middle (shares of
    the long side), and its turn there (radians, clockwise); see :mod:`.camera_motion`. Zeros if the camera stands."""
    focal_prior: float | None = None
    """Focal length in pixels from the picture's metadata, or None."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def seen(self) -> np.ndarray:
        """[T] bool: frames in which a person was found."""
        return np.asarray(np.isfinite(self.body_points).all(axis=(1, 2)))

    def __getitem__(self, index: slice | np.ndarray) -> "ClipObservations":
        """Some of the frames."""
        return replace(self, **{name: getattr(self, name)[index] for name in PER_FRAME})

    def save(self, path: Path) -> None:
        """Write an ``.npz`` atomically.

        Raises:
            UserError: the folder cannot be written.
        """
        content: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in PER_FRAME}
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(
                file,
                **content,
                image_size=np.array(self.image_size),
                mask_scale=np.array(self.mask_scale),
                focal_prior=np.array(np.nan if self.focal_prior is None else self.focal_prior),
            )

    @staticmethod
    def load(path: Path) -> "ClipObservations":
        """Read what :meth:`save` wrote.

        Raises:
            UserError: the file is missing or is not such a file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in PER_FRAME}
                content["masks"] = PackedMasks.of(content["masks"])
                width, height = (int(value) for value in file["image_size"])
                focal = float(file["focal_prior"])
                scale = float(file["mask_scale"])
        except (OSError, KeyError, ValueError, EOFError) as error:
            raise UserError(f"{path} does not hold observations ({error}). Remove it and run again.") from error
        return ClipObservations(
            image_size=(width, height), mask_scale=scale, focal_prior=None if np.isnan(focal) else focal, **content
        )


PER_FRAME: tuple[str, ...] = tuple(
    f.name for f in fields(ClipObservations) if f.type in (np.ndarray, np.ndarray | PackedMasks)
)
"""Fields with a frame axis."""


def empty_observations(
    times: np.ndarray, image_size: tuple[int, int], focal_prior: float | None = None
) -> ClipObservations:
    """Observations of a clip in which nothing was seen; arrays to be filled in."""
    frames = len(times)
    width, height = image_size
    scale = min(1.0, MASK_LONG_SIDE / max(width, height))
    mask_shape = (frames, max(1, round(height * scale)), max(1, round(width * scale)))

    def unseen(*shape: int) -> np.ndarray:
        return np.full((frames, *shape), np.nan, np.float32)

    return ClipObservations(
        times=np.asarray(times, np.float32),
        image_size=image_size,
        body_points=unseen(BODY_POINTS, 2),
        body_visibility=np.zeros((frames, BODY_POINTS), np.float32),
        body_points_world=unseen(BODY_POINTS, 3),
        face_points=unseen(FACE_POINTS, 2),
        blendshapes=np.zeros((frames, len(ARKIT_NAMES)), np.float32),
        head_from_canonical=unseen(4, 4),
        hand_points=unseen(2, HAND_POINTS, 2),
        hand_scores=np.zeros((frames, 2), np.float32),
        masks=np.zeros(mask_shape, np.uint8),
        mask_scale=scale,
        person_boxes=unseen(4),
        camera_path=np.zeros((frames, 3), np.float32),
        focal_prior=focal_prior,
    )


def concatenate(chunks: list[ClipObservations]) -> ClipObservations:
    """Chunks of one clip, one after the other, their masks packed.

    Raises:
        ValueError: no chunks, or chunks of different picture sizes.
    """
    if not chunks:
        raise ValueError("no chunks of observations")
    first = chunks[0]
    if any(chunk.image_size != first.image_size for chunk in chunks):
        raise ValueError(f"chunks of different picture sizes: {sorted({chunk.image_size for chunk in chunks})}")
    masks = PackedMasks.concatenate([PackedMasks.of(chunk.masks) for chunk in chunks])
    arrays = {name: np.concatenate([getattr(c, name) for c in chunks]) for name in PER_FRAME if name != "masks"}
    return replace(first, masks=masks, **arrays)
