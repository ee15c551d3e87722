"""Names of repositories on the Hub."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from lca_shared.errors import UserError

_FILES = (".ckpt", ".yml", ".avatar", ".safetensors", ".json", ".zip", ".git")
"""Endings of files and folders here: names that end so are no repositories' names."""
_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?:(datasets|models)/)?({_PART}/{_PART})(?:@([\w./-]+))?")


@dataclass(frozen=True)
class HubId:
    """``owner/name`` or ``owner/name@revision``; ``datasets/`` before it says that it is a dataset."""

    repository: str
    """``owner/name``."""
    revision: str | None = None
    """A branch, tag or commit; None = the branch ``main``."""
    kind: str | None = None
    """``dataset`` or ``model`` if the name said so."""

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "")

    @property
    def name(self) -> str:
        """Without the owner."""
        return self.repository.split("/")[1]

    def at(self, revision: str | None) -> "HubId":
        """The same repository at a revision that was given apart.

        Raises:
            UserError: two different revisions were given.
        """
        if revision and self.revision and revision != self.revision:
            raise UserError(f"{self} names one revision and --revision {revision} another: give one of them.")
        return replace(self, revision=revision or self.revision)


def parsed(place: str | Path) -> HubId | None:
    """The repository that a text can name; None if it can only be a path."""
    text = place.as_posix() if isinstance(place, Path) else place
    match = _HUB_ID.fullmatch(text)
    if match is None or ".." in text or "--" in match[2] or match[2].endswith(_FILES):
        return None
    return HubId(match[2], match[3], {"datasets": "dataset", "models": "model"}.get(match[1] or ""))


def hub_id(text: str) -> HubId:
    """:func:`parsed` of what must be a repository's name.

    Raises:
        UserError: it is none.
    """
    found = parsed(text)
    if found is None:
        raise UserError(f"{text} is no name on the Hub: write OWNER/NAME or OWNER/NAME@REVISION.")
    return found
