"""What an importer makes of a capture: calibrated cameras and, for each moment and camera, where picture and mask lie.

Importers convert conventions and nothing else: no picture is decoded beyond its size. Lengths are metres, cameras are
OpenCV's with pixel centres at +0.5, the world is the capture's own until :mod:`.axes` turns it Z up.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from lca_dataparsers.dataset.lights import LightRig
from lca_dataparsers.dataset.sources import PictureSource
from lca_dataparsers.dataset.treatment import Treatment
from lca_shared.errors import UserError
from lca_shared.tensors import Float


@dataclass(frozen=True)
class CaptureCamera:
    """One camera of a rig."""

    name: str
    intrinsics: Float[np.ndarray, "3 3"]
    """Pixels of the pictures as they are stored; pixel centres at +0.5."""
    camera_from_world: Float[np.ndarray, "4 4"]
    """OpenCV axes, metres, the capture's world."""
    width: int
    height: int
    """Of the stored pictures, pixels."""
    treatment: Treatment = field(default_factory=Treatment)
    """What its pictures go through before anybody sees them: distortion and colour."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", self.name):
            raise UserError(f"{self.name!r} cannot be a camera's name: use letters, digits, '.', '_' and '-'.")
        rotation = self.camera_from_world[:3, :3]
        if not (np.isfinite(self.camera_from_world).all() and np.isfinite(self.intrinsics).all()):
            raise UserError(f"camera {self.name}: the calibration holds numbers that are not finite. Restore the file.")
        if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-2 or np.linalg.det(rotation) < 0:
            raise UserError(
                f"camera {self.name}: its extrinsics are not a rotation and a translation. Restore the calibration."
            )
        if self.intrinsics[0, 0] <= 0 or self.intrinsics[1, 1] <= 0 or min(self.width, self.height) < 1:
            raise UserError(f"camera {self.name}: focal lengths and picture sizes must be positive.")

    def centre(self) -> Float[np.ndarray, "3"]:
        """Where it stands in the capture's world, metres."""
        return -self.camera_from_world[:3, :3].T @ self.camera_from_world[:3, 3]

    def moved(self, new_from_old: Float[np.ndarray, "4 4"]) -> "CaptureCamera":
        """The camera after the world was moved rigidly."""
        return replace(self, camera_from_world=self.camera_from_world @ np.linalg.inv(new_from_old))


@dataclass(frozen=True)
class CaptureView:
    """One picture: a moment seen by a camera."""

    frame: int
    """Index of the moment in the capture."""
    camera: str
    image: PictureSource
    mask: PictureSource | None = None
    """None = the capture has none, and a detector has to make it."""
    light_pattern: int = -1
    """Index into the capture's lights; -1 = uncontrolled light."""


@dataclass(frozen=True)
class Registration:
    """A body that the capture comes with, in its own model's parameters."""

    model: str
    """``smplx`` or ``mhr``."""
    parameters: Mapping[str, np.ndarray]
    """Arrays by the model's own names, in the capture's world and the model's units."""
    frames: tuple[int, ...]
    """Moments that the rows of frame-wise arrays belong to."""
    camera: str | None = None
    """Whose axes it is in; None = the capture's world."""


@dataclass(frozen=True)
class Capture:
    """One person in front of calibrated cameras (or of one moving camera)."""

    name: str
    """The capture's own name."""
    person: str
    """Who it is, as far as the capture says."""
    root: Path
    """Folder that the sources of the pictures are relative to."""
    cameras: Mapping[str, CaptureCamera]
    """By name. Of a moving camera each view has one of its own."""
    views: tuple[CaptureView, ...]
    """Sorted by moment, then camera."""
    rate: float
    """Moments a second, for numbers of frames that count them all."""
    licence: str
    moving: bool = False
    """One moving camera: every view is a moment."""
    metric: bool = True
    """Whether lengths are metres; otherwise the person's size tells."""
    frame_splits: Mapping[int, str] = field(default_factory=dict)
    """The capture's own split of its moments, where it has one."""
    lights: LightRig | None = None
    """Light stage: where the lights stand (capture's world) and which patterns there are."""
    backgrounds: Mapping[str, PictureSource] = field(default_factory=dict)
    """Pictures of the empty rig, by camera."""
    world_from_capture: Float[np.ndarray, "4 4"] | None = None
    """Where the capture says which way is up: rigid, to a world that is Z up."""
    registration: Registration | None = None
    person_depth: float | None = None
    """Where one camera of a rig was chosen: how far along its axis all cameras of the rig look, capture's unit."""
    notes: tuple[str, ...] = ()
    """What was left out, in words, for the report."""

    def __post_init__(self) -> None:
        if not self.views:
            raise UserError(f"{self.root} holds no pictures of calibrated cameras. Check that the download is whole.")

    def frames(self) -> list[int]:
        """Moments, in order."""
        return sorted({view.frame for view in self.views})


class Importer(Protocol):
    """Opens a capture of one format."""

    def __call__(self, source: Path) -> Capture:
        """Read calibration and lists of pictures.

        Raises:
            UserError: the folder is not such a capture, or a file of it is missing or damaged; one message names the
                file and the way out.
        """
        ...
