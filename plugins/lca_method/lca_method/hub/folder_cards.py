"""Cards of avatars and datasets."""

from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCard, DatasetCardData, ModelCard, ModelCardData

from lca_method.hub.kinds import CARD_FILE, CONFIG_FILE
from lca_method.hub.licences import licence_header
from lca_method.hub.run_facts import dataset_facts
from lca_shared.storage import read_json


def avatar_card(folder: Path, hub_id: str, licence: str | None, consent: str | None) -> ModelCard:
    """The card of an avatar: its own README.md with the Hub's header, and how the person has agreed.

    Args:
        folder: ``NAME.avatar``.
        hub_id: where it will be.
        licence: of the avatar; by default that of the pictures it was made from.
        consent: in the words of who shares it.
    """
    record: dict[str, Any] = read_json(folder / CONFIG_FILE).get("record", {})
    header = ModelCardData(
        library_name="lca-method",
        tags=["lca", "lca-avatar", "avatar", "gaussian-splatting", "3d"],
        **licence_header(licence or str(record.get("source_licence", "unknown"))),
    )
    own = folder / CARD_FILE
    text = _without_header(own.read_text()) if own.is_file() else f"# {hub_id}\n\nAn animatable avatar of a person.\n"
    fetch = f"    lca pull {hub_id}\n    lca drive {hub_id} --motion MOTION --output video.mp4"
    agreed = consent or "Not stated: the avatar is private."
    return ModelCard(f"---\n{header.to_yaml()}\n---\n\n{text}\n{fetch}\n\n## Consent\n\n{agreed}\n")


def dataset_card(folder: Path, hub_id: str, licence: str | None, consent: str | None) -> DatasetCard:
    """The card of a dataset: what is in it, by kind and number, and how the people have agreed.

    Args: as of :func:`avatar_card`.
    """
    facts = dataset_facts(folder)
    people, pictures = sum(facts["people"].values()), sum(facts["pictures"].values())
    header = DatasetCardData(
        tags=["lca", "avatar", "3d"], pretty_name=hub_id.split("/")[-1], **licence_header(licence or facts["licence"])
    )
    splits = "\n".join(f"| {name} | {facts['people'][name]} | {facts['pictures'][name]} |" for name in facts["people"])
    agreed = consent or ("All people are synthetic." if facts["source"].startswith("lca-data synth") else "Not stated.")
    return DatasetCard(
        f"""---
{header.to_yaml()}
---

# {hub_id}

{people} people in {pictures} pictures with the body model's pose, expression and cameras ({facts["kind"]} dataset of
Large-scale Codec Avatars, for `ns-train lca-pretrain`).

    lca pull datasets/{hub_id} --output data/{hub_id.split("/")[-1]}

| split | people | pictures |
|---|---|---|
{splits}

- made by: {facts["source"]}
- licence of the pictures: {facts["licence"]}

## Consent

{agreed}
"""
    )


def _without_header(text: str) -> str:
    """A card without the block between ``---`` at its top."""
    if not text.startswith("---\n"):
        return text
    return text.split("\n---\n", 1)[-1].lstrip()
