"""Where the cameras of a rig look: so far away stands the person of a single chosen camera, and that tells the size."""

from collections.abc import Mapping

import numpy as np
import torch

from lca_dataparsers.formats.capture import CaptureCamera
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Tensor

LEAST_SPREAD = 0.05
"""Of the directions that the cameras look in: below it they are nearly parallel and meet nowhere."""
MOST_MISSED = 0.15
"""Of the distance to the middle: root mean square by which axes may miss it."""
SCALES = (0.8, 1.25)
"""How far a body is scaled at most."""
EVERY = 20
"""One in so many vertices tells a body's size."""
RIDGE = 0.02
"""Weight of squared changes of shape against squared metres of the vertices above."""


def depth_of_middle(cameras: Mapping[str, CaptureCamera], name: str) -> float | None:
    """How far along the axis of camera ``name`` the axes of all cameras come nearest to each other; None if they do
    not meet in front of it."""
    poses = np.stack([camera.camera_from_world for camera in cameras.values()])
    eyes = -np.einsum("nji,nj->ni", poses[:, :3, :3], poses[:, :3, 3])
    axes = poses[:, 2, :3]
    across = np.eye(3) - axes[:, :, None] * axes[:, None]
    normal = across.sum(axis=0)
    if np.linalg.eigvalsh(normal)[0] < LEAST_SPREAD * len(poses):
        return None
    middle = np.linalg.solve(normal, np.einsum("nij,nj->i", across, eyes))
    missed = np.sqrt(np.square(np.einsum("nij,nj->ni", across, middle - eyes)).sum(axis=1).mean())
    own = cameras[name].camera_from_world
    depth = float(own[2, :3] @ middle + own[2, 3])
    return depth if depth > 0 and missed < MOST_MISSED * depth else None


def scaled_shape(
    body: CompactBody, shape: Float[Tensor, "coefficients"], factor: float
) -> tuple[Float[Tensor, "coefficients"], float]:
    """The likely person who is ``factor`` times as large, and by which factor they are."""
    wanted = min(max(factor, SCALES[0]), SCALES[1])
    rest = body.shaped(shape)
    now = (rest.vertices - rest.joints[0])[::EVERY].flatten()
    basis = (body.shape_vertices - body.shape_joints[:, :1])[:, ::EVERY].flatten(1).T
    normal = basis.T @ basis + RIDGE * torch.eye(len(shape))
    found = shape + torch.linalg.solve(normal, (wanted - 1.0) * (basis.T @ now))
    after = body.shaped(found)
    points = (after.vertices - after.joints[0])[::EVERY].flatten()
    return found, float((points @ now) / (now @ now))
