"""What a killed run leaves behind, so that the next one goes on: chunks of observations, notes, masks and pictures."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lca_dataparsers.processing.notes import FrameNote
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, read_json, write_json
from lca_shared.tensors import UInt8

LAYOUT = 4
"""Raised when what is kept here changes, so that older leftovers are not read."""


def fingerprint(settings: dict[str, Any], files: tuple[Path, ...]) -> str:
    """A hash of everything that detections depend on: settings, and the files' names, sizes and dates."""
    stamps = [(file.name, (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    content = json.dumps([LAYOUT, settings, stamps], sort_keys=True, default=str)
    return hashlib.sha256(content.encode()).hexdigest()


class WorkFolder:
    """The folder of one subject while it is being made.

    A chunk counts once its notes are there; they are written last. Leftovers of other settings are removed.

    Args:
        path: made if absent.
        settings: see :func:`fingerprint`.
        write_image: writes a picture (uint8 [h, w, 3] RGB) as a JPEG at a path; None = pictures are not kept.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(
        self, path: Path, settings: str, write_image: Callable[[Path, np.ndarray], None] | None = None
    ) -> None:
        self.path, self._write_image = path, write_image
        run = path / "run.json"
        if run.exists() and read_json(run).get("settings") != settings:
            shutil.rmtree(path)
        try:
            for name in ("images", "masks"):
                (path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror}. Choose a folder you may write to.") from error
        if not run.exists():
            write_json(run, {"settings": settings})
        self.chunks = 0
        while self._notes_path(self.chunks).exists():
            self.chunks += 1

    @property
    def finished(self) -> bool:
        """Whether all chunks of the source are here."""
        return (self.path / "finished.json").exists()

    @property
    def notices(self) -> list[str]:
        """What the source had to say when it was read to its end."""
        return read_json(self.path / "finished.json")["notices"] if self.finished else []

    def finish(self, notices: list[str]) -> None:
        """All chunks are written."""
        write_json(self.path / "finished.json", {"notices": notices})

    def add(
        self,
        observations: ClipObservations,
        notes: list[FrameNote],
        images: list[UInt8[np.ndarray, "h w 3"]],
        masks: list[UInt8[np.ndarray, "h w"] | None],
    ) -> None:
        """Write the next chunk; pictures and masks at the size they are stored in, None where nobody was seen."""
        for note, image, mask in zip(notes, images, masks, strict=True):
            if self._write_image is not None:
                self._write_image(self.image_path(note), image)
            if mask is not None:
                _, encoded = cv2.imencode(".png", mask)
                with atomic_path(self.mask_path(note)) as temporary:
                    temporary.write_bytes(encoded.tobytes())
        observations.save(self.path / f"chunk_{self.chunks:05d}.npz")
        write_json(self._notes_path(self.chunks), {"notes": [asdict(note) for note in notes]})
        self.chunks += 1

    def load(self) -> tuple[list[ClipObservations], list[FrameNote]]:
        """All chunks so far, and the notes of all their pictures."""
        notes = []
        for chunk in range(self.chunks):
            notes += [FrameNote(**note) for note in read_json(self._notes_path(chunk))["notes"]]
        return [ClipObservations.load(self.path / f"chunk_{chunk:05d}.npz") for chunk in range(self.chunks)], notes

    def image(self, note: FrameNote, long_side: int) -> UInt8[np.ndarray, "h w 3"]:
        """One picture, RGB; it may have fewer pixels than were kept, as long as its long side has ``long_side``.

        Raises:
            UserError: it is missing.
        """
        size = max(note.width, note.height)
        reduced = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
        flag = next((flag for part, flag in reduced.items() if size >= part * long_side), cv2.IMREAD_COLOR)
        return cv2.cvtColor(self._read(self.image_path(note), flag), cv2.COLOR_BGR2RGB)

    def mask(self, note: FrameNote) -> UInt8[np.ndarray, "h w"]:
        """The mask of one picture.

        Raises:
            UserError: it is missing.
        """
        return self._read(self.mask_path(note), cv2.IMREAD_GRAYSCALE)

    def image_path(self, note: FrameNote) -> Path:
        """Where a picture is kept."""
        return self.path / "images" / f"{note.index:06d}.jpg"

    def mask_path(self, note: FrameNote) -> Path:
        """Where a picture's mask is kept."""
        return self.path / "masks" / f"{note.index:06d}.png"

    def remove(self) -> None:
        """Remove the folder, and its parent if that is empty then."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def _notes_path(self, chunk: int) -> Path:
        return self.path / f"chunk_{chunk:05d}.json"

    def _read(self, path: Path, flag: int) -> np.ndarray:
        pixels = cv2.imread(str(path), flag)
        if pixels is None:
            raise UserError(f"{path} is missing. Remove {self.path} and run again.")
        return pixels
