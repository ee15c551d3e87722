"""Texts for people who come without one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genlca_method.tokens.command import CaptionerName
from lca_dataparsers.dataset.schema import SubjectInfo
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Caption:
    """A text about a person."""

    text: str
    """Empty = nobody said anything."""
    by: str
    """Who made it."""


Pictures = Mapping[str, Float[Tensor, "3 h w"]]
"""Of parts (``tokens.parts.IMAGE_PARTS``), sRGB 0..1."""
Captioner = Callable[[SubjectInfo, Pictures], Caption]
"""What makes a caption, from what is known of a person and from pictures of parts of them."""


def from_attributes(person: SubjectInfo, pictures: Pictures) -> Caption:
    """Exact, from the attributes that ``lca-data synth`` writes; empty for people who have none."""
    known = person.report.get("attributes")
    return Caption(sentence(known), "synthetic attributes") if known else Caption("", "nobody")


def nobody(person: SubjectInfo, pictures: Pictures) -> Caption:
    """No caption."""
    return Caption("", "nobody")


def build_captioner(name: CaptionerName, source: str = "", device: str = "cpu") -> Captioner:
    """A captioner by name.

    Args: name; for ``model``, where the vision-language model is, and where it runs.

    Raises:
        UserError: no such captioner, or its weights are missing.
    """
    if name == "model":
        from genlca_method.tokens.caption_model import ModelCaptioner

        return ModelCaptioner(source, device)
    found = {"attributes": from_attributes, "none": nobody}.get(name)
    if found is None:
        raise UserError(f"There is no captioner {name!r}. Choose one of: attributes, model, none.")
    return found


def sentence(
    attributes: Mapping[str, Any],
    said: Callable[[], bool] = lambda: True,
    ordered: Callable[[list[str]], list[str]] = lambda words: words,
) -> str:
    """The attributes of a synthetic person in one sentence; the same attributes give the same words.

    Args: of ``subject.json``; asked for size, skin, hair, beard and each garment whether to say it (default: all);
        puts features and garments in an order (default: from head to foot, outer garments first).
    """
    hair = attributes["hair"]
    style = hair["style"].replace("_", " ")
    size = " ".join(word for word in (attributes["height"], attributes["build"]) if not word.startswith("of "))
    size = f"a {size} person" if said() and size else "a person"
    head = "a bald head" if style == "bald" else f"{hair['color'].replace('_', ' ')} {style} hair"
    features = [f"{attributes['skin']} skin"] * said() + [head] * said()
    features += {"none": [], "stubble": ["stubble"], "full": ["a full beard"]}[attributes["beard"]] * said()
    worn = [garment_words(garment) for garment in attributes["garments"][::-1] if said()]
    text = f"{size} with {_listed(ordered(features))}" if features else size
    return f"{text}, wearing {_listed(ordered(worn))}" if worn else text


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
