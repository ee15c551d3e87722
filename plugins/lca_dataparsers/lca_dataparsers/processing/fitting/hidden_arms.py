"""Arms behind the body: a detector that does not see one makes it up, and the fit need not believe it.

An arm is taken for hidden where the fitted body covers it (a depth test of the mesh against itself) and the detector is
not sure of it either. One of the two alone does not do: a body that was fitted wrongly covers arms that are in view.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import torch

from lca_dataparsers.limb_visibility import LimbVisibility
from lca_dataparsers.processing.fitting.result import body_pose
from lca_dataparsers.processing.fitting.side_by_side import side_by_side
from lca_dataparsers.processing.fitting.state import CAMERA_FROM_WORLD, FitState
from lca_dataparsers.processing.fitting.targets import ARM_LANDMARKS, Targets
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras
from lca_shared.tensors import Float, Tensor

PARTS = ("upperarm01", "lowerarm01", "wrist")
LANDMARKS: dict[int, tuple[int, ...]] = dict(zip(ARM_LANDMARKS, ((0, 1), (1, 2), (2,), (2,), (2,)), strict=True))
"""Landmarks of the left arm, and the parts (of :data:`PARTS`) that show them."""
HIDDEN, OPEN = 0.05, 0.3
"""Shares of a part's surface in open view up to which it is hidden, and from which it is seen."""
DOUBTED, SURE = 0.5, 0.9
"""The detector's visibility, likewise."""
DEPTH_SIDE = 192
"""Long side of the depth picture, pixels."""
_AT_ONCE = 8
"""Bodies that are posed together."""


def arms_in_view(
    state: FitState, focal: float, picture: tuple[int, int], body_name: str = "anny"
) -> Float[np.ndarray, "frames 2 parts"]:
    """Share, 0..1, of each arm's parts (left, right) that nothing of the body covers.

    Args:
        state: T frames, in the fit's world (camera at the origin).
        focal: pixels.
        picture: width and height, pixels.
        body_name: of the body model.
    """
    visibility = _limbs(body_name)
    body = visibility.body
    shaped = body.shaped(state.shape)
    pose = body_pose(state, torch.zeros(len(state), 2, 2))
    matrix = torch.eye(4)
    matrix[:3, :3] = torch.tensor(CAMERA_FROM_WORLD)
    width, height = picture
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    camera = Cameras(matrix, intrinsics, width, height)
    columns = [[body.driven_joints.index(f"{part}.{side}") for part in PARTS] for side in "LR"]

    def seen(start: int) -> list[np.ndarray]:
        posed = body.skinned(shaped, pose[start : start + _AT_ONCE])
        return [visibility.seen(vertices, camera, DEPTH_SIDE)[columns] for vertices in posed]

    return np.stack([frame for part in side_by_side(seen, range(0, len(state), _AT_ONCE)) for frame in part])


def doubting(
    targets: Targets, in_view: Float[np.ndarray, "frames 2 parts"], landmarks: tuple[int, ...], joints: tuple[str, ...]
) -> Targets:
    """The same targets, with what is hidden counting little.

    Args:
        targets: T frames.
        in_view: see :func:`arms_in_view`.
        landmarks: ``PointBody.body_landmarks``.
        joints: the body's driven joints.
    """
    seen = ((torch.from_numpy(in_view).float() - HIDDEN) / (OPEN - HIDDEN)).clamp(0.0, 1.0)
    seen[..., 2] = torch.maximum(seen[..., 2], (targets.hand_weight > 0).float())  # it was found there
    body_weight, world_weight = targets.body_weight.clone(), targets.world_weight.clone()
    believed = torch.zeros_like(seen)
    for number, (left, parts) in enumerate(LANDMARKS.items()):
        for side in (0, 1):
            column = landmarks.index(left + side)
            sure = ((targets.arm_visibility[:, side, number] - DOUBTED) / (SURE - DOUBTED)).clamp(0, 1)
            share = torch.maximum(seen[:, side, list(parts)].amax(dim=-1), sure)
            body_weight[:, column] *= share
            world_weight[:, column] *= share.clamp(min=0.05)
            for part in parts:
                believed[:, side, part] = torch.maximum(believed[:, side, part], share)
    return replace(
        targets,
        body_weight=body_weight,
        world_weight=world_weight,
        joint_seen=targets.joint_seen * _of_joints(believed, joints),
    )


def _of_joints(believed: Float[Tensor, "frames 2 parts"], joints: tuple[str, ...]) -> Float[Tensor, "frames driven"]:
    """How far each joint is believed: an arm's joint as far as any part beyond it, for that tells where it points."""
    along = believed.flip(-1).cummax(dim=-1).values.flip(-1)
    part_of = {"upperarm01": 0, "lowerarm01": 1, "lowerarm02": 1, "wrist": 2}
    columns = []
    for joint in joints:
        name, _, side = joint.partition(".")
        part = 2 if name.startswith("finger") else part_of.get(name)
        columns.append(torch.ones(len(believed)) if part is None else along[:, "LR".index(side), part])
    return torch.stack(columns, dim=-1)


@cache
def _limbs(body_name: str) -> LimbVisibility:
    return LimbVisibility(get_body_model(body_name))
