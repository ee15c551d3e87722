"""Texts for people who come without one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lca_dataparsers.dataset.schema import SubjectInfo

CaptionerName = Literal["attributes", "none"]


@dataclass(frozen=True)
class Caption:
    """A text about a person."""

    text: str
    """Empty = nobody said anything."""
    by: str
    """Who made it."""


Captioner = Callable[[SubjectInfo], Caption]
"""What makes a caption. One that looks at pictures (a vision-language model) is registered in :data:`CAPTIONERS`."""


def from_attributes(person: SubjectInfo) -> Caption:
    """Exact, from the attributes that ``lca-data synth`` writes; empty for people who have none."""
    known = person.report.get("attributes")
    return Caption(sentence(known), "synthetic attributes") if known else Caption("", "nobody")


def nobody(person: SubjectInfo) -> Caption:
    """No caption."""
    return Caption("", "nobody")


CAPTIONERS: dict[CaptionerName, Captioner] = {"attributes": from_attributes, "none": nobody}
"""By name."""


def sentence(attributes: Mapping[str, Any], said: Callable[[], bool] = lambda: True) -> str:
    """The attributes of a synthetic person in one sentence; the same attributes give the same words.

    Args: of ``subject.json``; asked for size, skin, hair, beard and each garment whether to say it (default: all).
    """
    hair = attributes["hair"]
    style = hair["style"].replace("_", " ")
    size = " ".join(word for word in (attributes["height"], attributes["build"]) if not word.startswith("of "))
    size = f"a {size} person" if said() and size else "a person"
    head = "a bald head" if style == "bald" else f"{hair['color'].replace('_', ' ')} {style} hair"
    features = [f"{attributes['skin']} skin"] * said() + [head] * said()
    features += {"none": [], "stubble": ["stubble"], "full": ["a full beard"]}[attributes["beard"]] * said()
    worn = [garment_words(garment) for garment in attributes["garments"][::-1] if said()]
    text = f"{size} with {_listed(features)}" if features else size
    return f"{text}, wearing {_listed(worn)}" if worn else text


def garment_words(garment: Mapping[str, Any]) -> str:
    """One garment of a person's attributes, e.g. ``a short-sleeved red and white striped top``."""
    colors = _listed([color for color in garment["colors"]])
    pattern = {"plain": "", "denim": ""}.get(garment["pattern"], f"{garment['pattern']} ")
    cut = (
        garment.get("length")
        or {"no": "sleeveless", "short": "short-sleeved", "long": "long-sleeved"}[garment["sleeves"]]
    )
    article = "" if garment["name"] in ("shoes", "trousers", "shorts", "leggings") else "a "
    return f"{article}{cut} {colors} {pattern}{garment['name']}"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
