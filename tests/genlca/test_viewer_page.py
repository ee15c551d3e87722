"""nerfstudio's viewer on a trained generator, in a real browser: a prompt makes a person, a slider moves them.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots; ``GENLCA_RUN=FOLDER`` looks at that run in place of an untrained one.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import (
    FOCUS_SLIDER,
    NEEDS_CHROMIUM,
    beside_panel,
    click_button,
    free_port,
    keep_screenshots,
    opened_browser,
    opened_page,
    settled,
    wait_for,
)
from small_genlca_runs import small_training, trained

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]
PROMPT = (
    "a tall broad person with dark skin and black short hair, wearing a long-sleeved red top and long navy trousers"
)
_TYPE = """(() => {
  const label = [...document.querySelectorAll('label, div, p, span')]
    .filter(e => e.childElementCount === 0 && e.textContent.trim() === 'Prompt').pop();
  if (!label) return '';
  let row = label;
  while (row && !row.querySelector('input, textarea')) row = row.parentElement;
  const box = row.querySelector('input, textarea');
  box.scrollIntoView({block: 'center'}); box.focus(); return 'focused'; })()"""


@pytest.fixture
def page_of_browser(tmp_path: Path) -> Iterator[str]:
    with opened_browser(tmp_path) as address:
        yield address


@pytest.fixture
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Folder of a training run."""
    if given := os.environ.get("GENLCA_RUN"):
        return Path(given)
    made = (request.getfixturevalue(name) for name in ("tokens", "latents", "lca_run"))
    config = small_training(*made, tmp_path / "runs", 2)
    trained(config)
    return config.get_base_dir()


def test_a_prompt_makes_a_person_that_sliders_move(run: Path, page_of_browser: str) -> None:
    port = free_port()
    command = ["ns-viewer", "--load-config", run / "config.yml", "--viewer.websocket-port", str(port)]
    sliders = "document.querySelectorAll('[role=slider]').length > 5"
    options = ["--viewer.websocket-host", "127.0.0.1"]
    with opened_page(page_of_browser, [*command, *options], port, sliders) as page:

        def whole() -> bool:
            return int(page.evaluate(r"(document.body.innerText.match(/Resolution: (\d+)x/) || [0, 0])[1]")) > 300

        anybody = settled(page, ready=whole)
        keep_screenshots(genlca_anybody=anybody)
        words = page.evaluate("document.body.innerText")
        assert all(name in words for name in ("Prompt", "Seed", "Steps", "Guidance", "Generate")), words
        assert wait_for(lambda: page.evaluate(_TYPE), 20, "no box for a prompt") == "focused"
        page.call("Input.insertText", text=PROMPT)
        click_button(page, "Generate")
        prompted = settled(page, ready=whole)
        focus = FOCUS_SLIDER.replace("LABEL", json.dumps("Left arm up"))
        assert wait_for(lambda: page.evaluate(focus), 10, "no slider 'Left arm up'") == "0"
        still = settled(page, ready=whole)
        page.key("End")
        moved = settled(page, ready=whole)
    keep_screenshots(genlca_prompted=prompted, genlca_moved=moved)
    assert beside_panel(anybody).std() > 5, "nobody in the picture"
    assert (np.abs(beside_panel(prompted) - beside_panel(anybody)).max(axis=-1) > 10).mean() > 0.001
    assert (np.abs(beside_panel(moved) - beside_panel(still)).max(axis=-1) > 25).mean() > 0.001
