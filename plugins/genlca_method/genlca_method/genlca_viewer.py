"""nerfstudio's viewer for generated people: a prompt and how to sample it, and the panel of ``lca view``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nerfstudio.viewer.viewer_elements import ViewerButton, ViewerControl, ViewerSlider, ViewerText
from torch import nn

from lca_method.lca_viewer import FIRST, VISER_UNITS_PER_METRE
from lca_method.viewing.panel import Panel, PanelOffers
from lca_method.viewing.signals import PanelState
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyModel

if TYPE_CHECKING:
    from nerfstudio.viewer.viewer import Viewer

_DISTANCE = 3.0
"""Metres from which a grown person is in view."""


@dataclass(frozen=True)
class Asked:
    """One sample."""

    prompt: str
    seed: int
    steps: int
    guidance: float


class DrivingControls(ViewerControl):
    """The panel of ``lca view``, in a folder of nerfstudio's page."""

    def __init__(self, body: CompactBody | BodyModel) -> None:
        """Args: whose joints and expressions."""
        self.state = PanelState()
        self._body = body

    def _setup(self, viewer: "Viewer") -> None:
        super()._setup(viewer)
        with self.viser_server.gui.add_folder("Avatar", order=FIRST):
            Panel(self.viser_server, self._body, PanelOffers(), viewer._trigger_rerender, self.state)
        self.redraw = viewer._trigger_rerender

        @self.viser_server.on_client_connect
        def _(client) -> None:  # nerfstudio starts inside a scene of unit size
            client.camera.up_direction = (0.0, 0.0, 1.0)
            client.camera.position = (0.0, -_DISTANCE * VISER_UNITS_PER_METRE, 0.1 * VISER_UNITS_PER_METRE)
            client.camera.look_at = (0.0, 0.0, 0.0)

    def redraw(self) -> None:
        """Draw again; nothing without a viewer."""


class SamplePanel(nn.Module):
    """What to generate and how to drive it. Nothing is sampled until somebody looks, and again only when asked."""

    def __init__(self, body: CompactBody | BodyModel, steps: int, guidance: float) -> None:
        """Args: the body model; steps and guidance to begin with."""
        super().__init__()
        # nerfstudio shows attributes in alphabetical order: hence the letters.
        self.a_prompt = ViewerText("Prompt", "", hint="In words like those of the training's captions; empty = anybody")
        self.b_seed = ViewerSlider("Seed", 0, 0, 999, 1, hint="The same seed gives the same person")
        self.c_steps = ViewerSlider("Steps", steps, 1, 100, 1, hint="Of sampling")
        self.d_guidance = ViewerSlider("Guidance", guidance, 1.0, 10.0, 0.5, hint="How closely the prompt is followed")
        self.e_generate = ViewerButton("Generate", cb_hook=self._generate)
        self.controls = DrivingControls(body)
        self.asked = self._as_shown()

    def _as_shown(self) -> Asked:
        return Asked(self.a_prompt.value, int(self.b_seed.value), int(self.c_steps.value), float(self.d_guidance.value))

    def _generate(self, button: ViewerButton) -> None:
        self.asked = self._as_shown()
        self.controls.redraw()
