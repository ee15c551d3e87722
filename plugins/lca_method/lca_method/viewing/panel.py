"""The controls of ``lca view``."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lca_method.pose_sliders import usable_sliders
from lca_method.viewing.modes import MODES
from lca_method.viewing.presets import FACES, HANDS, POSES, joint_groups
from lca_method.viewing.signals import PanelState
from lca_shared.body.compact_body import CompactBody

if TYPE_CHECKING:
    import viser

GAZE_LIMIT = 35.0
"""Degrees."""


class Panel:
    """Builds the controls, keeps :attr:`state` what they show, and calls ``changed`` after every change.

    Args:
        server: of the page.
        body: the avatar's.
        seconds: length of the motion that can be played; 0 = there is none.
        changed: called from viser's threads.
    """

    def __init__(
        self, server: "viser.ViserServer", body: CompactBody, seconds: float, changed: Callable[[], None]
    ) -> None:
        self.state = PanelState()
        self._gui, self._body, self._changed = server.gui, body, changed
        self._pose: dict[str, Any] = {}
        self._joints: dict[str, Any] = {}
        self._faces: dict[str, Any] = {}
        gui = server.gui
        self.mode = self._told(gui.add_dropdown("Show", MODES, initial_value="rgb"))
        self.corrected = self._told(
            gui.add_checkbox("Pose-dependent", True, hint="With what the network adds for this pose")
        )
        tabs = gui.add_tab_group()
        with tabs.add_tab("Pose"):
            self._pose_controls()
        with tabs.add_tab("Face"):
            self._face_controls()
        with tabs.add_tab("Motion"):
            self._motion_controls(seconds)

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

        gaze = gui.add_vector2(
            "Gaze (°)",
            (0.0, 0.0),
            min=(-GAZE_LIMIT, -GAZE_LIMIT),
            max=(GAZE_LIMIT, GAZE_LIMIT),
            step=1.0,
            hint="To the person's left, up",
        )
        self._keep(gaze, lambda value: setattr(self.state, "gaze", tuple(value)))
        search = gui.add_text("Search", "", hint="Part of a name, such as brow or smile")
        for name in names:
            handle = gui.add_slider(name, 0.0, 1.0, 0.05, 0.0)
            self._faces[name] = handle
            self._keep(handle, lambda value, name=name: self.state.expression.__setitem__(name, value))

        @search.on_update
        def _(_: Any) -> None:
            for name, handle in self._faces.items():
                handle.visible = search.value.strip().lower() in name.lower()

    def _motion_controls(self, seconds: float) -> None:
        gui = self._gui
        there = seconds > 0
        if not there:
            gui.add_markdown("Start with `--motion DATASET` to play a recorded motion.")
        self.play = gui.add_checkbox("Play", False, visible=there)
        self.time = gui.add_slider("Time (s)", 0.0, max(seconds, 0.01), 0.01, 0.0, visible=there)
        self.speed = gui.add_slider("Speed", 0.1, 2.0, 0.1, 1.0, visible=there)
        self.moving = self._told(
            gui.add_checkbox("Moved by the motion", there, visible=there, hint="Otherwise by pose and face")
        )
        self._told(self.time)

    def _told(self, handle: Any) -> Any:
        handle.on_update(lambda _: self._changed())
        return handle

    def _keep(self, handle: Any, keep: Callable[[Any], None]) -> None:
        def updated(_: Any) -> None:
            keep(handle.value)
            self._changed()

        handle.on_update(updated)
