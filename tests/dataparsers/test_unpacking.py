"""Captures that come as one archive: whole, or one message and nothing left behind."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lca_dataparsers.formats.unpacking import unpack
from lca_shared.errors import UserError

CONTENT = np.random.default_rng(0).integers(0, 16, 20_000, np.uint8).tobytes()


def _archive(folder: Path, suffix: str) -> Path:
    path, member = folder / f"capture{suffix}", folder / "member.bin"
    member.write_bytes(CONTENT)
    if suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            file.write(member, "a/member.bin")
    else:
        with tarfile.open(path, "w:gz" if suffix == ".tgz" else "w") as file:
            file.add(member, "a/member.bin")
    member.unlink()
    return path


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tgz"])
def test_an_archive_holds_its_files(tmp_path: Path, suffix: str) -> None:
    unpack(_archive(tmp_path, suffix), tmp_path / "out")
    assert (tmp_path / "out/a/member.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("suffix", [".zip", ".tgz"])
@pytest.mark.parametrize("place", [60, 300, 5000])
def test_a_changed_byte_is_noticed(tmp_path: Path, suffix: str, place: int) -> None:
    """In the compressed stream: zlib's own error, or a checksum that does not fit."""
    path = _archive(tmp_path, suffix)
    damaged = bytearray(path.read_bytes())
    damaged[place : place + 8] = bytes(255 - value for value in damaged[place : place + 8])
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"not a readable archive|cannot be unpacked"):
        unpack(path, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
