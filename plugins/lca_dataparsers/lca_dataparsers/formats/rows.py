"""Rows of the dataset from views of a capture and the person's body."""

from dataclasses import dataclass

import numpy as np
import torch

from lca_dataparsers.dataset.schema import FrameRecord
from lca_dataparsers.formats.bodies import CaptureBody
from lca_dataparsers.formats.capture import CaptureCamera, CaptureView
from lca_dataparsers.limb_visibility import LimbVisibility
from lca_dataparsers.mesh_raster import covered_pixels
from lca_dataparsers.processing.records import head_of
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Bool, Float, UInt8

MEASURED_SIDE = 384
"""Long side at which body and mask are compared, pixels."""
HEAD_ROOM = 0.6
WRISTS = {"anny": ("wrist.L", "wrist.R"), "smplx": ("left_wrist", "right_wrist"), "mhr": ("l_wrist", "r_wrist")}
"""Joints that move the palms, by body model."""
HEADS = {"anny": "head", "smplx": "head", "mhr": "c_head"}
"""Joint that moves the head, by body model."""
HAND_SEEN = 0.3
"""Share of the palm and wrist that a picture has to show to tell anything of a hand."""
FACING = 0.25
"""Cosine between where the head looks and where the camera is, from which the face counts as seen."""


@dataclass(frozen=True)
class MeasuredView:
    """How well the body lies on a mask."""

    iou: float
    """Intersection over union of body and mask; NaN without a body or a mask."""
    inside: float
    """Share of the body's pixels in the mask."""


def is_finger(joint: str) -> bool:
    """Whether a driven joint is a finger's, by its name in any of the body models."""
    return any(part in joint for part in ("finger", "index", "middle", "pinky", "ring", "thumb"))


class RowMaker:
    """Turns views into rows; keeps each moment's posed body for its cameras.

    Args:
        body: of the person.
        first: number of the first moment.
        rate: moments a second.
    """

    def __init__(self, body: CaptureBody, first: int, rate: float) -> None:
        self.body, self.first, self.rate = body, first, rate
        self.model = get_body_model(body.model)
        self._head = head_of(self.model)
        self._limbs = LimbVisibility(self.model)
        self._hand_joints = [self.model.driven_joints.index(name) for name in WRISTS[body.model]]
        self._at = -1
        self._vertices = self._head_vertices = torch.zeros(0, 3)
        self._looks = np.zeros(3)

    def row(
        self, view: CaptureView, camera: CaptureCamera, mask: UInt8[np.ndarray, "h w"]
    ) -> tuple[FrameRecord, MeasuredView]:
        """The row of a view (what the writer sets itself is left empty), and how well the body lies on its mask."""
        moment = self.body.frames.index(view.frame)
        self._pose(moment)
        lens = Cameras(
            torch.from_numpy(camera.camera_from_world).float(),
            torch.from_numpy(camera.intrinsics).float(),
            camera.width,
            camera.height,
        )
        measured = self._measured(lens, mask)
        face_box, faces = self._face(lens, camera)
        body, pose = self.body, self.body.pose[moment]
        face = float(body.face_confidence[moment]) if faces else 0.0
        seen = body.joint_confidence[moment]
        visible = self._limbs.seen(self._vertices, lens, MEASURED_SIDE) if body.fitted else None
        hands = body.hand_confidence[moment].numpy()
        if visible is not None:
            hands = hands * (visible[self._hand_joints] > HAND_SEEN)
        fingers = torch.tensor([is_finger(name) for name in self.model.driven_joints])
        record = FrameRecord(
            frame=view.frame,
            camera=view.camera,
            time=(view.frame - self.first) / self.rate,
            image="",
            mask="",
            width=camera.width,
            height=camera.height,
            intrinsics=camera.intrinsics,
            camera_from_world=camera.camera_from_world,
            distortion=np.zeros(4),
            joint_rotations=pose.joint_rotations.numpy(),
            root_rotation=pose.root_rotation.numpy(),
            root_translation=pose.root_translation.numpy(),
            gaze=pose.gaze.numpy(),
            expression=body.expression[moment].numpy(),
            person_box=self._person_box(lens, mask),
            face_box=face_box if face > 0 else np.full(4, np.nan),
            joint_confidence=seen.numpy(),
            confidence_body=float(seen[~fingers].mean()),
            confidence_face=face,
            confidence_gaze=face,
            confidence_left_hand=float(hands[0]),
            confidence_right_hand=float(hands[1]),
            fit_quality=float(np.nan_to_num(measured.inside)) * float(seen[~fingers].mean()) if body.fitted else 0.0,
            light_pattern=view.light_pattern,
            joint_visible=visible,
        )
        return record, measured

    def vertices(self, frame: int) -> Float[torch.Tensor, "vertices 3"]:
        """The posed body at a moment, metres, world."""
        self._pose(self.body.frames.index(frame))
        return self._vertices

    def _pose(self, moment: int) -> None:
        if moment == self._at:
            return
        body, pose = self.body, self.body.pose[moment]
        shaped = self.model.shaped(body.shape, body.expression[moment])
        self._vertices = self.model.skinned(shaped, pose)
        self._head_vertices = self._head.skinned(self._head.shaped(body.shape, body.expression[moment]), pose)
        head = self.model.joint_names.index(HEADS[body.model])
        turned = self.model.posed(shaped.joints, pose).posed_from_rest[head, :3, :3]
        self._looks = -turned[:, 1].numpy()
        self._at = moment

    def _measured(self, lens: Cameras, mask: UInt8[np.ndarray, "h w"]) -> MeasuredView:
        if not self.body.fitted or not (mask > 127).any():
            return MeasuredView(float("nan"), float("nan"))
        ours, theirs = self._coverage(lens, mask)
        both = (ours & theirs).sum()
        return MeasuredView(float(both / max(1, (ours | theirs).sum())), float(both / max(1, ours.sum())))

    def _coverage(
        self, lens: Cameras, mask: UInt8[np.ndarray, "h w"]
    ) -> tuple[Bool[np.ndarray, "mh mw"], Bool[np.ndarray, "mh mw"]]:
        import cv2

        factor = min(1.0, MEASURED_SIDE / max(lens.width, lens.height))
        width, height = max(1, round(lens.width * factor)), max(1, round(lens.height * factor))
        pixels, depth = project(lens.resized(width, height), self._vertices)
        pixels = torch.where(depth[:, None] > 0.05, pixels, torch.nan)
        ours = covered_pixels(pixels, self.model.faces, height, width).numpy()
        return ours, cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) > 127

    def _face(self, lens: Cameras, camera: CaptureCamera) -> tuple[Float[np.ndarray, "4"], bool]:
        """A square around the head, and whether its face can be seen from here."""
        pixels, depth = project(lens, self._head_vertices)
        low, high = pixels.amin(dim=0), pixels.amax(dim=0)
        middle, half = (low + high) / 2, (high - low).max() * HEAD_ROOM
        box = torch.cat([middle - half, middle + half]).double().numpy()
        toward = camera.centre() - self._head_vertices.mean(dim=0).numpy()
        facing = float(toward @ self._looks) / max(float(np.linalg.norm(toward)), 1e-6) > FACING
        inside = bool((depth > 0.05).all()) and 0 < middle[0] < camera.width and 0 < middle[1] < camera.height
        return box, bool(facing and inside and self.body.fitted)

    def _person_box(self, lens: Cameras, mask: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "4"]:
        rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
        if len(rows) and len(columns):
            return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], float)
        return np.array([0.0, 0.0, lens.width, lens.height])
