"""``lca view`` in a real browser: an arm moves by its slider, a face by its preset, eyes by a click, a motion plays.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

import itertools
import json
import socket
import time
from pathlib import Path

import pytest
from browser import (
    FOCUS_SLIDER,
    NEEDS_CHROMIUM,
    Page,
    changed,
    choose,
    click_at,
    click_button,
    click_checkbox,
    click_slider,
    click_tab,
    free_port,
    keep_screenshots,
    opened_page,
    seen,
    settled,
    wait_for,
)

from lca_method.avatar.bundle import load_avatar, save_avatar
from lca_method.avatar.resizing import resized
from lca_method.cli import main
from lca_method.live.live_link import FaceDatagram, packed

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]
CLICKABLE = "[...document.querySelectorAll('canvas')].some(e => e.style.cursor === 'pointer')"
TABS = "document.querySelectorAll('[role=tab]').length == {}"


@pytest.fixture(scope="module")
def bundle(small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An avatar that the shipped model made, of few Gaussians: without a GPU the browser is slow."""
    folder = tmp_path_factory.mktemp("avatar")
    options = ["--subject", "emil", "--output", str(folder / "whole.avatar"), "--no-turntable"]
    assert main(["create", str(small_dataset), *options]) == 0
    whole = load_avatar(folder / "whole.avatar")
    save_avatar(resized(whole.avatar, 2048), whole.record, folder / "emil.avatar")
    return folder / "emil.avatar"


def _numbers(page: Page, label: str) -> list[float]:
    """What stands in the fields beside a label."""
    found = page.evaluate(f"""(() => {{
  const name = [...document.querySelectorAll('label, div, p, span')]
    .filter(e => e.childElementCount === 0 && e.textContent.trim().startsWith({json.dumps(label)})).pop();
  let row = name;
  while (row && row.querySelectorAll('input').length < 2) row = row.parentElement;
  return row ? [...row.querySelectorAll('input')].slice(0, 2).map(e => parseFloat(e.value)) : []; }})()""")
    return [float(number) for number in found]


def test_an_avatar_moves_in_the_browser(bundle: Path, small_dataset: Path, browser: str) -> None:
    port = free_port()
    command = ["lca", "view", bundle, "--motion", small_dataset, "--subject", "anna", "--port", str(port)]
    with opened_page(browser, [*command, "--size", "400"], port, TABS.format(3)) as page:
        wait_for(lambda: seen(page.screenshot()) > 1000, 120, "no avatar in the picture")
        moved = settled(page)
        click_tab(page, "Motion")
        click_checkbox(page, "Play")
        time.sleep(4)
        playing = page.screenshot()
        time.sleep(1)
        later = page.screenshot()
        click_checkbox(page, "Play")
        click_checkbox(page, "Moved by the motion")
        click_tab(page, "Pose")
        rest = settled(page)
        assert click_slider(page, "Left arm up", 0.9) > 90
        arm = settled(page)
        choose(page, "rest", "sit")
        sitting = settled(page)
        choose(page, "rgb", "normals")
        normals = settled(page)
        choose(page, "normals", "rgb")
        choose(page, "sit", "rest")
        click_button(page, "face")
        click_tab(page, "Face")
        near = settled(page)
        choose(page, "neutral", "smile")
        smile = settled(page)
        shown_smile = page.evaluate(FOCUS_SLIDER.replace("LABEL", json.dumps("mouthSmileLeft")))
        click_checkbox(page, "Eyes follow clicks")
        wait_for(lambda: page.evaluate(CLICKABLE), 20, "the picture does not take clicks")
        click_at(page, 40, 80)  # the eyes are in the middle; the camera is 3 cm below them
        wait_for(lambda: _numbers(page, "Gaze") not in ([], [0.0, 0.0]), 20, "the click did not move the eyes")
        yaw, pitch = _numbers(page, "Gaze")
    pictures = {"moved": moved, "playing": playing, "later": later, "rest": rest, "arm": arm, "sitting": sitting}
    keep_screenshots(**{f"view_{name}": p for name, p in pictures.items()}, view_near=near, view_smile=smile)
    assert seen(rest) > 1000, "no avatar at rest"
    for before, after in itertools.pairwise([moved, playing, later, rest, arm, sitting, normals, near]):
        assert changed(before, after) > 100
    assert changed(near, smile) > 20 and float(shown_smile) == 0.9
    assert yaw < -5 and pitch > 5, "clicked at the upper left, where the person's right is"


@pytest.fixture
def blobs(bundle: Path, tmp_path: Path) -> Path:
    """Of large, opaque Gaussians: where the browser has no GPU, viser draws at a fifth of the resolution, and it leaves
    out splats of less than a pixel."""
    loaded = load_avatar(bundle)
    loaded.avatar.canonical_scales.clamp_(min=0.03)
    loaded.avatar.canonical_opacities.fill_(0.95)
    save_avatar(loaded.avatar, loaded.record, tmp_path / "blobs.avatar")
    return tmp_path / "blobs.avatar"


def test_the_browser_draws_the_gaussians_itself(blobs: Path, small_dataset: Path, browser: str) -> None:
    """``--client-side``: WebGL in the browser, updated while a motion plays, and never blank; and a phone's datagrams
    arrive."""
    port, face_port = free_port(), free_port()
    command = ["lca", "view", blobs, "--motion", small_dataset, "--subject", "anna", "--port", str(port)]
    options = ["--client-side", "--face-port", str(face_port)]
    with opened_page(browser, [*command, *options], port, TABS.format(4)) as page:
        wait_for(lambda: seen(page.screenshot()) > 500, 90, "the browser shows no avatar")
        still = settled(page)
        click_tab(page, "Motion")
        click_checkbox(page, "Moved by the motion")  # off to begin with where something is live
        click_checkbox(page, "Play")
        playing = [page.screenshot() for _ in range(12)]
        click_checkbox(page, "Play")
        ending = [page.screenshot() for _ in range(4)]
        stopped = settled(page)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for number in range(30):
                phone.sendto(packed(FaceDatagram({"jawOpen": 1.0}, (0.6, 0.0)), number), ("127.0.0.1", face_port))
                time.sleep(0.05)
        click_tab(page, "Live")
        counted = "(document.body.innerText.match(/(\\d+) datagrams/) || [0, 0])[1]"
        wait_for(lambda: int(page.evaluate(counted)) >= 25, 20, "the page counts no datagrams")
    keep_screenshots(client_still=still, client_playing=playing[5], client_later=playing[-1], client_stopped=stopped)
    for number, picture in enumerate([*playing, *ending, stopped]):
        assert seen(picture) > 0.7 * seen(still), f"picture {number}: the avatar is not there"
    assert max(changed(before, after) for before, after in itertools.pairwise(playing)) > 50
    assert changed(still, stopped) > 50
