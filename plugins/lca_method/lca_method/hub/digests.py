"""Checksums as the Hub keeps them: SHA-256 of large files, git's SHA-1 of small ones."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from lca_shared.errors import UserError

_BLOCK = 1 << 20


def digest(path: Path, expected: str) -> str:
    """The checksum of a file, of the kind that ``expected`` is (64 digits: SHA-256; 40: SHA-1 of a git blob)."""
    sum_ = hashlib.sha256() if len(expected) == 64 else hashlib.sha1(b"blob %d\0" % path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            sum_.update(block)
    return sum_.hexdigest()


def check_digests(expected: Mapping[Path, str], name: object) -> None:
    """Compare files with their checksums; those that differ are removed, so that they are fetched again.

    Args:
        expected: checksums by file; what a symbolic link leads to is removed with it.
        name: the repository they came from.

    Raises:
        UserError: at least one differs.
    """
    damaged = [(path, found) for path, wanted in expected.items() if (found := digest(path, wanted)) != wanted]
    for path, _ in damaged:
        _remove(path)
    if damaged:
        path, found = damaged[0]
        others = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        raise UserError(
            f"{name}: {path.name}{others} came damaged (checksum {found[:12]}..., {expected[path][:12]}... expected) "
            "and was removed. Run the same command again to fetch it anew."
        )


def _remove(path: Path) -> None:
    while path.is_symlink():
        target = path.parent / path.readlink()
        path.unlink()
        path = target
    path.unlink(missing_ok=True)
