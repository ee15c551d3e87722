"""The viewer in a real browser: a slider moves, and the picture of the avatar changes.

Needs Chromium (Debian: ``apt-get install chromium``); it is driven over its DevTools protocol, with the ``websockets``
package that viser brings. ``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"),
]
WIDTH, HEIGHT = 1200, 800


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Page:
    """A browser page over the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._count = connection, 0

    def call(self, method: str, **parameters) -> dict:
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._connection.recv(timeout=60))
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def evaluate(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self) -> np.ndarray:
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)

    def key(self, name: str) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            code = {"ArrowRight": 39, "End": 35}[name]
            self.call("Input.dispatchKeyEvent", type=kind, key=name, code=name, windowsVirtualKeyCode=code)


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
    ]
    process = subprocess.Popen(
        [str(CHROMIUM), *flags, f"--remote-debugging-port={port}", f"--user-data-dir={tmp_path / 'browser'}",
         f"--window-size={WIDTH},{HEIGHT}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def wait_for(what, seconds: float, problem: str):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            found = what()
        except OSError:
            found = None
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(problem)


def page_of(browser: str) -> str:
    with urllib.request.urlopen(f"{browser}/json", timeout=5) as answer:
        return next(target["webSocketDebuggerUrl"] for target in json.load(answer) if target["type"] == "page")


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


FOCUS_SLIDER = """
(() => {
  const label = [...document.querySelectorAll('label, div, p, span')]
    .filter(e => e.childElementCount === 0 && e.textContent.trim().startsWith(LABEL)).pop();
  if (!label) return 'no label';
  let row = label;
  while (row && !row.querySelector('[role=slider]')) row = row.parentElement;
  if (!row) return 'no slider';
  const thumb = row.querySelector('[role=slider]');
  thumb.scrollIntoView({block: 'center'});
  thumb.focus();
  return thumb.getAttribute('aria-valuenow');
})()
"""


def choose_sliders(page: Page) -> None:
    """Set the dropdown *Driver* to *sliders*."""
    wait_for(
        lambda: page.evaluate(
            """(() => {
  const input = [...document.querySelectorAll('input')].find(e => e.value === 'recording');
  if (!input) return false;
  input.scrollIntoView({block: 'center'}); input.click(); return true; })()"""
        ),
        30,
        "the viewer shows no dropdown with the value 'recording'",
    )
    wait_for(
        lambda: page.evaluate(
            """(() => {
  const option = [...document.querySelectorAll('[role=option]')].find(e => e.textContent.trim() === 'sliders');
  if (!option) return false;
  option.click(); return true; })()"""
        ),
        10,
        "the dropdown offers no 'sliders'",
    )


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
            choose_sliders(page)
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
    if "LCA_SCREENSHOTS" in os.environ:
        folder = Path(os.environ["LCA_SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in (("viewer_before", before), ("viewer_after", after)):
            cv2.imwrite(str(folder / f"{name}.png"), picture)
    person = avatar_pixels(before)
    assert person.std() > 5, (tmp_path / "viewer.log").read_text()[-2000:]
    changed = np.abs(avatar_pixels(after) - person).max(axis=-1) > 25
    assert 0.001 < changed.mean() < 0.5
