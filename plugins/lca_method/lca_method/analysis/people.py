"""People of a dataset as an analysis sees them: a fixed rule says which frames show a person to the model."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.shards.reader import ShardedDataset, open_dataset
from lca_method.batch import ReferenceViews, moved_to
from lca_method.crops import CropReader, frame_scores, frame_weights
from lca_method.people import check_body
from lca_method.sampling import spread_references
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.trained_network import TrainedNetwork

CACHE_BYTES = 64 * 2**20
"""Nobody's pictures are asked for twice."""
Split = Literal["all", "train", "held-out"]
_GROUPS: dict[Split, tuple[str, ...]] = {
    "all": ("train", "val", "test"),
    "train": ("train",),
    "held-out": ("val", "test"),
}
"""Of shards in which people are held out."""


@dataclass(frozen=True)
class ShownPeople:
    """A dataset folder or shards, cut into pictures as a model's training cut its own."""

    dataset: AvatarDataset | ShardedDataset
    reader: CropReader
    device: str

    @staticmethod
    def open(root: Path, trained: "TrainedNetwork", lights: int = 0) -> "ShownPeople":
        """Open a dataset for a model.

        Args:
            root: its folder.
            trained: pictures are cut as in its training.
            lights: of a picture, told at most (``CropSizes.target_lights``); 0 = none is asked for.

        Raises:
            UserError, SchemaError: it is no dataset, or was made for another body model.
        """
        dataset = open_dataset(root)
        check_body(dataset.info, trained.body, dataset.root)
        sizes = replace(trained.sizes, target_lights=lights)
        return ShownPeople(dataset, CropReader(dataset, sizes, CACHE_BYTES), str(trained.device))

    def names(self, split: Split = "all") -> Iterator[str]:
        """Ids of everybody, of those in ``train``, or of the others. Of shards, people without two usable frames are
        not among them."""
        names: Iterable[str] = self.dataset.subjects
        if isinstance(self.dataset, ShardedDataset):
            groups = _GROUPS[split if self.dataset.shards.by_person else "all"]
            known = [group for group in groups if group in self.dataset.shards.groups]
            names = dict.fromkeys(name for group in known for name in self.dataset.people(group, -1))
        for name in names:
            if split == "all" or (self.dataset.subjects[name].info.split == "train") == (split == "train"):
                yield name

    def reference_rows(self, subject: str, count: int) -> tuple[int, ...]:
        """Rows that show a person, spread over the recording as in evaluation; none if no frame is usable.

        Raises:
            UserError: there is no such person.
        """
        dataset = self.dataset
        if not (dataset.find(subject) if isinstance(dataset, ShardedDataset) else subject in dataset.subjects):
            known = list(islice(self.names(), 9))
            some = ", ".join(known[:8]) + (" ..." if len(known) > 8 else "")
            raise UserError(f"{dataset.root} has no subject {subject!r}. It has: {some or 'nobody'}.")
        usable = np.flatnonzero(frame_weights(dataset, subject).numpy() > 0).tolist()
        scores = frame_scores(dataset, subject)[usable].tolist()
        return spread_references(usable, scores, count) if usable else ()

    def references(self, subject: str, count: int) -> ReferenceViews:
        """The pictures of :meth:`reference_rows`, on the model's device.

        Raises:
            UserError: there is no such person, or no usable frame, or a picture is missing or broken.
        """
        rows = self.reference_rows(subject, count)
        if not rows:
            raise UserError(f"No frame of {subject!r} in {self.dataset.root} is usable. See `lca-data inspect`.")
        return moved_to(self.reader.references(subject, rows), self.device)

    def shape(self, subject: str) -> Float[Tensor, "coefficients"]:
        """A person's shape, on the model's device."""
        return self.dataset.subjects[subject].shape.to(self.device)
