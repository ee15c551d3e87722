"""The fitted body over pictures of all cameras, side by side."""

from pathlib import Path

import cv2
import numpy as np
import torch

from lca_dataparsers.formats.capture import CaptureCamera, CaptureView
from lca_dataparsers.overlay import draw_mask_outline, draw_mesh_overlay
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor, UInt8

HEIGHT = 360
"""Of each picture, pixels."""
MOST_MOMENTS, MOST_CAMERAS = 8, 12


class OverlaySheet:
    """A row for each of a few moments, a column for each of a few cameras.

    Args:
        frames: all moments.
        cameras: names of all cameras.
        model: name of the body model.
    """

    def __init__(self, frames: tuple[int, ...], cameras: list[str], model: str) -> None:
        self._faces = get_body_model(model).faces
        self._frames = [frames[i] for i in _even(len(frames), MOST_MOMENTS)]
        self._cameras = [cameras[i] for i in _even(len(cameras), MOST_CAMERAS)]
        self._tiles: dict[tuple[int, str], np.ndarray] = {}

    def wants(self, view: CaptureView) -> bool:
        """Whether the view is one of those shown."""
        return view.frame in self._frames and view.camera in self._cameras

    def add(
        self,
        view: CaptureView,
        image: UInt8[np.ndarray, "h w 3"],
        mask: UInt8[np.ndarray, "h w"],
        vertices: Float[Tensor, "vertices 3"],
        camera: CaptureCamera,
    ) -> None:
        """Draw the body (metres, world) and the mask's outline over a picture."""
        width = max(1, round(HEIGHT * camera.width / camera.height))
        lens = Cameras(
            torch.from_numpy(camera.camera_from_world).float(),
            torch.from_numpy(camera.intrinsics).float(),
            camera.width,
            camera.height,
        ).resized(width, HEIGHT)
        small = cv2.resize(image, (width, HEIGHT), interpolation=cv2.INTER_AREA)
        drawn = draw_mesh_overlay(small, vertices, self._faces, lens)
        self._tiles[view.frame, view.camera] = draw_mask_outline(drawn, cv2.resize(mask, (width, HEIGHT)))

    def write(self, path: Path) -> None:
        """Write the sheet as a JPEG; nothing if no picture was added."""
        if not self._tiles:
            return
        cameras = [name for name in self._cameras if any((frame, name) in self._tiles for frame in self._frames)]
        widths = {
            name: next(tile.shape[1] for (_, camera), tile in self._tiles.items() if camera == name) for name in cameras
        }
        blank = {name: np.zeros((HEIGHT, width, 3), np.uint8) for name, width in widths.items()}
        rows = [np.hstack([self._tiles.get((frame, name), blank[name]) for name in cameras]) for frame in self._frames]
        with atomic_path(path) as temporary:
            cv2.imwrite(str(temporary), np.vstack(rows)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


def _even(count: int, most: int) -> list[int]:
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int)).tolist()
