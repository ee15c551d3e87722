"""The controls of light: map, rotation, exposure, parts of the picture, and a point light that is dragged."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lca_method.avatar.relight_drawing import Look
from lca_method.avatar.relight_maps import read_environment, shipped_names
from lca_method.avatar.relight_options import about_vertical
from lca_method.networks.relight_intrinsics import INTRINSICS
from lca_method.viewing.light_state import AS_PHOTOGRAPHED, DARKNESS, LightState
from lca_shared.lighting.environment import Environment, prefiltered
from lca_shared.lighting.lights import Lights

if TYPE_CHECKING:
    import viser


class LightPanel:
    """Builds the controls where the page's next controls go, and keeps ``state`` what they show.

    Args:
        server: of the page.
        state: filled in.
        changed: called after every change, from viser's threads.
    """

    def __init__(self, server: "viser.ViserServer", state: LightState, changed: Callable[[], None]) -> None:
        self.state, self._changed = state, changed
        gui = server.gui
        maps = (AS_PHOTOGRAPHED, DARKNESS, *shipped_names())
        self._keep(gui.add_dropdown("Environment", maps, initial_value=AS_PHOTOGRAPHED), "environment")
        self._keep(gui.add_slider("Rotation (°)", -180.0, 180.0, 1.0, 0.0), "rotation")
        self._keep(gui.add_slider("Exposure (stops)", -4.0, 4.0, 0.1, 0.0), "exposure")
        self._keep(gui.add_dropdown("Part", INTRINSICS, initial_value="relit"), "shown")
        switch = gui.add_checkbox("Point light", False, hint="Drag it in the scene")
        self._keep(switch, "point")
        self._keep(gui.add_slider("Strength", 0.0, 10.0, 0.1, state.strength), "strength")
        self._handle = server.scene.add_transform_controls(
            "/point_light", scale=0.25, disable_rotations=True, position=state.place, visible=False
        )

        @switch.on_update
        def _(_: Any) -> None:
            self._handle.visible = switch.value

        @self._handle.on_update
        def _(_: Any) -> None:
            x, y, z = (float(value) for value in self._handle.position)
            state.place = (x, y, z)
            changed()

    def _keep(self, handle: Any, name: str) -> None:
        @handle.on_update
        def _(_: Any) -> None:
            setattr(self.state, name, handle.value)
            self._changed()


class LightSource:
    """From the state of the controls to light; a map's tables are made once."""

    def __init__(self) -> None:
        self._made: dict[str, Environment] = {}

    def look(self, state: LightState) -> Look:
        """The light, on the CPU.

        Raises:
            UserError: the map cannot be read.
        """
        lights = Lights.none()
        if state.environment not in (AS_PHOTOGRAPHED, DARKNESS):
            if state.environment not in self._made:
                self._made[state.environment] = prefiltered(read_environment(state.environment))
            turned = self._made[state.environment].turned(about_vertical(state.rotation))
            lights = Lights.of_environment(turned)
        if state.point:
            place = lights.ambient.new_tensor(state.place)
            lights = lights.with_point(place, lights.ambient.new_full((3,), state.strength))
        return Look(lights, state.exposure, "clip", state.shown)
