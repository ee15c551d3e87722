"""Draws an avatar for every open page: coarse while something moves, whole when it stands still."""

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.motion import Motion
from lca_method.batch import DrivingSignal
from lca_method.viewing.modes import pictured
from lca_method.viewing.panel import Panel
from lca_method.viewing.signals import signal_of
from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix

if TYPE_CHECKING:
    import viser

STILL = 0.2
"""Seconds without a change after which the whole picture is drawn."""
PLAYED_RATE = 30.0
"""Frames a second of a motion at most."""


class Show:
    """One avatar on one server.

    Args:
        server: of the page.
        avatar: who is shown.
        motion: named as the avatar's rig, or None.
        coarse, whole: heights of pictures, pixels.
        client_side: send the Gaussians themselves, and let the browser draw them.
    """

    def __init__(
        self,
        server: "viser.ViserServer",
        avatar: Avatar,
        motion: Motion | None,
        coarse: int,
        whole: int,
        client_side: bool,
    ) -> None:
        self._server, self._avatar, self._motion = server, avatar, motion
        self._coarse, self._whole, self._client_side = coarse, whole, client_side
        self._wake = threading.Event()
        self._changed_at = time.monotonic()
        self._splats: Any = None
        self._ended = False
        self.panel = Panel(server, avatar.body, 0.0 if motion is None else motion.duration, self.changed)
        server.scene.set_up_direction("+z")
        server.on_client_connect(self._welcome)

    def changed(self) -> None:
        """Something is to be drawn anew."""
        self._changed_at = time.monotonic()
        self._wake.set()

    def stop(self) -> None:
        """End :meth:`run`."""
        self._ended = True
        self._wake.set()

    def run(self) -> None:
        """Draw until :meth:`stop`."""
        drawn_whole = False
        while not self._ended:
            playing = self._motion is not None and self.panel.play.value
            if not playing and drawn_whole:
                self._wake.wait()
            if self._ended:
                return
            begun = time.monotonic()
            self._wake.clear()
            still = not playing and begun - self._changed_at > STILL
            self._draw(self._whole if still else self._coarse)
            drawn_whole = still or self._client_side
            if playing:
                self._advance(begun)
            elif not still:
                self._wake.wait(max(0.0, STILL - (time.monotonic() - self._changed_at)) + 0.01)

    def signal(self) -> DrivingSignal:
        """What the panel asks for, ``[1, ...]``, on the avatar's device."""
        if self._motion is not None and self.panel.moving.value:
            at = torch.tensor([float(self._motion.times[0]) + self.panel.time.value], dtype=torch.float64)
            signal = self._motion.at(at).signal
            signal = replace(signal, pose=signal.pose.to(dtype=torch.float32))
        else:
            signal = signal_of(self.panel.state, self._avatar.body)
        device = self._avatar.device
        confidence, code = signal.joint_confidence, signal.code
        return DrivingSignal(
            signal.pose.to(device),
            signal.expression.to(device),
            None if confidence is None else confidence.to(device),
            None if code is None else code.to(device),
        )

    def gaussians(self) -> Gaussians:
        """What the panel asks for; no batch axes."""
        signal = self.signal()
        with torch.inference_mode():
            return self._avatar.drive(
                signal.pose,
                signal.expression,
                joint_confidence=signal.joint_confidence,
                code=signal.code,
                pose_dependent=self.panel.corrected.value,
            )[0]

    def _draw(self, height: int) -> None:
        gaussians = self.gaussians()
        if self._client_side:
            self._send(gaussians)
            return
        white = torch.ones(3)
        for client in self._server.get_clients().values():
            camera = camera_of(client.camera, height).to(self._avatar.device)
            with torch.inference_mode():
                picture = pictured(gaussians, camera, self.panel.mode.value, white)
            pixels = (picture * 255 + 0.5).to(torch.uint8).movedim(0, -1).cpu().numpy()
            client.scene.set_background_image(pixels, format="jpeg", jpeg_quality=60 if height < self._whole else 90)

    def _send(self, gaussians: Gaussians) -> None:
        turn = quaternion_to_matrix(torch.nn.functional.normalize(gaussians.quaternions, dim=-1))
        half = turn * gaussians.scales[:, None, :]
        self._server.scene._add_gaussian_splats(  # not public in viser 0.2, which nerfstudio 1.1.5 asks for
            "/avatar",
            centers=gaussians.means.cpu().numpy(),
            covariances=(half @ half.mT).cpu().numpy(),
            rgbs=gaussians.colors.clamp(0, 1).cpu().numpy(),
            opacities=gaussians.opacities[:, None].cpu().numpy(),
        )

    def _advance(self, begun: float) -> None:
        assert self._motion is not None
        time.sleep(max(0.0, 1 / PLAYED_RATE - (time.monotonic() - begun)))
        passed = (time.monotonic() - begun) * self.panel.speed.value
        self.panel.time.value = round((self.panel.time.value + passed) % max(self._motion.duration, 0.01), 3)

    def _welcome(self, client: Any) -> None:
        points = self._avatar.body.template_vertices
        middle = ((points.amin(0) + points.amax(0)) / 2).cpu().numpy()
        client.camera.up_direction = (0.0, 0.0, 1.0)
        client.camera.position = tuple(middle + np.array([0.0, -2.8, 0.1]))
        client.camera.look_at = tuple(middle)
        client.camera.on_update(lambda _: self.changed())
        self.changed()


def camera_of(camera: Any, height: int) -> Cameras:
    """Of a page's view (viser's camera handle), drawn ``height`` pixels high."""
    width = max(2, round(height * camera.aspect))
    rotation = quaternion_to_matrix(torch.tensor(np.asarray(camera.wxyz), dtype=torch.float32))
    matrix = torch.eye(4)
    matrix[:3, :3] = rotation.mT
    matrix[:3, 3] = -rotation.mT @ torch.tensor(np.asarray(camera.position), dtype=torch.float32)
    focal = height / 2 / float(np.tan(camera.fov / 2))
    return Cameras(matrix, pinhole_intrinsics(focal, width, height), width, height)
