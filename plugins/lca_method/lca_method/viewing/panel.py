"""The controls of ``lca view`` and of nerfstudio's viewer: one panel for both."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lca_method.pose_sliders import usable_sliders
from lca_method.viewing.modes import MODES
from lca_method.viewing.presets import FACES, HANDS, POSES, joint_groups
from lca_method.viewing.signals import PanelState
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel

if TYPE_CHECKING:
    import viser

GAZE_LIMIT = 35.0
"""Degrees."""


@dataclass(frozen=True)
class PanelOffers:
    """What a viewer has, beside poses and faces."""

    seconds: float = 0.0
    """Length of the motion that can be played; 0 = there is none."""
    moved: bool = True
    """Whether the motion moves the avatar to begin with."""
    reference: bool = False
    """Whether the pose of a reference picture is known."""
    live: tuple[str, ...] = ()
    """What may drive the avatar live, such as ``webcam``."""
    relightable: bool = False
    """Whether there are lights to set."""
    skinning: bool = False
    """Whether skinning weights and nodes can be shown."""


class Panel:
    """Builds the controls where the page's next controls go, keeps :attr:`state` what they show, and calls ``changed``
    after every change.

    Args:
        server: of the page.
        body: the avatar's.
        offers: what else there is to choose.
        changed: called from viser's threads.
        state: filled in; a new one if not given.
    """

    def __init__(
        self,
        server: "viser.ViserServer",
        body: CompactBody | BodyModel,
        offers: PanelOffers,
        changed: Callable[[], None],
        state: PanelState | None = None,
    ) -> None:
        self.state = PanelState() if state is None else state
        self._gui, self._body, self._changed = server.gui, body, changed
        self._pose: dict[str, Any] = {}
        self._joints: dict[str, Any] = {}
        self._faces: dict[str, Any] = {}
        gui = server.gui
        self._set(gui.add_dropdown("Show", MODES, initial_value="rgb"), "mode")
        poses = ("posed", "canonical", "reference") if offers.reference else ("posed", "canonical")
        hint = "As asked below, at rest, or as photographed"
        self._set(gui.add_dropdown("Pose", poses, initial_value="posed", hint=hint), "shown")
        self._set(
            gui.add_checkbox("Pose-dependent", True, hint="With what the network adds for this pose"), "corrected"
        )
        if offers.skinning:
            hint = "A colour for each joint; dots are the nodes of a loose garment, white where they have learned"
            self._set(gui.add_checkbox("Skinning weights", False, hint=hint), "skinning")
        tabs = gui.add_tab_group()
        with tabs.add_tab("Pose"):
            self._pose_controls()
        with tabs.add_tab("Face"):
            self._face_controls()
        with tabs.add_tab("Motion"):
            self._motion_controls(offers)
        if offers.live:
            with tabs.add_tab("Live"):
                self._live_controls(offers.live)
        if offers.relightable:
            with tabs.add_tab("Light"):
                from lca_method.viewing.light_panel import LightPanel

                self.light = LightPanel(server, self.state.light, changed)

    def _pose_controls(self) -> None:
        gui = self._gui
        presets = gui.add_dropdown("Preset", tuple(POSES), initial_value="rest")

        @presets.on_update
        def _(_: Any) -> None:
            wanted = POSES[presets.value]
            for key, slider in self._pose.items():
                slider.value = wanted.get(key, 0.0)

        for side, name in (("L", "Left hand"), ("R", "Right hand")):
            hand = gui.add_dropdown(name, tuple(HANDS), initial_value="open")
            self._keep(hand, lambda value, side=side: self.state.curl.__setitem__(side, HANDS[value]))
        with gui.add_folder("Sliders"):
            for slider in usable_sliders(self._body):
                if not slider.expressions and not any(slider.gaze):
                    handle = gui.add_slider(f"{slider.label} (°)", slider.minimum, slider.maximum, 1.0, 0.0)
                    self._pose[slider.key] = handle
                    self._keep(handle, lambda value, key=slider.key: self.state.sliders.__setitem__(key, value))
        for group, joints in joint_groups(self._body.driven_joints).items():
            with gui.add_folder(f"{group} (°)", expand_by_default=False):
                for joint in joints:
                    vector = gui.add_vector3(joint, (0.0, 0.0, 0.0), step=1.0, hint="Rotation vector, degrees")
                    self._joints[joint] = vector
                    self._keep(vector, lambda value, joint=joint: self.state.joints.__setitem__(joint, tuple(value)))
        reset = gui.add_button("All at rest")

        @reset.on_click
        def _(_: Any) -> None:
            presets.value = "rest"
            for slider in self._pose.values():
                slider.value = 0.0
            for vector in self._joints.values():
                vector.value = (0.0, 0.0, 0.0)

    def _face_controls(self) -> None:
        gui, names = self._gui, self._body.expression_names
        faces = gui.add_dropdown("Face", tuple(FACES), initial_value="neutral")

        @faces.on_update
        def _(_: Any) -> None:
            wanted = FACES[faces.value]
            for name, slider in self._faces.items():
                slider.value = wanted.get(name, 0.0)

        self.gaze = gui.add_vector2(
            "Gaze (°)",
            (0.0, 0.0),
            min=(-GAZE_LIMIT, -GAZE_LIMIT),
            max=(GAZE_LIMIT, GAZE_LIMIT),
            step=1.0,
            hint="To the person's left, up",
        )
        self._keep(self.gaze, lambda value: setattr(self.state, "gaze", tuple(value)))
        search = gui.add_text("Search", "", hint="Part of a name, such as brow or smile")
        for name in names:
            handle = gui.add_slider(name, 0.0, 1.0, 0.05, 0.0)
            self._faces[name] = handle
            self._keep(handle, lambda value, name=name: self.state.expression.__setitem__(name, value))

        @search.on_update
        def _(_: Any) -> None:
            for name, handle in self._faces.items():
                handle.visible = search.value.strip().lower() in name.lower()

    def _motion_controls(self, offers: PanelOffers) -> None:
        gui, there = self._gui, offers.seconds > 0
        if not there:
            gui.add_markdown("Start with `--motion MOTION` to play a recorded motion.")
        self.state.moving = there and offers.moved
        self._set(gui.add_checkbox("Play", False, visible=there), "playing")
        self._time = gui.add_slider("Time (s)", 0.0, max(offers.seconds, 0.01), 0.01, 0.0, visible=there)
        self._set(self._time, "time")
        self._set(gui.add_slider("Speed", 0.1, 2.0, 0.1, 1.0, visible=there), "speed")
        hint = "Otherwise by pose and face"
        moving = gui.add_checkbox("Moved by the motion", self.state.moving, visible=there, hint=hint)
        self._set(moving, "moving")

    def _live_controls(self, sources: tuple[str, ...]) -> None:
        for source in sources:
            self.state.live[source] = True
            handle = self._gui.add_checkbox(f"Moved by the {source}", True)
            self._keep(handle, lambda value, source=source: self.state.live.__setitem__(source, value))
        self.live_status = self._gui.add_markdown("Nothing has come yet.")

    def advance(self, seconds: float, duration: float) -> None:
        """Move a motion that plays on by so much of the machine's time; from its end it begins again."""
        place = (self.state.time + seconds * self.state.speed) % max(duration, 0.01)
        self._time.value = self.state.time = round(place, 3)

    def _set(self, handle: Any, name: str) -> None:
        self._keep(handle, lambda value: setattr(self.state, name, value))

    def _keep(self, handle: Any, keep: Callable[[Any], None]) -> None:
        def updated(_: Any) -> None:
            keep(handle.value)
            self._changed()

        handle.on_update(updated)
