"""From one picture to a driving signal, fast enough to be live: the processing estimators for body and face, no fit.

The trunk is turned so that shoulders and hips lie as seen; upper arms, forearms, thighs and shins point where they are
seen to point; the head turns and the face moves as the face network says. Hands and spine stay at rest.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from lca_dataparsers.processing.estimators.mediapipe_face import MediaPipeFace
from lca_dataparsers.processing.estimators.mediapipe_pose import MediaPipePose
from lca_dataparsers.processing.estimators.protocol import Face, Sighting
from lca_dataparsers.processing.fitting.expression import (
    NEUTRAL_FRAMES,
    expression_from_blendshapes,
    gaze_from_blendshapes,
    neutral_blendshapes,
)
from lca_dataparsers.processing.fitting.start import from_camera
from lca_dataparsers.processing.observations import ARKIT_NAMES
from lca_method.avatar.motion import between
from lca_method.avatar.skeleton_motion import smallest_turn
from lca_method.batch import DrivingSignal
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.body.smplx import OURS_FROM_SMPLX
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor, UInt8

LONG_SIDE = 480
"""Pixels: larger pictures are made smaller first."""
SEEN = 0.5
"""Visibility of both ends from which a bone is followed."""
SETTLING = 0.07
"""Seconds in which a movement is followed by two thirds: the detectors tremble."""
_REMEMBERED = 300
"""Faces from which the person's neutral face is read."""
_BONES = {
    "upperarm01": ("lowerarm01", 11, 13), "lowerarm01": ("wrist", 13, 15),
    "upperleg01": ("lowerleg01", 23, 25), "lowerleg01": ("foot", 25, 27),
}  # fmt: skip
"""Of the left side: joint: its child, MediaPipe's landmarks of both; those of the right are one higher."""
_NECK_SHARE = 0.3


def landmark_signal(
    body: CompactBody, points: Float[np.ndarray, "33 3"], visibility: Float[np.ndarray, "33"]
) -> DrivingSignal:
    """A body as MediaPipe's 3D landmarks show it; face neutral, root in its place.

    Args:
        body: whose joints turn.
        points: metres, camera axes (x right, y down, z away).
        visibility: 0..1.
    """
    seen = from_camera(torch.from_numpy(np.asarray(points, np.float32)))
    place = dict(zip(body.joint_names, body.template_joints.cpu()))
    trunk = _trunk(seen, float(min(visibility[23], visibility[24])))
    rotations = torch.zeros(len(body.driven_joints), 3)
    confidence = torch.ones(len(body.driven_joints))
    for side, shift in (("L", 0), ("R", 1)):
        for chain in (("upperarm01", "lowerarm01"), ("upperleg01", "lowerleg01")):
            above = trunk
            for name in chain:
                child, first, second = _BONES[name]
                joint = f"{name}.{side}"
                index = body.driven_joints.index(joint)
                if min(visibility[first + shift], visibility[second + shift]) < SEEN:
                    confidence[index] = 0.0
                    break
                own = place[f"{child}.{side}"] - place[joint]
                turned = smallest_turn(above @ own, seen[second + shift] - seen[first + shift]) @ above
                rotations[index] = matrix_to_rotation_vector(above.T @ turned)
                above = turned
    pose = BodyPose(rotations[None], matrix_to_rotation_vector(trunk)[None], torch.zeros(1, 3), torch.zeros(1, 2, 2))
    return DrivingSignal(pose, torch.zeros(1, len(body.expression_names)), confidence[None])


def with_head(signal: DrivingSignal, body: CompactBody, head: Float[Tensor, "3 3"]) -> DrivingSignal:
    """The signal with the head turned so in the world, shared between neck and head."""
    trunk = rotation_vector_to_matrix(signal.pose.root_rotation[0])
    turn = matrix_to_rotation_vector(trunk.T @ head)
    rotations = signal.pose.joint_rotations.clone()
    for name, share in (("neck01", _NECK_SHARE), ("head", 1 - _NECK_SHARE)):
        rotations[0, body.driven_joints.index(name)] = share * turn
    return replace(signal, pose=replace(signal.pose, joint_rotations=rotations))


