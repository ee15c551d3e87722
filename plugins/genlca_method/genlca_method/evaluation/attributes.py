"""Exact attributes of synthetic people as one word each, and where on a body they are seen."""

from collections.abc import Mapping
from typing import Any

_TOPS = ("top", "bodice", "jacket")
_BOTTOMS = ("trousers", "shorts", "skirt", "leggings", "dress")

SEEN_AT: dict[str, tuple[str, ...]] = {
    "upper colour": ("torso",),
    "lower colour": ("hips", "thighs"),
    "shoe colour": ("shoes",),
    "hair colour": ("hair",),
    "skin": ("face",),
    "sleeves": ("torso", "upper_arms", "lower_arms", "hands", "face"),
    "leg length": ("hips", "thighs", "calves", "face", "shoes"),
}
"""Regions (``looks.REGIONS``) whose colours tell an attribute."""
BY_LENGTH = ("sleeves", "leg length")
"""Attributes that differences between regions tell, not colours by themselves."""
FROM_SHAPE = ("height", "build")
"""Attributes that the body's shape tells exactly."""


def words(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes of a person by name; those that are not there (hair of a bald head) are left out.

    Colours are the ground colours of the outermost garment; ``attributes`` are those of ``lca-data synth``.
    """
    garments = attributes["garments"]
    tops = [garment for garment in garments if garment["name"] in _TOPS]
    bottoms = [garment for garment in garments if garment["name"] in _BOTTOMS]
    shoes = [garment for garment in garments if garment["name"] == "shoes"]
    found = {"skin": attributes["skin"], "height": attributes["height"], "build": attributes["build"]}
    if attributes["hair"]["style"] != "bald":
        found["hair colour"] = attributes["hair"]["color"]
    if tops:
        found |= {"upper colour": tops[-1]["colors"][0], "sleeves": tops[-1]["sleeves"]}
    if bottoms:
        found |= {"lower colour": bottoms[-1]["colors"][0], "leg length": bottoms[-1]["length"]}
    if shoes:
        found["shoe colour"] = shoes[0]["colors"][0]
    return found
