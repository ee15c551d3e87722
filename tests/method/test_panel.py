"""The panel on a real viser server, without a browser: what its controls put into the state, in both viewers."""

import time
from types import SimpleNamespace

import pytest
import torch
import viser
from browser import free_port

from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion
from lca_method.lca_viewer import SharedControls
from lca_method.live.live_link import FaceDatagram
from lca_method.live.sources import PhoneFace
from lca_method.viewing.panel import Panel, PanelOffers
from lca_method.viewing.show import Show


@pytest.fixture(scope="module")
def server():
    server = viser.ViserServer(host="127.0.0.1", port=free_port(), verbose=False)
    yield server
    server.stop()


def handles_by_label(server) -> dict:
    """Of the panel that was made last."""
    return {handle._impl.label: handle for handle in server.gui._gui_input_handle_from_id.values()}


def until(what) -> None:
    """Viser calls back in threads of its own."""
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_controls_fill_the_state(server, body) -> None:
    told = []
    offers = PanelOffers(seconds=2.0, reference=True, live=("webcam",), relightable=True)
    panel = Panel(server, body, offers, lambda: told.append(1))
    found = handles_by_label(server)
    assert panel.state.moving and panel.state.live == {"webcam": True}
    for label, value, name in (
        ("Show", "normals", "mode"), ("Pose", "reference", "shown"), ("Pose-dependent", False, "corrected"),
        ("Play", True, "playing"), ("Speed", 0.5, "speed"), ("Moved by the motion", False, "moving"),
    ):  # fmt: skip
        found[label].value = value
        until(lambda name=name, value=value: getattr(panel.state, name) == value)
    found["Left arm up (°)"].value = 50.0
    found["mouthSmileLeft"].value = 0.8
    found["head"].value = (0.0, 0.0, 20.0)
    found["Gaze (°)"].value = (10.0, 5.0)
    found["Left hand"].value = "fist"
    state = panel.state
    until(lambda: state.curl.get("L", 0) > 0 and state.gaze == (10.0, 5.0) and len(state.joints) == 1)
    assert state.sliders["left_arm"] == 50.0 and state.expression["mouthSmileLeft"] == 0.8
    assert state.joints["head"] == (0.0, 0.0, 20.0)
    found["Search"].value = "smile"
    until(lambda: found["mouthSmileLeft"].visible and not found["jawOpen"].visible)
    found["Face"].value = "surprise"
    until(lambda: state.expression.get("jawOpen") == 0.6 and state.expression["mouthSmileLeft"] == 0.0)
    panel.advance(1.0, 2.0)
    panel.advance(3.2, 2.0)
    assert state.time == pytest.approx(0.1) and len(told) > 10  # half speed, and from the end it begins again


def test_nerfstudios_page_gets_the_same_panel(server, body) -> None:
    controls, told = SharedControls(body, 3.0), []
    viewer = SimpleNamespace(viser_server=server, _trigger_rerender=lambda: told.append(1))
    controls._setup(viewer)  # type: ignore[arg-type]
    try:
        found = handles_by_label(server)
        assert controls.state.moving
        found["Left arm up (°)"].value = 30.0
        until(lambda: controls.state.sliders.get("left_arm") == 30.0 and told)
        found["Play"].value = True
        until(lambda: controls.state.time > 0)
    finally:
        controls.ended.set()


def test_what_is_shown_follows_the_panel(server, model, body, random_references, random_driving) -> None:
    avatar = avatar_of(model.eval(), model.encode(random_references((), 3), torch.zeros(len(body.shape_names))))
    motion = Motion(
        random_driving((3,)), torch.tensor([0.0, 1.0, 2.0]).double(), body.driven_joints, body.expression_names
    )
    phone = PhoneFace(avatar.body, 0, "127.0.0.1")
    try:
        show = Show(server, avatar, motion, 64, 128, False, reference=motion, live=[phone])
        state = show.panel.state
        assert not state.moving and not show.signal().pose.joint_rotations.any()
        state.sliders["left_arm"] = 40.0
        posed = show.gaussians().means.clone()
        state.shown = "canonical"
        torch.testing.assert_close(show.gaussians().means, avatar.canonical.means, atol=1e-4, rtol=0)
        assert (show.gaussians().means - posed).abs().max() > 0.1
        state.shown = "reference"
        expected = motion.signal.pose.joint_rotations[:1]
        torch.testing.assert_close(show.signal().pose.joint_rotations, expected)
        state.shown, state.moving, state.time = "posed", True, 1.0
        torch.testing.assert_close(
            show.signal().pose.root_translation, motion.signal.pose.root_translation[1:2], atol=1e-5, rtol=0
        )
        phone.receiver._newest = (FaceDatagram({"jawOpen": 0.7}, (0.3, 0.0)), time.monotonic())
        assert float(show.signal().expression[0, body.expression_names.index("jawOpen")]) == pytest.approx(0.7)
        state.live[phone.name] = False
        assert float(show.signal().expression[0, body.expression_names.index("jawOpen")]) != pytest.approx(0.7)
    finally:
        phone.close()
