"""The one place that knows what a user means by the name of a model, an avatar or a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lca_method.hub.hub_id import parsed
from lca_method.hub.kinds import MODEL, Kind
from lca_method.hub.shipped import SHIPPED
from lca_shared.errors import UserError


@dataclass(frozen=True)
class Resolved:
    """Something found."""

    path: Path
    """On this machine."""
    origin: Literal["local", "shipped", "hub"]
    name: str
    """As the user gave it."""


def resolve(place: str | Path, kind: Kind) -> Resolved:
    """Find a path on this machine, a model that is shipped (``demo``), or ``OWNER/NAME[@REVISION]`` on the Hub.

    A path that exists wins. What comes from the Hub is fetched into its cache and verified.

    Args:
        place: what the user gave.
        kind: what it must be; how it is read is the caller's matter.

    Raises:
        UserError: it is none of these, or cannot be fetched.
    """
    text = place.as_posix() if isinstance(place, Path) else place
    path = Path(text).expanduser()
    if path.exists():
        return Resolved(path, "local", text)
    if kind is MODEL and text in SHIPPED:
        if not (SHIPPED[text].folder / "model.safetensors").is_file():
            raise UserError(f"The model {text!r} is not part of this installation: name another with --model.")
        return Resolved(SHIPPED[text].folder, "shipped", text)
    hub = parsed(text)
    if hub is None:
        shipped = f", a model that is shipped ({', '.join(SHIPPED)})" if kind is MODEL else ""
        raise UserError(
            f"{text} does not exist. Name a {kind.name} on this machine{shipped}, or OWNER/NAME or OWNER/NAME@REVISION "
            "on the Hugging Face Hub."
        )
    from lca_method.hub.fetching import cached

    try:
        return Resolved(cached(hub, kind), "hub", text)
    except UserError as error:
        raise UserError(
            f"There is no {text} on this machine, so it was looked for on the Hugging Face Hub. {error}"
        ) from error
