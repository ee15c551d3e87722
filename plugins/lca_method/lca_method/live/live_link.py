"""A face's coefficients over UDP: datagrams of Epic's *Live Link Face* app for iPhones, or of JSON.

Live Link Face sends about sixty datagrams a second. All numbers are big-endian::

    uint8      version of the packet, 6
    int32 + n  length and bytes of the device's id
    int32 + n  length and bytes of the subject's name (UTF-8)
    int32      frame number
    float32    part of the frame that has passed
    int32      frames a second: numerator
    int32      frames a second: denominator
    uint8      count of the values that follow, 61
    61 float32 ARKit's 52 coefficients in the order of :data:`ORDER`, then yaw, pitch, roll of the head, of the left eye
               and of the right eye, radians: yaw > 0 to the person's right, pitch > 0 downwards

A datagram of JSON is one object with ARKit's names and, if wanted, ``headYaw``, ``headPitch`` (radians, as above):
``{"jawOpen": 0.4, "mouthSmileLeft": 0.8, "headYaw": 0.1}``. What it does not name is 0.
"""

import json
import math
import socket
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from lca_shared.errors import UserError

PORT = 11111
"""Live Link Face's own."""
VERSION = 6
_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
ORDER: tuple[str, ...] = (
    *(f"{name}Left" for name in _EYE),
    *(f"{name}Right" for name in _EYE),
    *("jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft"),
    *("mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft"),
    *("mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper"),
    *("mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft"),
    *("mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp"),
    *("browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft"),
    *("noseSneerRight", "tongueOut"),
)
"""ARKit's names in the order of the datagrams."""
_TURNS = ("headYaw", "headPitch", "headRoll")
_MOST = 4096
"""Bytes of a datagram."""


@dataclass(frozen=True)
class FaceDatagram:
    """One moment of a face."""

    coefficients: Mapping[str, float]
    """0..1 by ARKit's names; those of looks (``eyeLook...``) too."""
    head: tuple[float, float] = (0.0, 0.0)
    """Yaw to the person's right and pitch downwards, radians."""
    subject: str = ""


class BadDatagramError(ValueError):
    """A datagram is of no known kind."""


def parsed(data: bytes) -> FaceDatagram:
    """A datagram of either kind.

    Raises:
        BadDatagramError: it is neither.
    """
    return _json(data) if data[:1] == b"{" else _live_link(data)


def packed(face: FaceDatagram, frame: int = 0, device: str = "00000000-0000-0000-0000-000000000000") -> bytes:
    """A datagram as Live Link Face sends it: the inverse of :func:`parsed`, for tests and other senders."""
    texts = b"".join(struct.pack(">i", len(t.encode())) + t.encode() for t in (device, face.subject or "iPhone"))
    values = [face.coefficients.get(name, 0.0) for name in ORDER] + [*face.head, 0.0] + [0.0] * 6
    return bytes([VERSION]) + texts + struct.pack(">ifiiB61f", frame, 0.0, 60, 1, len(values), *values)


def _live_link(data: bytes) -> FaceDatagram:
    try:
        if data[0] != VERSION:
            raise BadDatagramError(f"version {data[0]} of a face's datagram")
        at, texts = 1, []
        for _ in range(2):
            (size,) = struct.unpack_from(">i", data, at)
            if not 0 <= size <= len(data):
                raise BadDatagramError(f"a text of {size} bytes")
            texts.append(data[at + 4 : at + 4 + size].decode("utf-8", errors="replace"))
            at += 4 + size
        at += struct.calcsize(">ifii")
        count = data[at]
        if count < len(ORDER) or len(data) != at + 1 + 4 * count:
            raise BadDatagramError(f"{count} values in {len(data)} bytes")
        values = struct.unpack_from(f">{count}f", data, at + 1)
    except (struct.error, IndexError) as error:
        raise BadDatagramError(f"{len(data)} bytes are no face's datagram") from error
    return _face(dict(zip((*ORDER, *_TURNS), values)), texts[1])


def _json(data: bytes) -> FaceDatagram:
    try:
        content = json.loads(data)
        return _face({name: float(value) for name, value in content.items() if name != "subject"}, "JSON")
    except (ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise BadDatagramError(f"no JSON object of numbers ({error})") from error


def _face(values: Mapping[str, float], subject: str) -> FaceDatagram:
    unknown = set(values) - {*ORDER, *_TURNS}
    if unknown:
        raise BadDatagramError(f"unknown names: {', '.join(sorted(unknown))}")
    if not all(math.isfinite(value) for value in values.values()):
        raise BadDatagramError("values that are not finite")
    coefficients = {name: min(max(values.get(name, 0.0), 0.0), 1.0) for name in ORDER}
    return FaceDatagram(coefficients, (values.get("headYaw", 0.0), values.get("headPitch", 0.0)), subject)


class FaceReceiver:
    """Listens for datagrams in a thread of its own and keeps the newest.

    Args:
        port: UDP; 0 = any that is free, see :attr:`port`.
        host: 0.0.0.0 = any network of this machine.

    Raises:
        UserError: the port is taken.
    """

    def __init__(self, port: int = PORT, host: str = "0.0.0.0") -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise UserError(
                f"UDP port {port} on {host} cannot be listened to ({error.strerror}). Close what uses it, or choose "
                "another port here and on the phone."
            ) from error
        self._socket.settimeout(0.2)
        self.port: int = self._socket.getsockname()[1]
        self.received = 0
        """Datagrams understood so far."""
        self.refused = 0
        """Datagrams of no known kind."""
        self._newest: tuple[FaceDatagram, float] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._listen, name="face receiver", daemon=True)
        self._thread.start()

    def newest(self, within: float = 1.0) -> FaceDatagram | None:
        """The newest moment, if it came within so many seconds."""
        newest = self._newest
        return newest[0] if newest is not None and time.monotonic() - newest[1] <= within else None

    def close(self) -> None:
        """Stop listening."""
        self._ended = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._ended:
            try:
                face = parsed(self._socket.recv(_MOST))
            except TimeoutError:
                continue
            except BadDatagramError:
                self.refused += 1
                continue
            self._newest = (face, time.monotonic())
            self.received += 1
