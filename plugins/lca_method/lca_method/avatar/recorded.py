"""A processed video, or any dataset, as something to move by: whose rows, in which order."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_shared.errors import UserError


@dataclass(frozen=True)
class Recorded:
    """A person of a dataset who moved."""

    dataset: AvatarDataset
    name: str

    @property
    def person(self) -> Subject:
        """The person."""
        return self.dataset.subjects[self.name]

    @property
    def rows(self) -> list[int]:
        """Usable frames in the order of time; of a studio capture each moment counts once."""
        return moments(self.person)


def moments(person: Subject) -> list[int]:
    """A person's usable frames in the order of time; of a studio capture each moment counts once."""
    usable = np.flatnonzero(person.frames.weights > 0)
    _, first = np.unique(person.frames["time"][usable], return_index=True)
    return usable[first].tolist()


def recorded(path: Path, subject: str | None = None) -> Recorded:
    """Somebody in a dataset folder, or in one person's folder in it.

    Args:
        path: of the folder.
        subject: which person; it may be left out if there is one.

    Raises:
        UserError: there is no such person.
    """
    if path.parent.name == "subjects" and not (path / "dataset.json").exists():
        path, subject = path.parent.parent, path.name
    dataset = AvatarDataset.open(path)
    some = ", ".join(list(dataset.subjects)[:8])
    if subject is None and len(dataset.subjects) != 1:
        raise UserError(f"{path} holds {len(dataset.subjects)} people ({some} ...): say which with --subject.")
    if subject is not None and subject not in dataset.subjects:
        raise UserError(f"{path} has no subject {subject!r}. It has: {some}.")
    return Recorded(dataset, subject or next(iter(dataset.subjects)))
