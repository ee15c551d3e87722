"""A real browser for tests: headless Chromium over its DevTools protocol.

Needs Chromium (Debian: ``apt-get install chromium``) and the ``websockets`` package, which viser brings.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)"
)
WIDTH, HEIGHT = 1000, 640
PANEL = 400
"""Pixels of the width that the controls may cover."""


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


@contextmanager
def opened_browser(folder: Path) -> Iterator[str]:
    """Headless Chromium with its own profile below ``folder``; gives the address of its DevTools."""
    port = free_port()
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--use-angle=swiftshader",
        "--enable-unsafe-swiftshader",
    ]
    process = subprocess.Popen(
        [str(CHROMIUM), *flags, f"--remote-debugging-port={port}", f"--user-data-dir={folder / 'browser'}",
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


@contextmanager
def opened_page(browser: str, command: list[str | Path], port: int, ready: str) -> Iterator[Page]:
    """A page served by an installed command, which ends with the block.

    Args:
        browser: address of its DevTools.
        command: name of the command and its arguments.
        port: where it serves.
        ready: JavaScript that is true when the page's controls are there.
    """
    server = subprocess.Popen([str(Path(sys.executable).parent / command[0]), *map(str, command[1:])])
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: urllib.request.urlopen(address, timeout=5).status == 200, 120, f"{command[0]} did not start")
        with connect(wait_for(lambda: page_of(browser), 30, "Chromium did not start"), max_size=None) as connection:
            page = Page(connection)
            page.call("Page.navigate", url=address)
            wait_for(lambda: page.evaluate(ready), 60, "no controls on the page")
            yield page
    finally:
        server.terminate()
        server.wait(20)


def beside_panel(picture: np.ndarray) -> np.ndarray:
    """What a screenshot shows left of the controls, without the bar on top."""
    return picture[60:, : WIDTH - PANEL].astype(np.int16)


def seen(picture: np.ndarray) -> int:
    """Pixels of a screenshot that are not background."""
    shown = beside_panel(picture)[:-80]  # without the axes in the corner
    return int((np.abs(shown - shown[5, 5]).max(axis=2) > 40).sum())


def changed(before: np.ndarray, after: np.ndarray) -> int:
    """Pixels beside the controls that differ between two screenshots."""
    return int((np.abs(beside_panel(before) - beside_panel(after)).max(axis=2) > 40).sum())


def settled(page: Page, seconds: float = 120, ready: Callable[[], bool] = lambda: True) -> np.ndarray:
    """A screenshot that no longer changes, taken when ``ready``."""
    last, end = page.screenshot(), time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(2)
        now = page.screenshot()
        if ready() and np.abs(beside_panel(now) - beside_panel(last)).mean() < 0.02:
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


def click_at(page: Page, x: float, y: float) -> None:
    """A real click of the mouse."""
    for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


def place_of(page: Page, finder: str) -> tuple[float, float]:
    """The middle of the element that a JavaScript expression finds, scrolled into view; pixels."""
    place = f"""(() => {{
  const element = {finder};
  if (!element) return false;
  element.scrollIntoView({{block: 'center'}});
  const box = element.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2]; }})()"""
    x, y = wait_for(lambda: page.evaluate(place), 30, f"the page has no {finder}")
    return x, y


def click_tab(page: Page, name: str) -> None:
    """Open a tab."""
    tab = f"[...document.querySelectorAll('[role=tab]')].find(e => e.textContent.trim() === {json.dumps(name)})"
    click_at(page, *place_of(page, tab))
    time.sleep(1)


def click_button(page: Page, name: str) -> None:
    """Press a button."""
    button = f"[...document.querySelectorAll('button')].find(e => e.textContent.trim() === {json.dumps(name)})"
    click_at(page, *place_of(page, button))
    time.sleep(0.5)


def choose(page: Page, present: str, option: str) -> None:
    """Set the dropdown whose value is ``present``, on the tab that is open."""
    dropdown = f"""(() => {{
  const input = [...document.querySelectorAll('input')].find(
    e => e.value === {json.dumps(present)} && e.offsetParent !== null);
  if (!input) return false;
  input.scrollIntoView({{block: 'center'}}); input.click(); return true; }})()"""
    wait_for(lambda: page.evaluate(dropdown), 30, f"no dropdown shows {present!r}")
    offered = f"""(() => {{
  const option = [...document.querySelectorAll('[role=option]')].find(
    e => e.textContent.trim() === {json.dumps(option)} && e.offsetParent !== null);
  if (!option) return false;
  option.click(); return true; }})()"""
    wait_for(lambda: page.evaluate(offered), 10, f"the dropdown offers no {option!r}")


def click_checkbox(page: Page, label: str) -> None:
    """Click the checkbox beside a label."""
    box = f"""[...document.querySelectorAll('label')].find(
  e => e.textContent.trim() === {json.dumps(label)} && e.offsetParent !== null
  )?.closest('div').parentElement.querySelector('input[type=checkbox]')"""
    click_at(page, *place_of(page, box))
    time.sleep(0.5)


def click_slider(page: Page, label: str, share: float) -> float:
    """Click on a slider's track at ``share`` of its length; the value that it then has."""
    track = f"""(() => {{
  const name = [...document.querySelectorAll('label, div, p, span')]
    .filter(e => e.childElementCount === 0 && e.textContent.trim().startsWith({json.dumps(label)})).pop();
  let row = name;
  while (row && !row.querySelector('[role=slider]')) row = row.parentElement;
  return row && row.querySelector('.mantine-Slider-trackContainer, .mantine-Slider-track'); }})()"""
    x, y = place_of(page, track)
    width = page.evaluate(f"{track}.getBoundingClientRect().width")
    click_at(page, x + (share - 0.5) * width, y)
    time.sleep(0.5)
    return float(page.evaluate(FOCUS_SLIDER.replace("LABEL", json.dumps(label))))


def keep_screenshots(**pictures: np.ndarray) -> None:
    """Write screenshots into the folder named by ``LCA_SCREENSHOTS``, if there is one."""
    if "LCA_SCREENSHOTS" in os.environ:
        folder = Path(os.environ["LCA_SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            cv2.imwrite(str(folder / f"{name}.png"), picture)
