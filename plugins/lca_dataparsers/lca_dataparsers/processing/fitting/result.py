"""What a fit gives back."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from lca_dataparsers.processing.fitting.state import CAMERA_FROM_WORLD, FitState
from lca_shared.body import BodyPose
from lca_shared.cameras import Cameras
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

NO_PERSON = "no person"


@dataclass(frozen=True)
class FitQuality:
    """How well the body explains each frame; NaN where there is nothing to measure."""

    body_residuals: Float[np.ndarray, "frames landmarks"]
    """Distance of visible body points (shoulders and below) in the picture, % of the person's height."""
    face_residuals: Float[np.ndarray, "frames points"]
    """Distance of face points in the picture, % of the face's size."""
    silhouette_iou: Float[np.ndarray, "frames"]
    """Overlap of body and mask: intersection over union, 0..1."""
    inside: Float[np.ndarray, "frames"]
    """Share of the body's pixels that lie in the mask, 0..1."""
    acceleration: Float[np.ndarray, "frames"]
    """Mean over the joints of the body of the acceleration relative to the root, mm/frame^2."""
    root_acceleration: Float[np.ndarray, "frames"]
    """The same of the root itself."""
    total_acceleration: Float[np.ndarray, "frames"]
    """The same of the joints in the world."""
    foot_slide: Float[np.ndarray, "frames"]
    """How far heels and toes of feet that look still moved since the frame before, mm."""
    limit_excess: Float[np.ndarray, "frames"]
    """The largest angle beyond a joint's limits, radians."""


@dataclass(frozen=True)
class ClipFit:
    """One person, a pose per frame, and a camera that stands or turns about its centre.

    World: Z up as standing people tell (``upright.py``; where nobody stands, the first frame's camera is taken to be
    level), metres. Its origin is where the body model's own origin (near the navel) stands in the middle of the clip,
    so that ``root_translation`` is near zero and a person at rest who faces the camera has no rotation at all. The
    camera stands at -Y; in the first frame it looks along +Y and down or up, not sideways.
    """

    shape: Float[Tensor, "coefficients"]
    pose: BodyPose
    """[T]; frames without a person repeat the nearest one."""
    expression: Float[Tensor, "frames 52"]
    """Zero where the face was not seen."""
    cameras: Cameras
    """[T], all at one place, of one focal length."""
    joint_confidence: Float[Tensor, "frames driven"]
    """0 = the joint was not seen, its rotation is the prior's; 1 = seen."""
    face_confidence: Float[Tensor, "frames"]
    gaze_confidence: Float[Tensor, "frames"]
    hand_confidence: Float[Tensor, "frames 2"]
    """Left, right."""
    quality: FitQuality
    usable: np.ndarray
    """[T] bool: good enough to learn from."""
    reasons: tuple[str, ...]
    """Why a frame is not usable; empty where it is."""


def in_first_camera(
    state: FitState, root_at_rest: Float[Tensor, "3"], camera_from_first: Float[Tensor, "frames 3 3"]
) -> FitState:
    """Poses as the first frame's camera has them in front of it, from poses that each frame's camera has.

    Args:
        state: poses in the axes of each frame's camera (the fit's world).
        root_at_rest: the root joint's rest position, metres.
        camera_from_first: how each frame's camera is turned, in the axes of a camera.
    """
    axes = state.translation.new_tensor(CAMERA_FROM_WORLD)
    return turned(state, root_at_rest, axes.mT @ camera_from_first.to(axes).mT @ axes)


def turned(state: FitState, root_at_rest: Float[Tensor, "3"], rotation: Float[Tensor, "*#frames 3 3"]) -> FitState:
    """The same people in other axes about the world's origin.

    Args:
        state: [frames].
        root_at_rest: the root joint's rest position, metres.
        rotation: new axes from old ones, one or one a frame.
    """
    root = root_at_rest + state.translation
    return replace(
        state,
        root_start=rotation @ state.root,
        root_delta=torch.zeros_like(state.root_delta),
        translation=(rotation @ root[..., None])[..., 0] - root_at_rest,
    )


def world_camera(
    state: FitState, root_at_rest: Float[Tensor, "3"], pitch: float, focal: float, image_size: tuple[int, int]
) -> tuple[FitState, Float[Tensor, "4 4"], Float[Tensor, "3 3"]]:
    """Move the world's origin from the camera to the person, and turn its Z up.

    Args:
        state: [frames], in the axes of the first frame's camera.
        root_at_rest: the root joint's rest position, metres.
        pitch: how far that camera looks down, radians.
        focal: pixels, before ``state.log_focal``.
        image_size: width, height.

    Returns:
        The state in that world, the first frame's ``camera_from_world``, and intrinsics.
    """
    level = rotation_vector_to_matrix(state.translation.new_tensor([-pitch, 0.0, 0.0]))
    state = turned(state, root_at_rest, level) if pitch else state
    middle = state.translation.median(dim=0).values
    rotation = state.translation.new_tensor(CAMERA_FROM_WORLD) @ level.mT
    camera = torch.eye(4).to(rotation)
    camera[:3, :3], camera[:3, 3] = rotation, rotation @ middle
    width, height = image_size
    pixels = focal * float(state.log_focal.exp())
    intrinsics = rotation.new_tensor([[pixels, 0, width / 2], [0, pixels, height / 2], [0, 0, 1]])
    return FitState(**{**vars(state), "translation": state.translation - middle}), camera, intrinsics


def body_pose(state: FitState, gaze: Float[Tensor, "frames 2 2"]) -> BodyPose:
    """The state as the body model's pose."""
    return BodyPose(
        joint_rotations=state.rotations,
        root_rotation=matrix_to_rotation_vector(state.root),
        root_translation=state.translation,
        gaze=gaze,
    )
