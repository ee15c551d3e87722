"""A capture that comes as one archive: unpacked into a folder, and nowhere else."""

import os
import shutil
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from lca_shared.errors import UserError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
MOST_BYTES = 4 * 10**12
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, ValueError, RuntimeError)
"""What zipfile and tarfile raise for archives that are cut off, changed, encrypted or compressed in unknown ways."""


def is_archive(path: Path) -> bool:
    """Whether ``path`` is a file that :func:`unpack` takes."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack plain files of a zip or tar archive into ``folder``; all of it, or nothing.

    Raises:
        UserError: it is damaged, larger than the disk, or a member leads out of the folder or is a link or device.
    """
    work = folder.with_name(f".{folder.name}.{os.getpid()}.unpacking")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(parents=True)
        if archive.name.lower().endswith(".zip"):
            _unzip(archive, work)
        else:
            _untar(archive, work)
        os.rename(work, folder)
    except _DAMAGED as error:
        raise UserError(f"{archive} is not a readable archive ({error}). Download it again.") from error
    except OSError as error:
        raise UserError(
            f"{archive} cannot be unpacked to {folder} ({error}). Free some space, or unpack it yourself."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _unzip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as file:
        members = file.infolist()
        _check_size(archive, sum(member.file_size for member in members), folder)
        for member in members:
            if member.is_dir():
                continue
            kind = (member.external_attr >> 16) & 0o170000
            _check_plain(archive, member.filename, kind in (0, 0o100000))
        for member in members:
            if not member.is_dir():
                with file.open(member) as stream:
                    _write(folder / member.filename, stream)


def _untar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as file:
        members = file.getmembers()
        _check_size(archive, sum(member.size for member in members), folder)
        for member in members:
            _check_plain(archive, member.name, member.isfile() or member.isdir())
        for member in members:
            if member.isfile():
                stream = file.extractfile(member)
                assert stream is not None
                _write(folder / member.name, stream)
        assert file.fileobj is not None
        while file.fileobj.read(1 << 20):  # the checksum lies behind the end that tarfile stops at
            pass


def _check_plain(archive: Path, name: str, plain: bool) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        raise UserError(f"{archive} holds {name!r}, which leads out of the archive. Nothing was unpacked.")
    if not plain:
        raise UserError(f"{archive} holds {name!r}, which is a link or a device. Nothing was unpacked.")


def _check_size(archive: Path, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size > min(MOST_BYTES, free):
        raise UserError(
            f"{archive} needs {size / 1e9:.1f} GB unpacked; {free / 1e9:.1f} GB are free in {folder.parent}."
        )


def _write(path: Path, stream) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(stream, file)
