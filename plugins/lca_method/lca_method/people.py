"""A dataset folder or shards as training and evaluation see them: whom to draw, whom to evaluate."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_dataparsers.dataset.schema import DatasetInfo
from lca_dataparsers.shards.reader import ShardedDataset, ShardedSubject, open_dataset
from lca_method.crops import PeopleDataset, frame_scores
from lca_method.sampling import SubjectFrames
from lca_method.subject_sources import Balance, FolderSource, ShardSource, SubjectSource
from lca_shared.body.compact_body import CompactBody
from lca_shared.errors import UserError

SHOWN_PEOPLE = 32
"""People of shards whom the viewer offers."""

Row = tuple[str, int]


@dataclass(frozen=True)
class People:
    """One dataset. Ids carry the prefix that tells the datasets of a mixture apart."""

    dataset: PeopleDataset
    source: SubjectSource
    """Of training."""
    train: list[SubjectFrames]
    """People who are trained on; of shards, some of them."""
    evaluated: list[SubjectFrames]


@dataclass(frozen=True)
class SourceOptions:
    """How people are drawn."""

    balance: Balance
    window: int
    """Blocks of shards read together; 0 = single pictures."""
    most_evaluated: int
    """People evaluated at most, evenly chosen; -1 = all."""
    seed: int


def people_of(
    root: Path, train: Sequence[Row], held_out: Sequence[Row], split: str, options: SourceOptions, prefix: str = ""
) -> People:
    """Whom a dataset offers.

    Args:
        root: a dataset folder or a folder of shards.
        train: (subject, row) of what a folder trains on; shards know it themselves.
        held_out: (subject, row) of what is evaluated; the same.
        split: ``val`` or ``test``.
        options: how people are drawn.
        prefix: comes before ids.

    Raises:
        UserError: nobody has two usable frames, or a file is missing or broken.
    """
    dataset = open_dataset(root)
    evaluated = evaluated_people(dataset, train, held_out, split, options.most_evaluated, prefix)
    if isinstance(dataset, ShardedDataset):
        if not dataset.shards.groups["train"].blocks:
            raise UserError(f"{dataset.root} has nobody with two usable frames in its training split.")
        source = ShardSource(dataset, options.balance, options.seed, options.window, prefix)
        return People(dataset, source, trained_people(dataset, train, prefix), evaluated)
    people = trained_people(dataset, train, prefix)
    if not people:
        raise UserError(
            f"{dataset.root} has nobody with two usable frames in its training split. "
            "See `lca-data inspect` for what is wrong with the frames."
        )
    return People(dataset, FolderSource(people, options.balance, options.seed), people, evaluated)


def trained_people(
    dataset: AvatarDataset | ShardedDataset, train: Sequence[Row], prefix: str = ""
) -> list[SubjectFrames]:
    """People who are trained on, with two usable frames or more; of shards :data:`SHOWN_PEOPLE` of them, evenly
    chosen.

    Args: as of :func:`people_of`.
    """
    if isinstance(dataset, ShardedDataset):
        shown = [(name, dataset.subjects[name]) for name in dataset.people("train", SHOWN_PEOPLE)]
        rows = {name: list(person.trained_rows) for name, person in shown if isinstance(person, ShardedSubject)}
    else:
        rows = {name: rows for name, rows in _usable(dataset, train).items() if len(rows) > 1}
    return [_frames(dataset, name, own, own, prefix) for name, own in rows.items()]


def evaluated_people(
    dataset: AvatarDataset | ShardedDataset,
    train: Sequence[Row],
    held_out: Sequence[Row],
    split: str,
    most: int,
    prefix: str = "",
) -> list[SubjectFrames]:
    """Whom evaluation shows to a model. Somebody who is trained on is looked at in training frames, others in their
    own.

    Args: as of :func:`people_of`; ``most``: so many people at most, evenly chosen, -1 for all.
    """
    evaluated = []
    if isinstance(dataset, ShardedDataset):
        group = dataset.held_out_group(split)
        for name in dataset.people(group, most) if group else []:
            person = dataset.subjects[name]
            assert isinstance(person, ShardedSubject)
            own = person.held_out_rows
            evaluated.append(_frames(dataset, name, person.trained_rows or own, own, prefix))
        return evaluated
    trained, own = _usable(dataset, train), _usable(dataset, held_out)
    for name in _spread(list(own), most):
        evaluated.append(_frames(dataset, name, trained.get(name, own[name]), own[name], prefix))
    return evaluated


def check_body(info: DatasetInfo, body: CompactBody, root: Path) -> None:
    """Find out whether a dataset's numbers are those of a model's body.

    Raises:
        UserError: joints, shapes or expressions have other names.
    """
    for name in ("driven_joints", "shape_names", "expression_names"):
        if tuple(getattr(info, name)) != tuple(getattr(body, name)):
            raise UserError(
                f"{root} names other {name} than the model's body {body.name!r}. Make the dataset again with this "
                "release."
            )


def _usable(dataset: AvatarDataset, rows: Sequence[Row]) -> dict[str, list[int]]:
    usable: dict[str, list[int]] = defaultdict(list)
    for name, row in rows:
        if dataset.subjects[name].frames.weights[row] > 0:
            usable[name].append(int(row))
    return dict(usable)


def _frames(
    dataset: PeopleDataset, name: str, references: Sequence[int], targets: Sequence[int], prefix: str
) -> SubjectFrames:
    scores, moments = frame_scores(dataset, name), dataset.subjects[name].frames["frame"]
    return SubjectFrames(
        prefix + name,
        tuple(references),
        tuple(float(scores[row]) for row in references),
        tuple(targets),
        tuple(int(moments[row]) for row in references),
    )


def _spread(names: list[str], most: int) -> list[str]:
    if most < 0 or most >= len(names):
        return names
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, most).round().astype(int))]


@dataclass(frozen=True)
class MixedDataset:
    """Several datasets as one: people's ids begin with their dataset's prefix."""

    parts: Mapping[str, PeopleDataset]
    """By prefix; all with the same body."""

    @property
    def info(self) -> DatasetInfo:
        """What the numbers mean; kind, source and licence are the first dataset's."""
        return next(iter(self.parts.values())).info

    @property
    def subjects(self) -> Mapping[str, Subject]:
        """People by id."""
        return _PrefixedPeople(self.parts)


