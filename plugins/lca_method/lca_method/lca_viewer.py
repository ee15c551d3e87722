"""The viewer's controls: whose avatar, from which frames, driven by a recording or by the panel of ``lca view``."""

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from nerfstudio.viewer.viewer_elements import (
    ViewerCheckbox,
    ViewerControl,
    ViewerDropdown,
    ViewerSlider,
    ViewerText,
)
from torch import nn

from lca_method.batch import DrivingSignal, FaceViews, stacked
from lca_method.sampling import SubjectFrames, spread_references
from lca_method.showing import ShownAvatar
from lca_method.viewing.panel import Panel, PanelOffers
from lca_method.viewing.signals import PanelState, signal_of
from lca_shared.body.model import BodyModel
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

    from lca_method.crops import CropReader

FIRST = -1.0
"""Order of the folder on the page: before nerfstudio's tabs."""
PLAYED_EVERY = 0.1
"""Seconds between the pictures of a motion that plays: nerfstudio's viewer takes about as long for one."""
VISER_UNITS_PER_METRE = 10.0
"""nerfstudio.viewer.viewer.VISER_NERFSTUDIO_SCALE_RATIO; importing that module would start half of nerfstudio."""


class SharedControls(ViewerControl):
    """The panel of ``lca view``, in a folder of nerfstudio's page."""

    def __init__(self, body: BodyModel, seconds: float) -> None:
        """Args: whose joints and expressions; length of the longest recording."""
        self.state = PanelState(moving=True)
        self._body, self._seconds = body, seconds
        self.ended = threading.Event()
        """Set it to end the thread that plays."""

    def _setup(self, viewer: "Viewer") -> None:
        super()._setup(viewer)
        with self.viser_server.gui.add_folder("Avatar", order=FIRST):
            offers = PanelOffers(self._seconds, reference=True)
            self._panel = Panel(self.viser_server, self._body, offers, viewer._trigger_rerender, self.state)
        threading.Thread(target=self._play, args=[viewer], name="motion player", daemon=True).start()

    def _play(self, viewer: "Viewer") -> None:
        while not self.ended.wait(PLAYED_EVERY):
            if self.state.playing:
                self._panel.advance(PLAYED_EVERY, self._seconds)
                viewer._trigger_rerender()


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
        self.e_motion = ViewerDropdown("Motion of", OWN, [OWN, *subjects], hint="Whose recording")
        self.f_in_place = ViewerCheckbox("Stay in place", False, hint="Keep the root where it is at time 0")
        self.controls = SharedControls(body, max(self._seconds(subject) for subject in subjects))
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
        rows, state = self.references(), self.controls.state
        place = min(1.0, (time or 0.0) + state.time / max(self._seconds(self._moving_subject), 1e-6))
        return ShownAvatar(
            (self.subject, rows),
            stacked([self._reader.references(self.subject, rows)]),
            self._reader.dataset.subjects[self.subject].shape[None],
            stacked([self._driving(place, rows)]),
            self._faces(place),
            state.mode,
            state.corrected and state.shown != "canonical",
        )

    @property
    def _moving_subject(self) -> str:
        return self.subject if self.e_motion.value == OWN else self.e_motion.value

    def _seconds(self, subject: str) -> float:
        """Length of a person's recording."""
        rows = self._people[subject].targets
        times = self._reader.dataset.subjects[subject].frames["time"]
        return float(times[rows[-1]] - times[rows[0]])

    def frame(self, time: float) -> tuple[str, int]:
        """Subject and row of the recording at ``time`` (0..1)."""
        rows = self._people[self._moving_subject].targets
        return self._moving_subject, rows[round(min(max(time, 0.0), 1.0) * (len(rows) - 1))]

    def _driving(self, time: float, references: tuple[int, ...]) -> DrivingSignal:
        state = self.controls.state
        start = self._reader.driving(*_one(self.frame(0.0)))
        recorded = self._reader.driving(*_one(self.frame(time)))
        root = (start if self.f_in_place.value else recorded).pose
        if state.shown == "reference":
            recorded = self._reader.driving(self.subject, [references[0]])
        elif state.shown == "canonical" or not state.moving:
            recorded = signal_of(PanelState() if state.shown == "canonical" else state, self._body)
            root = start.pose
        pose = replace(recorded.pose, root_rotation=root.root_rotation, root_translation=root.root_translation)
        return replace(recorded, pose=pose)

    def _faces(self, time: float) -> FaceViews | None:
        """The recorded face, where recordings drive by faces."""
        state = self.controls.state
        if state.shown != "posed" or not state.moving or not self._reader.sizes.target_faces:
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
