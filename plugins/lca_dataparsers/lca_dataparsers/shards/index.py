"""Single records and byte ranges out of files, without mapping or holding the files."""

import os
import threading
from collections import OrderedDict
from io import BufferedReader
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from lca_dataparsers.shards.format import BLOCK, Group, subject_record
from lca_shared.errors import SchemaError, UserError


class OpenFiles:
    """Byte ranges of the files of a folder; keeps the last few files open. Safe to use from several threads."""

    def __init__(self, root: Path, most_open: int = 32) -> None:
        self.root, self._most_open = Path(root), most_open
        self._files: OrderedDict[str, BufferedReader] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, name: str, offset: int, size: int) -> bytes:
        """``size`` bytes of a file from ``offset`` on.

        Raises:
            UserError: the file is missing, unreadable or too short.
        """
        file = self._file(name)
        parts, got = [], 0
        try:
            while got < size:
                part = os.pread(file.fileno(), size - got, offset + got)
                if not part:
                    raise UserError(
                        f"{self.root / name} ends before byte {offset + size}, where its index still sees content. "
                        "Copy it again, or make the shards again."
                    )
                parts.append(part)
                got += len(part)
        except OSError as error:
            raise UserError(f"Cannot read {self.root / name}: {error.strerror}.") from error
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "_most_open": self._most_open}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"], state["_most_open"])

    def _file(self, name: str) -> BufferedReader:
        with self._lock:
            if name in self._files:
                self._files.move_to_end(name)
                return self._files[name]
            try:
                file = open(self.root / name, "rb")  # closed when nobody holds it any more
            except OSError as error:
                raise UserError(
                    f"Cannot read {self.root / name}: {error.strerror}. Copy it again, or make the shards again."
                ) from error
            self._files[name] = file
            while len(self._files) > self._most_open:
                self._files.popitem(last=False)
            return file


class RecordFile:
    """A ``.npy`` file with one axis, read a few records at a time."""

    def __init__(self, files: OpenFiles, name: str, fields: np.dtype) -> None:
        """Args: where it is, its name there, the fields it must have (byte strings of any length).

        Raises:
            SchemaError: it is no such file.
            UserError: it cannot be read.
        """
        self._files, self.path = files, files.root / name
        try:
            with open(self.path, "rb") as file:
                version = np.lib.format.read_magic(file)
                shape, _, dtype = getattr(np.lib.format, f"read_array_header_{version[0]}_0")(file)
                self._start = file.tell()
        except (OSError, ValueError, AttributeError, TypeError, SyntaxError, TokenError) as error:
            raise UserError(f"{self.path} is not a readable index ({error}). Make the shards again.") from error
        same = dtype.names == fields.names and all(
            dtype[name] == fields[name] or dtype[name].kind == fields[name].kind == "S" for name in fields.names or ()
        )
        if len(shape) != 1 or not same or dtype.hasobject:
            raise SchemaError(f"{self.path} has other fields than this release reads. Make the shards again.")
        self.dtype, self._length = dtype, int(shape[0])

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> np.void:
        """One record."""
        if not 0 <= number < self._length:
            raise IndexError(f"{self.path} has {self._length} records, not one numbered {number}")
        return self.range(number, 1)[0]

    def range(self, first: int, count: int) -> np.ndarray:
        """``count`` records from ``first`` on."""
        size = self.dtype.itemsize
        return np.frombuffer(self._files.read(self.path.name, self._start + first * size, count * size), self.dtype)


class GroupIndex:
    """The records of one group of frames."""

    def __init__(self, files: OpenFiles, name: str, group: Group) -> None:
        """Args: the folder's files, the group's name, what ``shards.json`` says about it.

        Raises:
            SchemaError, UserError: an index file is missing, broken or does not fit.
        """
        self.name, self.info = name, group
        self.subjects = RecordFile(files, f"{name}.subjects.npy", subject_record(1))
        self.blocks = RecordFile(files, f"{name}.blocks.npy", BLOCK)
        if (len(self.subjects), len(self.blocks)) != (group.subjects, group.blocks):
            raise SchemaError(f"{self.subjects.path} and shards.json do not belong together. Make the shards again.")

    def blocks_of(self, subject: int) -> range:
        """Numbers of a person's blocks."""
        record = self.subjects[subject]
        first, blocks = int(record["first_block"]), int(record["blocks"])
        if first < 0 or blocks < 1 or first + blocks > len(self.blocks):
            raise SchemaError(f"{self.subjects.path} names blocks that do not exist. Make the shards again.")
        return range(first, first + blocks)

    def id_of(self, subject: int) -> str:
        """A person's id.

        Raises:
            SchemaError: what stands there is no text.
        """
        try:
            return bytes(self.subjects[subject]["id"]).decode()
        except UnicodeDecodeError as error:
            raise SchemaError(f"{self.subjects.path} is damaged ({error}). Make the shards again.") from error

    def number_of(self, name: str) -> int | None:
        """Number of the person with an id; None if there is none."""
        wanted = name.encode()
        for first in range(0, len(self.subjects), _RECORDS_READ):
            count = min(_RECORDS_READ, len(self.subjects) - first)
            found = np.flatnonzero(self.subjects.range(first, count)["id"] == wanted)
            if len(found):
                return first + int(found[0])
        return None


_RECORDS_READ = 4096
"""Records of an index read together."""
