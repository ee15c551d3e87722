"""The Light tab of ``lca view`` in a real browser: a map, its rotation, parts of the picture and a point light.

``LCA_SCREENSHOTS=FOLDER`` keeps the screenshots.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from browser import (
    NEEDS_CHROMIUM,
    changed,
    choose,
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

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.avatar.bundle import AvatarRecord, save_avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.resizing import resized
from lca_method.crops import CropReader
from lca_method.networks import LCA
from lca_method.networks.relight_config import RelightConfig
from lca_method.trained_network import load_network
from lca_method.viewing.light_state import AS_PHOTOGRAPHED

pytestmark = [pytest.mark.slow, NEEDS_CHROMIUM]


@pytest.fixture
def relightable(small_dataset: Path, tmp_path: Path) -> Path:
    """An avatar of the shipped model, made relightable without training, of few Gaussians."""
    trained = load_network("demo")
    network = LCA(replace(trained.network.config, relight=RelightConfig(lobes=2)), trained.body)
    network.load_state_dict(trained.network.state_dict(), strict=False)
    dataset = AvatarDataset.open(small_dataset)
    reader, person = CropReader(dataset, trained.sizes, 1 << 28), dataset.subjects["emil"]
    with torch.no_grad():
        code = network.eval().encode(reader.references("emil", [0, 1]), person.shape, step=trained.training_step)
    path = tmp_path / "lit.avatar"
    save_avatar(resized(avatar_of(network, code), 2048), AvatarRecord("emil"), path)
    return path


def test_light_changes_the_picture(relightable: Path, browser: str) -> None:
    port = free_port()
    command = ["lca", "view", relightable, "--port", str(port), "--size", "400"]
    has_tab = "[...document.querySelectorAll('[role=tab]')].some(e => e.textContent.includes('Light'))"
    with opened_page(browser, command, port, has_tab) as page:
        wait_for(lambda: seen(page.screenshot()) > 1000, 120, "no avatar in the picture")
        click_tab(page, "Light")
        shown = {"photographed": settled(page)}

        def other(name: str) -> None:
            """Wait for another picture; the first one relit also loads what casts shadows."""
            before = list(shown.values())[-1]
            wait_for(lambda: changed(before, page.screenshot()) > 100, 120, f"nothing new in the picture: {name}")
            shown[name] = settled(page)

        choose(page, AS_PHOTOGRAPHED, "window")
        other("window")
        assert abs(click_slider(page, "Rotation (°)", 0.9)) > 90
        other("turned")
        choose(page, "relit", "albedo")
        other("albedo")
        choose(page, "albedo", "relit")
        other("relit again")
        click_checkbox(page, "Point light")
        other("point")
    keep_screenshots(**{f"light_{name.replace(' ', '_')}": picture for name, picture in shown.items()})
    assert changed(shown["turned"], shown["relit again"]) < 100 < changed(shown["photographed"], shown["turned"])