class _PrefixedPeople(Mapping[str, Subject]):
    def __init__(self, parts: Mapping[str, PeopleDataset]) -> None:
        self._parts = parts

    def __getitem__(self, name: str) -> Subject:
        for prefix, part in self._parts.items():
            if name.startswith(prefix):
                return part.subjects[name.removeprefix(prefix)]
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (prefix + name for prefix, part in self._parts.items() for name in part.subjects)

    def __len__(self) -> int:
        return sum(len(part.subjects) for part in self._parts.values())


def prefixes(roots: Sequence[Path]) -> list[str]:
    """What comes before the ids of each dataset's people: nothing for one dataset, else the folders' names."""
    if len(roots) == 1:
        return [""]
    names = [Path(root).name for root in roots]
    return [f"{name}:" if names.count(name) == 1 else f"{name}-{i}:" for i, name in enumerate(names)]


def together(people: Mapping[str, People], roots: Sequence[Path]) -> PeopleDataset:
    """The datasets of a mixture as one.

    Raises:
        UserError: they describe different bodies.
    """
    parts = {prefix: part.dataset for prefix, part in people.items()}
    if len(parts) == 1:
        return next(iter(parts.values()))
    first, *others = (part.info for part in parts.values())
    for name in ("body_model", "driven_joints", "shape_names", "expression_names"):
        for root, other in zip(roots[1:], others):
            if getattr(first, name) != getattr(other, name):
                raise UserError(f"{root} has another {name} than {roots[0]}. Make both with the same release.")
    return MixedDataset(parts)
