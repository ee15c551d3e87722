"""Observations made from the body model itself, so that the truth is known."""

import numpy as np
import torch

from lca_dataparsers.mesh_raster import covered_pixels
from lca_dataparsers.processing.correspondences import load_correspondences
from lca_dataparsers.processing.fitting.point_body import get_point_body
from lca_dataparsers.processing.observations import ARKIT_NAMES, ClipObservations, empty_observations
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, pinhole_intrinsics, project, transform_points


def level_camera(frames: int, distance: float, focal: float, size: tuple[int, int], height: float = 0.0) -> Cameras:
    """A camera at -Y, ``distance`` metres from the origin and ``height`` above it, that looks along +Y."""
    matrix = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, height], [0, 1, 0, distance], [0, 0, 0, 1]])
    intrinsics = pinhole_intrinsics(focal, *size)
    return Cameras(matrix.expand(frames, 4, 4), intrinsics.expand(frames, 3, 3), *size)


def moving_pose(frames: int, seed: int = 0) -> BodyPose:
    """A person who waves, bends a knee and turns a little: smooth, within people's limits."""
    body = get_body_model("anny")
    time = torch.linspace(0.0, 1.0, frames)
    rotations = torch.zeros(frames, len(body.driven_joints), 3)

    def put(joint: str, axis: tuple[float, float, float], angle: torch.Tensor) -> None:
        rotations[:, body.driven_joints.index(joint)] += torch.tensor(axis) * angle[:, None]

    put("upperarm01.L", (0.0, -1.0, 0.0), 0.4 + 0.8 * time)
    put("upperarm01.R", (0.0, 1.0, 0.0), -0.4 + 0.2 * time)
    put("lowerarm01.L", (-0.73, -0.05, -0.68), 0.6 * torch.sin(3.0 * time))
    put("upperleg01.R", (1.0, 0.0, 0.0), -0.5 * time)
    put("lowerleg01.R", (1.0, 0.0, 0.0), 0.7 * time)
    put("head", (0.0, 0.0, 1.0), 0.3 * torch.sin(4.0 * time))
    root = torch.stack([0.05 * time, 0.0 * time, 0.4 * time - 0.2], dim=-1)
    translation = torch.stack([0.2 * time - 0.1, 0.1 * time, 0.0 * time], dim=-1)
    return BodyPose(rotations, root, translation, torch.zeros(frames, 2, 2))


def made_observations(
    shape: torch.Tensor, pose: BodyPose, cameras: Cameras, expression: torch.Tensor | None = None, rate: float = 15.0
) -> ClipObservations:
    """What perfect detectors would see."""
    body, points = get_body_model("anny"), get_point_body("anny")
    frames, size = len(pose.root_rotation), (cameras.width, cameras.height)
    if expression is None:
        expression = torch.zeros(frames, len(body.expression_names))
    seen = empty_observations(np.arange(frames) / rate, size)
    shaped = body.shaped(shape, expression)
    vertices = body.skinned(shaped, pose)
    transforms = body.active_transforms(shaped.joints, pose)
    rest, _ = points.of_shape(shape)
    groups = points.posed(rest, transforms, points.face_displacements(expression))
    pixels = {name: project(cameras, group)[0].numpy() for name, group in groups.items()}
    world = transform_points(cameras.camera_from_world, groups["body"]).numpy()
    landmarks = list(points.body_landmarks)
    # Landmarks that are not fitted lie at the nose.
    seen.body_points[:] = pixels["body"][:, :1]
    seen.body_points[:, landmarks] = pixels["body"]
    seen.body_points_world[:] = world[:, :1]
    seen.body_points_world[:, landmarks] = world
    hips = seen.body_points_world[:, 23:25].mean(axis=1, keepdims=True)
    seen.body_points_world[:] -= hips
    seen.body_visibility[:] = 1.0
    face = load_correspondences().face
    corners = torch.tensor([p.vertices for p in face])
    on_face = torch.einsum("pc,tpcd->tpd", torch.tensor([p.barycentric for p in face]), vertices[:, corners])
    face_pixels = project(cameras, on_face)[0].numpy()
    seen.face_points[:] = face_pixels.mean(axis=1, keepdims=True)
    seen.face_points[:, [p.landmark for p in face]] = face_pixels
    seen.blendshapes[:] = expression.numpy()
    assert tuple(body.expression_names) == ARKIT_NAMES
    for side, name in enumerate(("left_hand", "right_hand")):
        seen.hand_points[:, side] = pixels[name]
    seen.hand_scores[:] = 0.9
    height, width = seen.masks.shape[1:]
    for frame in range(frames):
        covered = covered_pixels(
            project(cameras[frame], vertices[frame])[0] * seen.mask_scale, body.faces, height, width
        )
        seen.masks[frame] = 255 * covered.numpy().astype(np.uint8)
    seen.person_boxes[:] = [0, 0, *size]
    return seen
