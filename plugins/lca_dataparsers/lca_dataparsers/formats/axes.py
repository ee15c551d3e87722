"""Which way is up: from the capture's world to one that is Z up."""

from collections.abc import Iterable

import numpy as np

from lca_dataparsers.formats.capture import Capture, CaptureCamera
from lca_dataparsers.formats.choices import UpAxis
from lca_shared.errors import UserError
from lca_shared.tensors import Float

SNAP = np.cos(np.radians(25.0))
"""An axis of the world this near to the cameras' mean upward direction is up."""
AGREEMENT = 0.5
"""Length of the mean of the cameras' upward unit vectors below which they say nothing."""


def world_from_capture(capture: Capture, up: UpAxis) -> Float[np.ndarray, "4 4"]:
    """A rigid transform to a world that is Z up.

    As the capture says; or the axis named; or (``auto``) the axis nearest to where the cameras' upper edges point.
    A capture that is Z up already keeps its axes exactly.

    Raises:
        UserError: ``auto``, and the cameras do not agree.
    """
    if up == "auto":
        if capture.world_from_capture is not None:
            return capture.world_from_capture
        return _turned(mean_up(capture.cameras.values(), capture.name))
    axis = np.zeros(3)
    axis["xyz".index(up[1])] = 1.0 if up[0] == "+" else -1.0
    return _turned(axis)


def mean_up(cameras: Iterable[CaptureCamera], name: str) -> Float[np.ndarray, "3"]:
    """Where the cameras' upper edges point on average, snapped to an axis of the world if one is near.

    Raises:
        UserError: they point all over the place.
    """
    up = np.mean([-camera.camera_from_world[1, :3] for camera in cameras], axis=0)
    length = float(np.linalg.norm(up))
    if length < AGREEMENT:
        raise UserError(f"{name}: the cameras do not agree on which way is up. Say it with --up (+y, -y, +z, ...).")
    up = up / length
    axis = np.zeros(3)
    axis[np.abs(up).argmax()] = np.sign(up[np.abs(up).argmax()])
    return axis if up @ axis > SNAP else up


def _turned(up: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """The smallest rotation that carries ``up`` to +Z."""
    goal = np.array([0.0, 0.0, 1.0])
    across, cosine = np.cross(up, goal), float(up @ goal)
    matrix = np.eye(4)
    if cosine < -1 + 1e-9:
        matrix[:3, :3] = np.diag([1.0, -1.0, -1.0])
    else:
        cross = np.array(
            [[0, -across[2], across[1]], [across[2], 0, -across[0]], [-across[1], across[0], 0]], np.float64
        )
        matrix[:3, :3] = np.eye(3) + cross + cross @ cross / (1 + cosine)
    return matrix
