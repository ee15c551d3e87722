"""A rig in the browser: frustums with pictures, the lights that shine, the body; choices of person and moment."""

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_shared.body import get_body_model
from lca_shared.tensors import Float, UInt8

if TYPE_CHECKING:
    import viser

BODY_COLOR = (120, 170, 235)
LIGHT_COLOR = (255, 220, 90)


@dataclass(frozen=True)
class ShownCamera:
    """A camera of one moment, as the browser wants it."""

    name: str
    wxyz: Float[np.ndarray, "4"]
    """World-from-camera, OpenCV axes."""
    position: Float[np.ndarray, "3"]
    """Metres, world."""
    field_of_view: float
    """Vertical, radians."""
    aspect: float
    picture: UInt8[np.ndarray, "h w 3"]


def shown_cameras(subject: Subject, frame: int, side: int) -> list[ShownCamera]:
    """All cameras of a moment with their pictures, ``side`` pixels at most.

    Raises:
        UserError: a picture is missing or broken.
    """
    shown = []
    for row in np.flatnonzero(subject.frames["frame"] == frame):
        loaded = subject.load(int(row))
        image = (loaded.image.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        height, width = image.shape[:2]
        factor = min(1.0, side / max(height, width))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        world_from_camera = np.linalg.inv(loaded.camera.camera_from_world.double().numpy())
        shown.append(
            ShownCamera(
                str(subject.frames["camera"][row]),
                quaternion(world_from_camera[:3, :3]),
                world_from_camera[:3, 3],
                float(2 * np.arctan(height / 2 / float(loaded.camera.intrinsics[1, 1]))),
                width / height,
                cv2.resize(image, size, interpolation=cv2.INTER_AREA),
            )
        )
    return shown


def quaternion(rotation: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "4"]:
    """A rotation matrix as wxyz."""
    from scipy.spatial.transform import Rotation

    x, y, z, w = Rotation.from_matrix(rotation).as_quat()
    return np.array([w, x, y, z])


class RigPage:
    """The page.

    Args:
        server: of the page.
        dataset: with at least one subject.
        side: of the pictures, pixels at most.
    """

    def __init__(self, server: "viser.ViserServer", dataset: AvatarDataset, side: int) -> None:
        self._server, self._dataset, self._side = server, dataset, side
        self._body = get_body_model(dataset.info.body_model)
        server.scene.set_up_direction("+z")
        names = list(dataset.subjects)
        self.subject = server.gui.add_dropdown("Person", names, names[0])
        self.moment = server.gui.add_slider("Moment", 0, max(1, len(self.frames()) - 1), 1, 0)
        self.size = server.gui.add_slider("Size of pictures", 0.05, 1.0, 0.05, 0.3)
        self.show_body = server.gui.add_checkbox("Body", True)
        self.shown: dict[str, ShownCamera] = {}
        """What is on the page, by camera."""
        self._nodes: list = []
        self._drawing = threading.Lock()
        self.subject.on_update(lambda _: self._other_person())
        for control in (self.moment, self.size, self.show_body):
            control.on_update(lambda _: self.draw())
        self.draw()

    def frames(self) -> list[int]:
        """Moments of the chosen person."""
        return sorted({int(frame) for frame in self._dataset.subjects[self.subject.value].frames["frame"]})

    def draw(self) -> None:
        """Put the chosen person's chosen moment on the page. Controls call it from viser's threads, one at a time."""
        with self._drawing:
            self._draw()

    def _draw(self) -> None:
        subject, frames = self._dataset.subjects[self.subject.value], self.frames()
        frame = frames[min(int(self.moment.value), len(frames) - 1)]
        cameras = shown_cameras(subject, frame, self._side)
        for node in self._nodes:
            node.remove()
        self._nodes = [
            self._server.scene.add_camera_frustum(
                f"/cameras/{camera.name}",
                fov=camera.field_of_view,
                aspect=camera.aspect,
                scale=float(self.size.value),
                image=camera.picture,
                wxyz=camera.wxyz,
                position=camera.position,
            )
            for camera in cameras
        ]
        if self.show_body.value:
            self._nodes.append(self._add_body(subject, frame))
        self._nodes += self._add_lights(subject, frame)
        self.shown = {camera.name: camera for camera in cameras}

    def _other_person(self) -> None:
        self.moment.max = max(1, len(self.frames()) - 1)
        if self.moment.value:
            self.moment.value = 0  # draws as well
        else:
            self.draw()

    def _add_body(self, subject: Subject, frame: int):
        row = [int(np.flatnonzero(subject.frames["frame"] == frame)[0])]
        shaped = self._body.shaped(subject.shape, subject.frames.expressions(row))
        vertices = self._body.skinned(shaped, subject.frames.poses(row))[0]
        return self._server.scene.add_mesh_simple(
            "/body", torch.Tensor.numpy(vertices), self._body.faces.numpy(), color=BODY_COLOR
        )

    def _add_lights(self, subject: Subject, frame: int) -> list:
        pattern = int(subject.frames["light_pattern"][np.flatnonzero(subject.frames["frame"] == frame)[0]])
        if subject.lights is None or pattern < 0:
            return []
        values = subject.lights.intensities(pattern)
        return [
            self._server.scene.add_icosphere(
                f"/lights/{light}",
                radius=0.02 + 0.08 * float(values[light]),
                color=LIGHT_COLOR,
                position=subject.lights.positions[light],
            )
            for light in np.flatnonzero(values > 0)
        ]
