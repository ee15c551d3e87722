"""People of a dataset as an analysis sees them: a fixed rule says which frames show a person to the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.shards.format import is_shards
from lca_method.batch import ReferenceViews, moved_to
from lca_method.crops import CropReader, frame_scores, frame_weights
from lca_method.sampling import spread_references
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.trained_network import TrainedNetwork

CACHE_BYTES = 64 * 2**20
"""Nobody's pictures are asked for twice."""


@dataclass(frozen=True)
class ShownPeople:
    """A dataset folder, cut into pictures as a model's training cut its own."""

    dataset: AvatarDataset
    reader: CropReader
    device: str

    @staticmethod
    def open(root: Path, trained: "TrainedNetwork") -> "ShownPeople":
        """Open a dataset for a model.

        Raises:
            UserError, SchemaError: it is no dataset folder, or was made for another body model.
        """
        if is_shards(root):
            raise UserError(f"{root} holds shards, which analyses do not read. Unpack them with `lca-data unshard`.")
        dataset = AvatarDataset.open(root)
        for name in ("driven_joints", "shape_names", "expression_names"):
            if tuple(getattr(dataset.info, name)) != tuple(getattr(trained.body, name)):
                raise UserError(
                    f"{root / 'dataset.json'} names other {name} than the model's body {trained.body.name!r}. "
                    "Make the dataset again with this release."
                )
        return ShownPeople(dataset, CropReader(dataset, trained.sizes, CACHE_BYTES), str(trained.device))

    def reference_rows(self, subject: str, count: int) -> tuple[int, ...]:
        """Rows that show a person, spread over the recording as in evaluation; none if no frame is usable."""
        usable = np.flatnonzero(frame_weights(self.dataset, subject).numpy() > 0).tolist()
        scores = frame_scores(self.dataset, subject)[usable].tolist()
        return spread_references(usable, scores, count) if usable else ()

    def references(self, subject: str, count: int) -> ReferenceViews:
        """The pictures of :meth:`reference_rows`, on the model's device.

        Raises:
            UserError: there is no such person, or no usable frame, or a picture is missing or broken.
        """
        known = self.dataset.subjects
        if subject not in known:
            some = ", ".join(list(known)[:8]) + (" ..." if len(known) > 8 else "")
            raise UserError(f"{self.dataset.root} has no subject {subject!r}. It has: {some or 'nobody'}.")
        rows = self.reference_rows(subject, count)
        if not rows:
            raise UserError(f"No frame of {subject!r} in {self.dataset.root} is usable. See `lca-data inspect`.")
        return moved_to(self.reader.references(subject, rows), self.device)

    def shape(self, subject: str) -> Float[Tensor, "coefficients"]:
        """A person's shape, on the model's device."""
        return self.dataset.subjects[subject].shape.to(self.device)
