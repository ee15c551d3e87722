"""The ``lca-wild`` dataparser: a dataset of people filmed by one camera each, split by person or, for one person
alone, by frame."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.dataparsers.base_dataparser import DataParser, DataParserConfig, DataparserOutputs
from nerfstudio.data.scene_box import SceneBox

from lca_shared.cameras import Cameras, to_nerfstudio
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import AvatarDataset


@dataclass
class LCAWildDataParserConfig(DataParserConfig):
    """How a wild dataset is split."""

    _target: type = field(default_factory=lambda: LCAWildDataParser)
    """Target class to instantiate."""
    data: Path = Path("data/people")
    """The dataset's folder."""
    eval_frame_fraction: float = 0.1
    """Where no person is held out: share of the frames held out for evaluation, in a few stretches of time."""
    eval_stretches: int = 4
    """Where no person is held out: stretches of time that are held out, spread over the recording."""
    eval_guard: int = 1
    """Frames on each side of a held-out stretch that are neither trained on nor evaluated."""


@dataclass
class LCAWildDataParser(DataParser):
    """Hands nerfstudio the pictures and cameras of one split.

    ``metadata`` holds ``dataset_root`` and ``rows``: (subject, row) of each picture, in order. A dataset of several
    people is split by person (``subject.json``), one in which nobody is held out by time; ``lca_dataparsers.split``
    says how.
    """

    config: LCAWildDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        from lca_dataparsers.dataset.reader import AvatarDataset  # reads Parquet: not needed by `ns-train --help`
        from lca_dataparsers.split import FrameSplit, rows_of_split

        dataset = AvatarDataset.open(self.config.data)
        if dataset.info.kind != "wild":
            raise UserError(
                f"{dataset.root} is a {dataset.info.kind} dataset; use the dataparser lca-{dataset.info.kind}."
            )
        if split not in ("train", "val", "test"):
            raise ValueError(f"unknown split {split!r}")
        by_time = FrameSplit(
            "time", self.config.eval_frame_fraction, self.config.eval_stretches, self.config.eval_guard
        )
        rows = rows_of_split(dataset, split, by_time)
        if split == "train" and not rows:
            raise UserError(f"{dataset.root} has no subject in the split 'train' (see subject.json of each).")
        subjects = dataset.subjects
        return DataparserOutputs(
            image_filenames=[subjects[subject].image_path(row) for subject, row in rows],
            mask_filenames=[subjects[subject].mask_path(row) for subject, row in rows],
            cameras=_cameras(dataset, rows),
            scene_box=SceneBox(aabb=torch.tensor([[-2.0, -2.0, -2.0], [2.0, 2.0, 2.0]])),
            metadata={"dataset_root": str(dataset.root), "rows": rows},
        )


def _cameras(dataset: "AvatarDataset", rows: list[tuple[str, int]]) -> NerfstudioCameras:
    frames = [dataset.subjects[subject].frames.record(row) for subject, row in rows]
    if not frames:
        return NerfstudioCameras(torch.zeros(0, 3, 4), *(torch.zeros(0, 1) for _ in range(4)), width=1, height=1)
    poses = torch.from_numpy(np.stack([frame.camera_from_world for frame in frames]))
    intrinsics = torch.from_numpy(np.stack([frame.intrinsics for frame in frames]))
    values = to_nerfstudio(Cameras(poses, intrinsics, 1, 1))
    values["width"] = torch.tensor([[frame.width] for frame in frames])
    values["height"] = torch.tensor([[frame.height] for frame in frames])
    return NerfstudioCameras(**values)
