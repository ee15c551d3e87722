"""The viewer's controls: whose avatar, from which frames, driven by a recording or by sliders."""

from typing import TYPE_CHECKING

import torch
from nerfstudio.viewer.viewer_elements import (
    ViewerCheckbox,
    ViewerControl,
    ViewerDropdown,
    ViewerElement,
    ViewerSlider,
    ViewerText,
)
from torch import nn

from lca_method.batch import DrivingSignal, FaceViews, stacked
from lca_method.pose_sliders import slider_driving, usable_sliders
from lca_method.sampling import SubjectFrames, spread_references
from lca_method.showing import ShownAvatar
from lca_shared.body.model import BodyModel, BodyPose
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from lca_method.crops import CropReader

DRIVERS = ("recording", "sliders", "rest pose")
VISER_UNITS_PER_METRE = 10.0
"""nerfstudio.viewer.viewer.VISER_NERFSTUDIO_SCALE_RATIO; importing that module would start half of nerfstudio."""


class PoseSliders(nn.Module):
    """A folder of sliders. It is a module because nerfstudio finds controls in modules alone."""

    def __init__(self, body: BodyModel) -> None:
        super().__init__()
        self._keys = {}
        for number, slider in enumerate(usable_sliders(body)):
            unit = "" if slider.expressions else " (°)"
            element = ViewerSlider(
                f"{slider.label}{unit}",
                0.0,
                slider.minimum,
                slider.maximum,
                slider.step,
                hint="Used by driver: sliders",
            )
            attribute = f"slider_{number:02d}_{slider.key}"  # nerfstudio shows attributes in alphabetical order
            self._keys[slider.key] = attribute
            setattr(self, attribute, element)

    def values(self) -> dict[str, float]:
        """Values by slider key."""
        return {key: float(getattr(self, attribute).value) for key, attribute in self._keys.items()}

    def element(self, key: str) -> ViewerElement:
        """The control of a slider."""
        return getattr(self, self._keys[key])


class AvatarPanel(nn.Module):
    """Controls of the avatar; ``shown`` says what they ask for.

    nerfstudio's own *Time* slider (and the time of a camera path's keyframes) is the place in the recording.
    """

    def __init__(
        self, reader: "CropReader", people: dict[str, SubjectFrames], body: BodyModel, references: int, first: str
    ) -> None:
        """Args: pictures; people to choose from, by id; the body model; reference frames taken unless told
        otherwise; whom to show first."""
        super().__init__()
        self._reader, self._people, self._body = reader, people, body
        subjects = list(people)
        # nerfstudio shows attributes in alphabetical order: hence the letters.
        self.a_subject = ViewerDropdown("Subject", first, subjects, hint="Whose avatar is made")
        self.b_references = ViewerSlider("References", references, 1, max(8, references), 1, hint="Reference frames")
        self.c_frames = ViewerText("Frames", "", hint="Rows to look at instead, such as: 0, 12, 30")
        self.d_driver = ViewerDropdown("Driver", DRIVERS[0], list(DRIVERS), hint="What moves the avatar")
        self.e_motion = ViewerDropdown("Motion of", OWN, [OWN, *subjects], hint="Whose recording; place: Time")
        self.f_in_place = ViewerCheckbox("Stay in place", False, hint="Keep the root where it is at time 0")
        self.pose = PoseSliders(body)
        self.start_pose = StartPose(self)

    @property
    def subject(self) -> str:
        """Whose avatar is shown."""
        return self.a_subject.value

    def references(self) -> tuple[int, ...]:
        """Rows of the subject from which its avatar is made; unusable numbers in the text field are left out."""
        frames = self._people[self.subject]
        asked = [int(part) for part in self.c_frames.value.replace(",", " ").split() if part.isdigit()]
        chosen = tuple(row for row in asked if row < len(self._reader.dataset.subjects[self.subject]))
        return chosen or spread_references(frames.references, frames.scores, int(self.b_references.value))

    def shown(self, time: float | None = None) -> ShownAvatar:
        """What the controls ask for at ``time`` (0..1) of the recording; None = its start."""
        rows = self.references()
        return ShownAvatar(
            (self.subject, rows),
            stacked([self._reader.references(self.subject, rows)]),
            self._reader.dataset.subjects[self.subject].shape[None],
            stacked([self._driving(time or 0.0)]),
            self._faces(time or 0.0),
        )

    def frame(self, time: float) -> tuple[str, int]:
        """Subject and row of the recording at ``time``."""
        subject = self.subject if self.e_motion.value == OWN else self.e_motion.value
        rows = self._people[subject].targets
        return subject, rows[round(min(max(time, 0.0), 1.0) * (len(rows) - 1))]

    def _driving(self, time: float) -> DrivingSignal:
        start = self._reader.driving(*_one(self.frame(0.0)))
        recorded = self._reader.driving(*_one(self.frame(time)))
        root = (start if self.f_in_place.value else recorded).pose
        if self.d_driver.value == "recording":
            pose = recorded.pose
            return DrivingSignal(
                BodyPose(pose.joint_rotations, root.root_rotation, root.root_translation, pose.gaze),
                recorded.expression,
                recorded.joint_confidence,
            )
        values = self.pose.values() if self.d_driver.value == "sliders" else {}
        return slider_driving(self._body, values, root.root_rotation[0], root.root_translation[0])

    def _faces(self, time: float) -> FaceViews | None:
        """The recorded face, where recordings drive by faces."""
        if self.d_driver.value != "recording" or not self._reader.sizes.target_faces:
            return None
        return stacked([self._reader.faces(*_one(self.frame(time)))])

    def start_camera(self) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
        """Where to look from and at, metres: from the recorded frame's camera's side at the body's root."""
        subject, row = self.frame(0.0)
        frames = self._reader.dataset.subjects[subject].frames
        root = frames.poses([row]).root_translation[0] + self._body.template_joints[0].cpu()
        camera = frames.cameras([row])
        eye = camera.world_centers()[0]
        if float((eye - root).norm()) < 1e-3:
            eye = root + torch.tensor([0.0, -1.0, 0.0])
        away = torch.nn.functional.normalize(eye - root, dim=0)
        return root + away * START_DISTANCE, root


OWN = "(own)"
START_DISTANCE = 2.0
"""Metres from which a grown person is in view; nearer than most cameras, whose symbols would be in the way."""


class StartPose(ViewerControl):
    """Puts each new viewer in front of the avatar: nerfstudio starts inside a scene of unit size."""

    def __init__(self, panel: AvatarPanel) -> None:
        self._panel_start = panel.start_camera

    def _setup(self, viewer: "Viewer") -> None:
        super()._setup(viewer)

        @self.viser_server.on_client_connect
        def _(client) -> None:
            eye, target = self._panel_start()
            client.camera.up_direction = (0.0, 0.0, 1.0)
            client.camera.position = tuple(float(x) * VISER_UNITS_PER_METRE for x in eye)
            client.camera.look_at = tuple(float(x) * VISER_UNITS_PER_METRE for x in target)


def _one(frame: tuple[str, int]) -> tuple[str, list[int]]:
    return frame[0], [frame[1]]
