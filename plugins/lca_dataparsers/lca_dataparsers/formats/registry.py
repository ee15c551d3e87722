"""Formats by name. Modules are imported when asked for."""

from importlib import import_module
from pathlib import Path

from lca_dataparsers.formats.capture import Capture
from lca_shared.errors import UserError

FORMATS: dict[str, tuple[str, str]] = {
    "goliath": ("goliath", "open_goliath"),
    "ava256": ("ava256", "open_ava256"),
    "actorshq": ("actorshq", "open_actorshq"),
    "dna_rendering": ("dna_rendering", "open_dna_rendering"),
    "neuman": ("neuman", "open_neuman"),
    "nerfstudio": ("transforms_json", "open_transforms"),
}
"""Module and importer (``formats.capture.Importer``) of each format."""


def open_capture(name: str, source: Path) -> Capture:
    """Open a capture of a format.

    Raises:
        UserError: no such format, or the capture cannot be read.
    """
    if name not in FORMATS:
        raise UserError(f"There is no format {name!r}. Choose one of: {', '.join(FORMATS)}.")
    module, function = FORMATS[name]
    return getattr(import_module(f"lca_dataparsers.formats.{module}"), function)(Path(source))
