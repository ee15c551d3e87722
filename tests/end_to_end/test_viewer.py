"""The viewer in a real browser: a slider moves, and the picture of the avatar changes.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from browser import (
    FOCUS_SLIDER,
    NEEDS_CHROMIUM,
    beside_panel,
    click_checkbox,
    click_tab,
    free_port,
    keep_screenshots,
    opened_page,
    settled,
    wait_for,
)

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]


def test_moving_a_slider_changes_the_avatar(trained_tiny: Path, browser: str) -> None:
    port = free_port()
    command = ["ns-viewer", "--load-config", trained_tiny, "--viewer.websocket-port", str(port)]
    options = ["--viewer.websocket-host", "127.0.0.1"]
    sliders = "document.querySelectorAll('[role=slider]').length > 5"
    with opened_page(browser, [*command, *options], port, sliders) as page:

        def whole() -> bool:
            width = page.evaluate(r"(document.body.innerText.match(/Resolution: (\d+)x/) || [0, 0])[1]")
            return int(width) > 300

        click_tab(page, "Motion")
        click_checkbox(page, "Moved by the motion")  # the sliders move the avatar then
        click_tab(page, "Pose")
        before = settled(page, ready=whole)
        focus = FOCUS_SLIDER.replace("LABEL", json.dumps("Left arm up"))
        assert wait_for(lambda: page.evaluate(focus), 10, "no slider 'Left arm up'") == "0"
        page.key("End")
        assert page.evaluate(focus) == "120"
        time.sleep(2)
        after = settled(page, ready=whole)
    keep_screenshots(viewer_before=before, viewer_after=after)
    person = beside_panel(before)
    assert person.std() > 5, "no avatar in the picture"
    moved = np.abs(beside_panel(after) - person).max(axis=-1) > 25
    assert 0.001 < moved.mean() < 0.5
