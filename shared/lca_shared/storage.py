"""Files that are whole or absent: atomic writes, and JSON with a schema version."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lca_shared.errors import SchemaError, UserError


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends well.

    The temporary file has the same suffix, so that writers that look at it work. If the block raises, the
    temporary file is removed and ``path`` keeps what it held.

    Raises:
        UserError: the folder cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Choose a folder you may write to.") from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write ``content`` to ``path`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        UserError: the file is missing or is not a JSON object.
    """
    try:
        content = json.loads(Path(path).read_text())
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid JSON ({error}).") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} does not hold a JSON object.")
    return content


def check_schema(content: dict[str, Any], path: Path, kind: str, version: int) -> None:
    """Refuse content of another kind or schema version.

    Raises:
        SchemaError: naming ``path``, what was found and what this release reads.
    """
    found_kind, found = content.get("kind_of_file"), content.get("schema_version")
    if found_kind != kind:
        raise SchemaError(f"{path} is not a {kind} file (it says {found_kind!r}).")
    if found != version:
        raise SchemaError(
            f"{path} has {kind} schema version {found}; this release reads version {version}. "
            f"Write it again with this release, or install the release that wrote it."
        )
