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

Row = tuple[str, int]


@dataclass
class LCAWildDataParserConfig(DataParserConfig):
    """How a wild dataset is split."""

    _target: type = field(default_factory=lambda: LCAWildDataParser)
    """Target class to instantiate."""
    data: Path = Path("data/people")
    """The dataset's folder."""
    eval_frame_fraction: float = 0.1
    """One person alone: share of the frames held out for evaluation, in a few stretches of time."""
    eval_stretches: int = 4
    """One person alone: stretches of time that are held out, spread over the recording."""


@dataclass
class LCAWildDataParser(DataParser):
    """Hands nerfstudio the pictures and cameras of one split.

    ``metadata`` holds ``dataset_root`` and ``rows``: (subject, row) of each picture, in order. A dataset of several
    people is split by person (``subject.json``); ``val`` and ``test`` stand in for each other where one is empty.
    """

    config: LCAWildDataParserConfig

    def _generate_dataparser_outputs(self, split: str = "train", **kwargs: Any) -> DataparserOutputs:
        from lca_dataparsers.dataset.reader import AvatarDataset  # reads Parquet: not needed by `ns-train --help`

        dataset = AvatarDataset.open(self.config.data)
        if dataset.info.kind != "wild":
            raise UserError(
                f"{dataset.root} is a {dataset.info.kind} dataset; use the dataparser lca-{dataset.info.kind}."
            )
        rows = rows_of_split(dataset, split, self.config.eval_frame_fraction, self.config.eval_stretches)
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


def rows_of_split(dataset: "AvatarDataset", split: str, fraction: float, stretches: int) -> list[Row]:
    """(subject, row) of each picture in a split, person by person."""
    if len(dataset.subjects) == 1:
        (subject,) = dataset.subjects.values()
        held_out = held_out_rows(len(subject), fraction, stretches)
        return [(subject.id, row) for row in range(len(subject)) if (row in held_out) == (split != "train")]
    splits = {subject.info.split for subject in dataset.subjects.values()}
    if split != "train" and split not in splits:
        split = {"val": "test", "test": "val"}[split]
    return [(s.id, row) for s in dataset.subjects.values() if s.info.split == split for row in range(len(s))]


def held_out_rows(count: int, fraction: float, stretches: int) -> set[int]:
    """Rows kept from training: ``stretches`` runs of neighbouring rows, spread over ``count`` rows.

    Whole stretches are held out because a frame between two training frames is nearly one of them. At least one row
    is held out of two or more.
    """
    if count < 2:
        return set()
    wanted = min(max(1, round(count * fraction)), count - 1)
    stretches = min(max(1, stretches), wanted)
    held_out: set[int] = set()
    for index, part in enumerate(np.array_split(np.arange(wanted), stretches)):
        middle = (index + 0.5) * count / stretches
        first = min(max(0, round(middle - len(part) / 2)), count - len(part))
        held_out |= set(range(first, first + len(part)))
    return held_out


def _cameras(dataset: "AvatarDataset", rows: list[Row]) -> NerfstudioCameras:
    frames = [dataset.subjects[subject].frames.record(row) for subject, row in rows]
    if not frames:
        return NerfstudioCameras(torch.zeros(0, 3, 4), *(torch.zeros(0, 1) for _ in range(4)), width=1, height=1)
    poses = torch.from_numpy(np.stack([frame.camera_from_world for frame in frames]))
    intrinsics = torch.from_numpy(np.stack([frame.intrinsics for frame in frames]))
    values = to_nerfstudio(Cameras(poses, intrinsics, 1, 1))
    values["width"] = torch.tensor([[frame.width] for frame in frames])
    values["height"] = torch.tensor([[frame.height] for frame in frames])
    return NerfstudioCameras(**values)
