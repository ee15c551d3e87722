"""Licences as the Hub's headers name them."""

from typing import Any

_KNOWN = (
    "apache-2.0 mit bsd-3-clause bsd-2-clause cc0-1.0 cc-by-4.0 cc-by-3.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 "
    "cc-by-nc-nd-4.0 cc-by-nd-4.0 cc-by-nc-2.0 cc-by-nc-sa-3.0 odbl pddl gpl-3.0 agpl-3.0 openrail unknown"
).split()
"""Identifiers of https://huggingface.co/docs/hub/repositories-licenses that data and weights of people come under."""


def licence_header(name: str) -> dict[str, Any]:
    """Fields ``license`` (and ``license_name`` where the Hub has no identifier) of a header."""
    known = name.strip().lower().replace(" ", "-")
    if known in _KNOWN:
        return {"license": known}
    return {"license": "other", "license_name": known or "unknown"}
