"""What changes a signal while it happens, for viewers: a phone's face, or somebody before a webcam."""

import threading
import time
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch

from lca_method.batch import DrivingSignal
from lca_method.live.live_link import FaceReceiver
from lca_method.live.person import LivePerson, with_face, with_head
from lca_method.live.webcam import Webcam
from lca_shared.body.compact_body import CompactBody
from lca_shared.rotations import rotation_vector_to_matrix

KEPT = 1.0
"""Seconds for which the last that came is shown."""


@runtime_checkable
@runtime_checkable
class LiveSource(Protocol):
    """Something that drives an avatar while it happens."""

    name: str
    """As the viewer's panel calls it."""

    @property
    def active(self) -> bool:
        """Whether something came of late."""
        ...

    def applied(self, signal: DrivingSignal) -> DrivingSignal | None:
        """The signal with what came last put into it; None = nothing came of late."""
        ...

    def status(self) -> str:
        """How it is going, in a line."""
        ...

    def close(self) -> None:
        """Stop."""
        ...


class PhoneFace:
    """A face's coefficients and the head's turn, by UDP.

    Args:
        body: whose face moves.
        port: see :class:`lca_method.live.live_link.FaceReceiver`.
    """

    name = "phone's face"

    def __init__(self, body: CompactBody, port: int, host: str = "0.0.0.0") -> None:
        self._body, self.receiver = body, FaceReceiver(port, host)

    @property
    def active(self) -> bool:
        """Whether a datagram came of late."""
        return self.receiver.newest(KEPT) is not None

    def applied(self, signal: DrivingSignal) -> DrivingSignal | None:
        """Coefficients, gaze, and yaw and pitch of the head if the phone sends them."""
        face = self.receiver.newest(KEPT)
        if face is None:
            return None
        signal = with_face(signal, self._body, face.coefficients)
        yaw, pitch = face.head
        if yaw or pitch:
            trunk = rotation_vector_to_matrix(signal.pose.root_rotation[0])
            turn = rotation_vector_to_matrix(torch.tensor([[0.0, 0.0, -yaw], [pitch, 0.0, 0.0]]))
            signal = with_head(signal, self._body, trunk @ turn[0] @ turn[1])
        return signal

    def status(self) -> str:
        """Datagrams so far."""
        refused = f", {self.receiver.refused} not understood" if self.receiver.refused else ""
        return f"UDP port {self.receiver.port}: {self.receiver.received} datagrams{refused}."

    def close(self) -> None:
        """Stop listening."""
        self.receiver.close()


class WebcamPerson:
    """Somebody before a webcam, or in a video in its place, which runs at its own speed and again from its beginning.

    Args:
        body: whose joints turn.
        source: number of the webcam, or a video.
        model_dir: looked through first for the detectors' weights.

    Raises:
        UserError: there is no such webcam, or no weights.
    """

    name = "webcam"

    def __init__(self, body: CompactBody, source: str, model_dir: Path | None = None) -> None:
        self._source, self._webcam = source, Webcam(source)
        self._person = LivePerson(body, model_dir)
        self._newest: tuple[DrivingSignal, float] | None = None
        self._pictures, self._begun, self._ended = 0, time.monotonic(), False
        self._thread = threading.Thread(target=self._watch, name="webcam person", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether somebody was seen of late."""
        newest = self._newest
        return newest is not None and time.monotonic() - newest[1] < KEPT

    def applied(self, signal: DrivingSignal) -> DrivingSignal | None:
        """The person's own signal in place of the given one."""
        newest = self._newest
        return newest[0] if newest is not None and self.active else None

    def status(self) -> str:
        """Pictures a second so far."""
        rate = self._pictures / max(time.monotonic() - self._begun, 1e-3)
        return f"Webcam {self._source}: {self._pictures} pictures, {rate:.1f} a second."

    def close(self) -> None:
        """Give the webcam back."""
        self._ended = True
        self._thread.join()
        self._webcam.close()
        self._person.close()

    def _watch(self) -> None:
        while not self._ended:
            begun, pictures = time.monotonic(), 0
            for picture in self._webcam:
                if self._ended:
                    return
                pictures += 1
                if not self._webcam.is_camera:
                    due = begun + pictures / self._webcam.rate - time.monotonic()
                    if due < -1 / self._webcam.rate:
                        continue  # too late already
                    time.sleep(max(due, 0.0))
                found = self._person.signal(picture)
                self._pictures += 1
                if found is not None:
                    self._newest = (found, time.monotonic())
            if self._webcam.is_camera or pictures == 0:
                return
            self._webcam.close()
            self._webcam = Webcam(self._source)
