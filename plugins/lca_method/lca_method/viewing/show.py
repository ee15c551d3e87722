"""Draws an avatar for every open page: coarse while something moves, whole when it stands still."""

import math
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.cpu_driver import CpuDriver
from lca_method.avatar.filming import signal_at
from lca_method.avatar.motion import Motion
from lca_method.batch import DrivingSignal
from lca_method.live.sources import LiveSource
from lca_method.viewing.browser_splats import BrowserSplats
from lca_method.viewing.looking import body_view
from lca_method.viewing.modes import pictured
from lca_method.viewing.panel import Panel, PanelOffers
from lca_method.viewing.signals import PanelState, signal_of
from lca_method.viewing.skinning_view import SkinningView
from lca_shared.cameras import Cameras, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    import viser

    from lca_method.viewing.light_panel import LightSource

STILL = 0.2
"""Seconds without a change after which the whole picture is drawn."""
LISTENED_EVERY = 0.1
"""Seconds between looks whether something live has come."""
PLAYED_RATE = 30.0
"""Frames a second of a motion at most."""


class Show:
    """One avatar on one server.

    Args:
        server: of the page.
        avatar: who is shown.
        motion: named as the avatar's rig, or None.
        reference: one frame, named as the avatar's rig: how the person stood in a reference picture; None = not known.
        live: what may drive the avatar while it happens; the first that has something to say does.
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
        reference: Motion | None = None,
        live: Sequence[LiveSource] = (),
    ) -> None:
        self._server, self._avatar, self._motion = server, avatar, motion
        self._reference, self._live = reference, live
        self._driver = CpuDriver(avatar) if avatar.device.type == "cpu" else None
        self._alive_at = -math.inf
        self._coarse, self._whole, self._client_side = coarse, whole, client_side
        self._wake = threading.Event()
        self._changed_at = time.monotonic()
        self._splats = BrowserSplats(server, avatar)
        self._skinning: SkinningView | None = None
        self._ended = False
        offers = PanelOffers(
            seconds=0.0 if motion is None else motion.duration,
            moved=not live,
            reference=reference is not None,
            live=tuple(source.name for source in live),
            skinning=True,
            relightable=avatar.relight is not None,
        )
        self._light = None
        if avatar.relight is not None:
            from lca_method.viewing.light_panel import LightSource

            self._light = LightSource()
        self.panel = Panel(server, avatar.body, offers, self.changed)
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
            playing = self._moves()
            if not playing and drawn_whole:
                self._wake.wait(LISTENED_EVERY if self._live else None)
                self._tell()
                if not self._wake.is_set():
                    continue
            if self._ended:
                return
            begun = time.monotonic()
            self._wake.clear()
            still = not playing and begun - self._changed_at > STILL
            self._draw(self._whole if still else self._coarse)
            drawn_whole = still
            if playing:
                self._pace(begun)
            elif not still:
                self._wake.wait(max(0.0, STILL - (time.monotonic() - self._changed_at)) + 0.01)

    def _moves(self) -> bool:
        """Whether something moves by itself: a motion, or somebody live."""
        if any(self.panel.state.live[source.name] and source.active for source in self._live):
            return True
        return self._motion is not None and self.panel.state.playing

    def signal(self) -> DrivingSignal:
        """What the panel, the motion or somebody live asks for, ``[1, ...]``, on the CPU."""
        body, state = self._avatar.body, self.panel.state
        if state.shown == "canonical":
            return signal_of(PanelState(), body)
        if state.shown == "reference" and self._reference is not None:
            return signal_at(self._reference, slice(0, 1))
        if self._motion is not None and state.moving:
            at = torch.tensor([float(self._motion.times[0]) + state.time], dtype=torch.float64)
            signal = signal_at(self._motion.at(at), slice(0, 1))
        else:
            signal = signal_of(state, body)
        for source in self._live:
            if state.live[source.name] and (found := source.applied(signal)) is not None:
                signal = found
        return signal

    def gaussians(self) -> Gaussians:
        """What the panel asks for; no batch axes. The next call may write over them."""
        state = self.panel.state
        signal, corrected = self.signal(), state.corrected and state.shown != "canonical"
        if self._driver is not None:
            return self._driver.gaussians(signal, pose_dependent=corrected)
        device, confidence = self._avatar.device, signal.joint_confidence
        with torch.inference_mode():
            return self._avatar.drive(
                signal.pose.to(device),
                signal.expression.to(device),
                joint_confidence=None if confidence is None else confidence.to(device),
                code=None if signal.code is None else signal.code.to(device),
                pose_dependent=corrected,
            )[0]

    def _draw(self, height: int) -> None:
        gaussians = self.gaussians()
        if self._client_side:
            self._splats.show(self._colored(gaussians), height == self._whole)
            return
        white = torch.ones(3)
        for client in self._server.get_clients().values():
            camera = camera_of(client.camera, height).to(self._avatar.device)
            with torch.inference_mode():
                if self._light is not None and self.panel.state.light.on:
                    picture = self._relit(self._light, gaussians, camera, white)
                else:
                    picture = pictured(self._colored(gaussians), camera, self.panel.state.mode, white)
            pixels = (picture * 255 + 0.5).to(torch.uint8).movedim(0, -1).cpu().numpy()
            client.scene.set_background_image(pixels, format="jpeg", jpeg_quality=60 if height < self._whole else 90)

    def _relit(
        self, light: "LightSource", gaussians: Gaussians, camera: Cameras, background: Float[Tensor, "3"]
    ) -> Float[Tensor, "3 h w"]:
        """A picture in the light that the panel asks for."""
        from lca_method.avatar.relight_drawing import over, relit_picture

        look, avatar = light.look(self.panel.state.light), self._avatar
        look = replace(look, lights=look.lights.to(avatar.device))
        hidden = None  # on a GPU shading leaves out what the pose changes in it
        if self._driver is not None and self.panel.state.corrected and self.panel.state.shown != "canonical":
            hidden = self._driver.hidden
        pose = self.signal().pose.to(avatar.device)
        return over(*relit_picture(avatar, gaussians, pose, hidden, camera, look), background).clamp(0, 1)

    def _colored(self, gaussians: Gaussians) -> Gaussians:
        """In the colours of the joints, if the panel asks for it."""
        if not self.panel.state.skinning:
            return gaussians
        with torch.inference_mode():
            self._skinning = self._skinning or SkinningView(self._avatar)
            return self._skinning.shown(gaussians)

    def _pace(self, begun: float) -> None:
        """Not faster than :data:`PLAYED_RATE`; a motion that plays goes on."""
        time.sleep(max(0.0, 1 / PLAYED_RATE - (time.monotonic() - begun)))
        if self._motion is not None and self.panel.state.playing:
            self.panel.advance(time.monotonic() - begun, self._motion.duration)
        self._tell()

    def _tell(self) -> None:
        """Say now and then how it is going with what is live."""
        if self._live and time.monotonic() - self._alive_at > 1.0:
            self._alive_at = time.monotonic()
            self.panel.live_status.content = "  \n".join(source.status() for source in self._live)

    def _welcome(self, client: Any) -> None:
        place, aim = body_view(self._avatar.body, self._avatar.rest_pose.to("cpu"))
        client.camera.up_direction = (0.0, 0.0, 1.0)
        client.camera.position = tuple(place.tolist())
        client.camera.look_at = tuple(aim.tolist())
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
