"""A small dataset whose pictures do show the bodies that its rows describe, drawn in half a second."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lca_dataparsers.dataset.schema import DatasetInfo, FrameRecord, SubjectInfo
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_shared.body import get_body_model
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project

WIDTH, HEIGHT = 96, 128


def write_people(root: Path, splits: dict[str, str], frames: int = 6, cameras: int = 1) -> Path:
    """A dataset of people drawn as coloured dots at the body's vertices, by id and split; a studio if there are several
    cameras, on an arc around the front."""
    body = get_body_model("anny")
    info = DatasetInfo(
        kind="wild" if cameras == 1 else "studio",
        body_model=body.name,
        driven_joints=body.driven_joints,
        shape_names=body.shape_names,
        expression_names=body.expression_names,
        source="tests",
        licence="CC0-1.0",
    )
    writer = DatasetWriter(root, info, image_format="png")
    arms = [body.driven_joints.index(name) for name in ("upperarm01.L", "upperarm01.R")]
    views = [view(0.5 * (index - (cameras - 1) / 2)) for index in range(cameras)]
    for number, (subject, split) in enumerate(splits.items()):
        generator = torch.Generator().manual_seed(number)
        shape = 0.5 * torch.randn(len(body.shape_names), generator=generator)
        palette = torch.rand(3, 3, generator=generator)
        shaped = body.shaped(shape[None])
        records = []
        for frame in range(frames):
            rest = BodyPose.rest(len(body.driven_joints), (1,))
            joints = rest.joint_rotations.clone()
            joints[0, arms, 1] = torch.tensor([-0.15 * frame, 0.1 * frame])
            turned = torch.tensor([[0.0, 0.0, 0.3 * frame - 0.8]])
            pose = BodyPose(joints, turned, rest.root_translation, rest.gaze)
            vertices = body.skinned(shaped, pose)[0]
            head = vertices[body.regions["head"]]
            for name, camera in enumerate(views):
                image, mask = draw_dots(camera, vertices, palette[vertex_parts(body.template_vertices)])
                row = record(camera, pose, mask, head, frame, len(body.expression_names))
                records.append((replace(row, camera=str(name)), image, mask))
        person = SubjectInfo(subject, tuple(float(x) for x in shape), split, "tests", "CC0-1.0", {})
        writer.write_subject(person, records)
    return root


def view(angle: float) -> Cameras:
    """A camera 3.2 m away, ``angle`` radians from the front."""
    place = torch.tensor([3.2 * math.sin(angle), -3.2 * math.cos(angle), 0.3])
    return Cameras(look_at(place, torch.zeros(3)), pinhole_intrinsics(150.0, WIDTH, HEIGHT), WIDTH, HEIGHT)


def vertex_parts(vertices: torch.Tensor) -> torch.Tensor:
    """Three parts by height: legs, torso, head."""
    return (vertices[:, 2] > -0.1).long() + (vertices[:, 2] > 0.6).long()


def draw_dots(camera: Cameras, points: torch.Tensor, colors: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask of dots of two by two pixels, far ones first."""
    pixels, depth = project(camera, points)
    image, mask = np.full((HEIGHT, WIDTH, 3), 90, np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    order = depth.argsort(descending=True)
    column, row = pixels[order].floor().long().unbind(-1)
    values = (colors[order] * 255).byte().numpy()
    for down in (0, 1):
        for right in (0, 1):
            r, c = (row + down).clamp(0, HEIGHT - 1).numpy(), (column + right).clamp(0, WIDTH - 1).numpy()
            image[r, c], mask[r, c] = values, 255
    return image, mask


def record(
    camera: Cameras, pose: BodyPose, mask: np.ndarray, head: torch.Tensor, frame: int, expressions: int
) -> FrameRecord:
    """A row of exact truth."""
    rows, columns = np.nonzero(mask)
    center, half = project(camera, head)[0].mean(0).numpy(), 10.0
    joints = pose.joint_rotations.shape[-2]
    return FrameRecord(
        frame=frame,
        camera="0",
        time=frame / 10,
        image="",
        mask="",
        width=WIDTH,
        height=HEIGHT,
        intrinsics=camera.intrinsics.numpy(),
        camera_from_world=camera.camera_from_world.numpy(),
        distortion=np.zeros(4, np.float32),
        joint_rotations=pose.joint_rotations[0].numpy(),
        root_rotation=pose.root_rotation[0].numpy(),
        root_translation=pose.root_translation[0].numpy(),
        gaze=pose.gaze[0].numpy(),
        expression=np.zeros(expressions, np.float32),
        person_box=np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32),
        face_box=np.concatenate([center - half, center + half]).astype(np.float32),
        joint_confidence=np.ones(joints, np.float32),
        confidence_body=1.0,
        confidence_face=1.0,
        confidence_gaze=1.0,
        confidence_left_hand=1.0,
        confidence_right_hand=1.0,
        fit_quality=1.0,
        light_pattern=-1,
    )
