"""What a killed run leaves behind, so that the next one goes on: chunks of observations, notes and masks."""

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lca_dataparsers.processing.notes import FrameNote
from lca_dataparsers.processing.observations import ClipObservations
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path, read_json, write_json

LAYOUT = 2
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

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        run = path / "run.json"
        if run.exists() and read_json(run).get("settings") != settings:
            shutil.rmtree(path)
        try:
            (path / "masks").mkdir(parents=True, exist_ok=True)
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

    def add(self, observations: ClipObservations, notes: list[FrameNote], masks: list[np.ndarray | None]) -> None:
        """Write the next chunk; ``masks`` uint8 [h, w] at the stored pictures' size, None where nobody was seen."""
        for note, mask in zip(notes, masks):
            if mask is not None:
                _, encoded = cv2.imencode(".png", mask)
                with atomic_path(self._mask_path(note)) as temporary:
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

    def mask(self, note: FrameNote) -> np.ndarray:
        """The mask of one picture, uint8 [h, w].

        Raises:
            UserError: it is missing.
        """
        mask = cv2.imread(str(self._mask_path(note)), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise UserError(f"{self._mask_path(note)} is missing. Remove {self.path} and run again.")
        return mask

    def remove(self) -> None:
        """Remove the folder, and its parent if that is empty then."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()

    def _notes_path(self, chunk: int) -> Path:
        return self.path / f"chunk_{chunk:05d}.json"

    def _mask_path(self, note: FrameNote) -> Path:
        return self.path / "masks" / f"{note.index:06d}.png"
