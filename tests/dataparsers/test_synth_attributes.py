"""Attributes of synthetic people against the random draws that made them."""

import json
from collections import Counter

import numpy as np
import pytest

from lca_dataparsers.synthetic.attributes import SKIN_NAMES, attributes, color_name, skin_name
from lca_dataparsers.synthetic.palette import (
    CLOTH_COLORS,
    HAIR_COLORS,
    SKIN_TONES,
    bytes_to_linear,
    linear,
    random_cloth,
)
from lca_dataparsers.synthetic.person import random_appearance


@pytest.mark.parametrize(("palette", "low", "high"), [(CLOTH_COLORS, 0.85, 1.1), (HAIR_COLORS, 0.85, 1.15)])
def test_every_color_is_known_again_at_every_brightness(palette: dict, low: float, high: float) -> None:
    for name, color in palette.items():
        for scale in np.linspace(low, high, 7):
            assert color_name(bytes_to_linear(color) * scale, palette) == name


def test_names_are_those_that_were_drawn() -> None:
    for seed in range(50):
        drawn = np.random.default_rng(seed).choice(list(CLOTH_COLORS), 3, replace=False).tolist()
        colors = random_cloth(np.random.default_rng(seed))
        assert [color_name(color, CLOTH_COLORS) for color in colors] == drawn


def test_each_skin_tone_has_its_name() -> None:
    assert [skin_name(linear(tone)) for tone in SKIN_TONES] == list(SKIN_NAMES)


def test_people_have_plain_and_varied_attributes() -> None:
    people = [attributes(random_appearance(3, index)) for index in range(60)]
    assert json.loads(json.dumps(people)) == people
    for name in ("height", "build"):
        counts = Counter(person[name] for person in people)
        assert len(counts) == 3 and min(counts.values()) >= 6
    for person, index in zip(people, range(60)):
        appearance = random_appearance(3, index)
        assert person["hair"]["style"] == appearance.hair_style
        assert [garment["name"] for garment in person["garments"]] == [garment.name for garment in appearance.outfit]
        for garment in person["garments"]:
            assert ("sleeves" in garment) != ("length" in garment)


def test_words_follow_the_cut() -> None:
    seen = set()
    for index in range(200):
        person = random_appearance(0, index)
        for garment, words in zip(person.outfit, attributes(person)["garments"], strict=True):
            if garment.name in ("trousers", "leggings", "shorts"):
                seen.add((garment.name, words["length"]))
            if garment.name == "jacket":
                assert words["sleeves"] == "long"
    assert ("trousers", "long") in seen and not {("trousers", "short"), ("trousers", "knee-length")} & seen
    assert ("shorts", "long") not in seen
