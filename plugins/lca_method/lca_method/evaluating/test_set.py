"""The held-out people of a dataset, as ``ns-eval`` would show them to a model, without nerfstudio."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lca_dataparsers.shards.reader import ShardedDataset, open_dataset
from lca_dataparsers.split import Row, rows_of_split
from lca_method.batch import SubjectBatch, stacked
from lca_method.crops import CropReader
from lca_method.people import check_body, evaluated_people, trained_people
from lca_method.sampling import Draw, SubjectFrames, evaluation_draws
from lca_method.trained_network import TrainedNetwork
from lca_shared.errors import UserError

CACHE_BYTES = 512 * 2**20
"""Decoded crops are looked at again with other numbers of references."""


@dataclass(frozen=True)
class TestSet:
    """People to evaluate, each with references and targets chosen by rule."""

    __test__ = False  # of pytest

    reader: CropReader
    draws: Sequence[Draw]
    trained: Sequence[SubjectFrames]
    """The dataset's own people in ``train`` (of shards: some), to whom probes may be fitted."""

    @staticmethod
    def open(root: Path, model: TrainedNetwork, references: int, targets: int, most_people: int) -> "TestSet":
        """Held-out people of a dataset folder or of shards; where nobody is held out, held-out frames.

        Args:
            root: the dataset.
            model: its picture sizes are used.
            references: reference views of a person.
            targets: pictures of a person, spread evenly; -1 for all.
            most_people: the first so many people; -1 for all.

        Raises:
            UserError: it is no dataset, was made for another body, or nobody in it can be evaluated.
        """
        dataset = open_dataset(root)
        check_body(dataset.info, model.body, dataset.root)
        train: list[Row] = []
        held_out: list[Row] = []
        if not isinstance(dataset, ShardedDataset):  # shards know their splits
            train, held_out = rows_of_split(dataset, "train"), rows_of_split(dataset, "test")
        evaluated = evaluated_people(dataset, train, held_out, "test", model.settings.eval_subjects)
        draws = evaluation_draws(evaluated, references, targets)
        draws = draws[:most_people] if most_people >= 0 else draws
        if not draws:
            raise UserError(f"{root} has nobody to evaluate: no held-out people and no held-out frames.")
        reader = CropReader(dataset, replace(model.sizes, target_garments=True), CACHE_BYTES)
        return TestSet(reader, draws, trained_people(dataset, train))

    def batch(self, draw: Draw, row: int) -> SubjectBatch:
        """References of ``draw`` and one target, on the CPU, with one leading axis (subjects)."""
        return stacked([self.reader.batch(draw.subject, draw.references, [row])])