def with_face(
    signal: DrivingSignal,
    body: CompactBody,
    coefficients: Mapping[str, float],
    neutral: Float[np.ndarray, "52"] | None = None,
) -> DrivingSignal:
    """The signal with a face's ARKit coefficients; those of looks become gaze.

    Args:
        signal: of one frame.
        body: names of expressions.
        coefficients: 0..1 by name; absent ones are 0.
        neutral: what the person's neutral face reads as, in ARKit's order.
    """
    values = np.array([[coefficients.get(name, 0.0) for name in ARKIT_NAMES]], np.float32)
    there = np.ones(1, bool)
    neutral = np.zeros(len(ARKIT_NAMES), np.float32) if neutral is None else neutral
    raised = dict(zip(ARKIT_NAMES, expression_from_blendshapes(values, there, neutral)[0].tolist()))
    expression = torch.tensor([[raised.get(name, 0.0) for name in body.expression_names]])
    gaze = gaze_from_blendshapes(values, there)
    return replace(signal, pose=replace(signal.pose, gaze=gaze), expression=expression)


class LivePerson:
    """Turns pictures into signals, smoothed over time.

    Args:
        body: whose joints turn.
        model_dir: looked through first for the detectors' weights.

    Raises:
        MissingWeightsError: they are neither on disk nor fetchable.
    """

    def __init__(self, body: CompactBody, model_dir: Path | None = None) -> None:
        self._body = body
        self._poses, self._faces = MediaPipePose(model_dir), MediaPipeFace(model_dir)
        self._remembered: list[np.ndarray] = []
        self._neutral = np.zeros(len(ARKIT_NAMES), np.float32)
        self._last: tuple[DrivingSignal, float] | None = None

    def close(self) -> None:
        """Free the networks."""
        self._poses.close()
        self._faces.close()

    def signal(self, picture: UInt8[np.ndarray, "h w 3"], when: float | None = None) -> DrivingSignal | None:
        """What the largest person does, ``[1, ...]``; None if nobody is seen.

        Args:
            picture: sRGB.
            when: seconds on any clock; that of the machine if not given.
        """
        when = time.monotonic() if when is None else when
        factor = min(1.0, LONG_SIDE / max(picture.shape[:2]))
        if factor < 1:
            picture = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        people = self._poses.people(picture)
        if not people:
            return None
        person: Sighting = people[0]
        found = landmark_signal(self._body, person.points_world, person.visibility)
        face = self._faces.face(picture, person)
        if face is not None and face.blendshapes is not None:
            found = self._faced(found, face)
        elif self._last is not None:
            before = self._last[0]
            found = replace(found, expression=before.expression, pose=replace(found.pose, gaze=before.pose.gaze))
        if self._last is not None:
            found = _towards(self._last[0], found, when - self._last[1])
        self._last = (found, when)
        return found

    def _faced(self, signal: DrivingSignal, face: Face) -> DrivingSignal:
        assert face.blendshapes is not None
        self._remembered = [*self._remembered, face.blendshapes][-_REMEMBERED:]
        if len(self._remembered) >= NEUTRAL_FRAMES and len(self._remembered) % 10 == 0:
            faces = np.stack(self._remembered)
            self._neutral = neutral_blendshapes(faces, np.ones(len(faces), bool))
        if face.head_from_canonical is not None:
            turned = torch.from_numpy(face.head_from_canonical[:3, :3]).float()
            turned = turned / torch.linalg.vector_norm(turned, dim=0)
            signal = with_head(signal, self._body, OURS_FROM_SMPLX @ turned @ OURS_FROM_SMPLX.T)
        return with_face(signal, self._body, dict(zip(ARKIT_NAMES, face.blendshapes.tolist())), self._neutral)


def _trunk(seen: Float[Tensor, "33 3"], hips: float) -> Float[Tensor, "3 3"]:
    """Where the trunk faces: shoulders along X and, as far as the hips are seen, the spine along Z."""
    left = torch.nn.functional.normalize(seen[11] - seen[12], dim=0)
    up = torch.tensor([0.0, 0.0, 1.0])
    if hips >= SEEN:
        up = torch.nn.functional.normalize(seen[[11, 12]].mean(0) - seen[[23, 24]].mean(0), dim=0)
    back = torch.nn.functional.normalize(torch.linalg.cross(up, left), dim=0)
    return torch.stack([left, back, torch.linalg.cross(left, back)], dim=1)


def _towards(before: DrivingSignal, now: DrivingSignal, seconds: float) -> DrivingSignal:
    """Part of the way from one signal to the next."""
    share = torch.tensor([1 - math.exp(-max(seconds, 0.0) / SETTLING)])
    pose = replace(
        now.pose,
        joint_rotations=between(before.pose.joint_rotations, now.pose.joint_rotations, share),
        root_rotation=between(before.pose.root_rotation, now.pose.root_rotation, share),
        gaze=torch.lerp(before.pose.gaze, now.pose.gaze, share.reshape(1, 1, 1)),
    )
    return replace(now, pose=pose, expression=torch.lerp(before.expression, now.expression, share))
