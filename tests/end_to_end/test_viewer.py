"""The viewer in a real browser: a slider moves, and the picture of the avatar changes.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

import json
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
    click_tab,
    free_port,
    keep_screenshots,
    page_of,
    wait_for,
)
from websockets.sync.client import connect

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]


def avatar_pixels(picture: np.ndarray) -> np.ndarray:
    """The canvas left of the control panel."""
    return picture[60:, : WIDTH - 400].astype(np.int16)


def settled(page: Page, seconds: float) -> np.ndarray:
    """A screenshot at full resolution that no longer changes."""
    last = page.screenshot()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(2.0)
        now = page.screenshot()
        width = int(page.evaluate(r"(document.body.innerText.match(/Resolution: (\d+)x/) || [0, 0])[1]"))
        if width > 300 and np.abs(avatar_pixels(now) - avatar_pixels(last)).mean() < 0.02:
            return now
        last = now
    pytest.fail(f"the picture did not settle within {seconds} seconds")


def uncheck_motion(page: Page) -> None:
    """Switch *Moved by the motion* off, so that the sliders move the avatar."""
    click_tab(page, "Motion")
    click_checkbox(page, "Moved by the motion")
    click_tab(page, "Pose")


def test_moving_a_slider_changes_the_avatar(trained_tiny: Path, browser: str, tmp_path: Path) -> None:
    port = free_port()
    log = (tmp_path / "viewer.log").open("w")
    viewer = subprocess.Popen(
        [str(Path(sys.executable).parent / "ns-viewer"), "--load-config", str(trained_tiny),
         "--viewer.websocket-port", str(port), "--viewer.websocket-host", "127.0.0.1"],
        stdout=log,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(address, timeout=5).status == 200, 120, "ns-viewer did not start")
        with connect(wait_for(lambda: page_of(browser), 30, "Chromium did not start"), max_size=None) as connection:
            page = Page(connection)
            page.call("Page.navigate", url=address)
            wait_for(lambda: page.evaluate("document.querySelectorAll('[role=slider]').length > 5"), 60, "no sliders")
            uncheck_motion(page)
            before = settled(page, 120)
            focus = FOCUS_SLIDER.replace("LABEL", json.dumps("Left arm up"))
            assert wait_for(lambda: page.evaluate(focus), 10, "no slider 'Left arm up'") == "0"
            page.key("End")
            assert page.evaluate(focus) == "120"
            time.sleep(2)
            after = settled(page, 120)
    finally:
        viewer.terminate()
        viewer.wait(20)
    keep_screenshots(viewer_before=before, viewer_after=after)
    person = avatar_pixels(before)
    assert person.std() > 5, (tmp_path / "viewer.log").read_text()[-2000:]
    changed = np.abs(avatar_pixels(after) - person).max(axis=-1) > 25
    assert 0.001 < changed.mean() < 0.5
