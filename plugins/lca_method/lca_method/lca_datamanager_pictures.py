"""The pictures that nerfstudio's viewer shows of a dataset folder or of shards."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.datasets.base_dataset import InputDataset

if TYPE_CHECKING:
    from lca_dataparsers.shards.reader import ShardedDataset


def pictures_to_show(outputs: DataparserOutputs) -> InputDataset:
    """The pictures of a dataparser's outputs."""
    from lca_dataparsers.shards.format import is_shards  # reads Parquet: not needed by --help
    from lca_dataparsers.shards.reader import ShardedDataset

    root = Path(outputs.metadata["dataset_root"])
    return ShardPictures(outputs, ShardedDataset.open(root)) if is_shards(root) else InputDataset(outputs)


class ShardPictures(InputDataset):
    """Some pictures out of shards, for nerfstudio's viewer."""

    def __init__(self, outputs: DataparserOutputs, dataset: "ShardedDataset") -> None:
        from lca_dataparsers.lca_wild_outputs import SHOWN_PEOPLE

        super().__init__(outputs)
        self._dataset = dataset
        if outputs.metadata["group"]:
            dataset.people(outputs.metadata["group"], SHOWN_PEOPLE)

    def get_numpy_image(self, image_idx: int) -> np.ndarray:
        """A picture, uint8 [height, width, 3]."""
        subject, row = self.metadata["rows"][image_idx]
        image = self._dataset.subjects[subject].load(row).image
        return (image.movedim(0, -1).numpy() * 255 + 0.5).astype(np.uint8)
