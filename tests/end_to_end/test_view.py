"""``lca view`` in a real browser: an arm moves by its slider, a face by its preset, a motion plays.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

import itertools
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from browser import (
    FOCUS_SLIDER,
    NEEDS_CHROMIUM,
    WIDTH,
    Page,
    click_checkbox,
    click_slider,
    click_tab,
    free_port,
    keep_screenshots,
    page_of,
    wait_for,
)
from websockets.sync.client import connect

from lca_method.live.live_link import FaceDatagram, packed

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]


def _settled(page: Page, seconds: float = 90) -> np.ndarray:
    """A screenshot that no longer changes."""
    last, end = page.screenshot(), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(3)
        now = page.screenshot()
        if np.abs(_avatar(now) - _avatar(last)).mean() < 0.02:
            return now
        last = now
    pytest.fail(f"the picture did not settle within {seconds} seconds")


def _avatar(picture: np.ndarray) -> np.ndarray:
    """The picture left of the panel."""
    return picture[:, : WIDTH - 380].astype(np.int16)


def _seen(picture: np.ndarray) -> int:
    """Pixels that are not background."""
    shown = _avatar(picture)[:-80]  # without the axes in the corner
    return int((np.abs(shown - shown[5, 5]).max(axis=2) > 40).sum())


def _choose(page: Page, present: str, option: str) -> None:
    """Set the dropdown whose value is ``present``, on the tab that is open."""
    wait_for(
        lambda: page.evaluate(
            f"""(() => {{
  const input = [...document.querySelectorAll('input')].find(
    e => e.value === {json.dumps(present)} && e.offsetParent !== null);
  if (!input) return false;
  input.scrollIntoView({{block: 'center'}}); input.click(); return true; }})()"""
        ),
        30,
        f"no dropdown shows {present!r}",
    )
    wait_for(
        lambda: page.evaluate(
            f"""(() => {{
  const option = [...document.querySelectorAll('[role=option]')].find(
    e => e.textContent.trim() === {json.dumps(option)} && e.offsetParent !== null);
  if (!option) return false;
  option.click(); return true; }})()"""
        ),
        10,
        f"the dropdown offers no {option!r}",
    )


def test_an_avatar_moves_in_the_browser(trained_tiny: Path, small_dataset: Path, browser: str, tmp_path: Path) -> None:
    lca = str(Path(sys.executable).parent / "lca")
    made = ["create", "--checkpoint", str(trained_tiny), "--images", str(small_dataset), "--subject", "emil"]
    subprocess.run([lca, *made, "--output", str(tmp_path / "emil.avatar"), "--no-turntable"], check=True)
    port = free_port()
    shown = ["view", str(tmp_path / "emil.avatar"), "--motion", str(small_dataset), "--subject", "anna"]
    viewer = subprocess.Popen([lca, *shown, "--port", str(port)])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(address, timeout=5).status == 200, 120, "lca view did not start")
        with connect(wait_for(lambda: page_of(browser), 30, "Chromium did not start"), max_size=None) as connection:
            page = Page(connection)
            page.call("Page.navigate", url=address)
            wait_for(lambda: page.evaluate("document.querySelectorAll('[role=tab]').length == 3"), 60, "no tabs")
            wait_for(lambda: _seen(page.screenshot()) > 2000, 180, "no avatar in the picture")
            moved = _settled(page)
            click_tab(page, "Motion")
            click_checkbox(page, "Play")
            time.sleep(6)
            playing = page.screenshot()
            time.sleep(2)
            later = page.screenshot()
            click_checkbox(page, "Play")
            click_checkbox(page, "Moved by the motion")
            click_tab(page, "Pose")
            rest = _settled(page)
            assert click_slider(page, "Left arm up", 0.9) > 90
            arm = _settled(page)
            _choose(page, "rest", "sit")
            sitting = _settled(page)
            _choose(page, "rgb", "normals")
            normals = _settled(page)
            click_tab(page, "Face")
            _choose(page, "neutral", "smile")
            smile = _settled(page)
            shown_smile = page.evaluate(FOCUS_SLIDER.replace("LABEL", json.dumps("mouthSmileLeft")))
    finally:
        viewer.terminate()
        viewer.wait(20)
    keep_screenshots(
        view_moved=moved,
        view_playing=playing,
        view_later=later,
        view_rest=rest,
        view_arm=arm,
        view_sitting=sitting,
        view_normals=normals,
        view_smile=smile,
    )
    assert _seen(rest) > 2000, "no avatar at rest"
    for before, after in itertools.pairwise([moved, playing, later, rest, arm, sitting, normals]):
        assert (np.abs(_avatar(before) - _avatar(after)).max(axis=2) > 40).sum() > 200
    assert float(shown_smile) == 0.9


def _splats(page: Page) -> np.ndarray:
    """A screenshot with splats, which take the place of points; without a GPU that takes a browser seconds."""
    time.sleep(4)
    wait_for(lambda: _seen(page.screenshot()) > 1000, 90, "the browser shows no splats")
    return page.screenshot()


def test_the_browser_draws_the_gaussians_itself(
    trained_tiny: Path, small_dataset: Path, browser: str, tmp_path: Path
) -> None:
    """``--client-side``: WebGL in the browser, updated while a motion plays; and a phone's datagrams arrive."""
    lca = str(Path(sys.executable).parent / "lca")
    made = ["create", "--checkpoint", str(trained_tiny), "--images", str(small_dataset), "--subject", "emil"]
    subprocess.run([lca, *made, "--output", str(tmp_path / "emil.avatar"), "--no-turntable"], check=True)
    port, face_port = free_port(), free_port()
    shown = ["view", str(tmp_path / "emil.avatar"), "--motion", str(small_dataset), "--subject", "anna"]
    options = ["--client-side", "--port", str(port), "--face-port", str(face_port)]
    viewer = subprocess.Popen([lca, *shown, *options])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(address, timeout=5).status == 200, 120, "lca view did not start")
        with connect(wait_for(lambda: page_of(browser), 30, "Chromium did not start"), max_size=None) as connection:
            page = Page(connection)
            page.call("Page.navigate", url=address)
            wait_for(lambda: page.evaluate("document.querySelectorAll('[role=tab]').length == 4"), 60, "no tabs")
            wait_for(lambda: _seen(page.screenshot()) > 1000, 180, "no avatar in the picture")
            still = _splats(page)
            click_tab(page, "Motion")
            click_checkbox(page, "Moved by the motion")  # off to begin with where something is live
            click_checkbox(page, "Play")
            time.sleep(5)
            playing = page.screenshot()
            time.sleep(3)
            later = page.screenshot()
            click_checkbox(page, "Play")
            stopped = _splats(page)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
                for number in range(30):
                    phone.sendto(packed(FaceDatagram({"jawOpen": 1.0}, (0.6, 0.0)), number), ("127.0.0.1", face_port))
                    time.sleep(0.05)
            click_tab(page, "Live")
            counted = "(document.body.innerText.match(/(\\d+) datagrams/) || [0, 0])[1]"
            wait_for(lambda: int(page.evaluate(counted)) >= 25, 20, "the page counts no datagrams")
    finally:
        viewer.terminate()
        viewer.wait(20)
    keep_screenshots(client_still=still, client_playing=playing, client_later=later, client_stopped=stopped)
    for before, after in ((still, playing), (playing, later), (later, stopped)):
        assert (np.abs(_avatar(before) - _avatar(after)).max(axis=2) > 40).sum() > 100
    assert _seen(stopped) > 1000
