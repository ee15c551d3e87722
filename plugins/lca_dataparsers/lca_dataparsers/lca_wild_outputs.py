"""What the dataparsers hand nerfstudio: pictures and cameras of one split, from a folder or from shards."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from nerfstudio.cameras.cameras import Cameras as NerfstudioCameras
from nerfstudio.data.dataparsers.base_dataparser import DataparserOutputs
from nerfstudio.data.scene_box import SceneBox

from lca_shared.cameras import Cameras, to_nerfstudio
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import Subject
    from lca_dataparsers.shards.reader import ShardedDataset
    from lca_dataparsers.split import FrameSplit, Row

SHOWN_PEOPLE = 16
"""People of a folder of shards whose pictures nerfstudio's viewer gets to see."""
SHOWN_FRAMES = 4
"""Pictures of each of them."""


def dataset_outputs(root: Path, kind: str, split: str, frame_split: "FrameSplit") -> DataparserOutputs:
    """The outputs of a dataset folder or a folder of shards.

    ``metadata`` holds ``dataset_root`` and ``rows``: (subject, row) of each picture, in order. Of shards, in which
    splits were fixed when they were written, these are a few pictures to show, out of ``group``.

    Raises:
        UserError: it is of another kind, or has nobody to train on.
    """
    from lca_dataparsers.dataset.schema import SHARDS_FILE
    from lca_dataparsers.shards.reader import ShardedDataset, open_dataset  # Parquet: not for `ns-train --help`
    from lca_dataparsers.split import rows_of_split

    if split not in ("train", "val", "test"):
        raise ValueError(f"unknown split {split!r}")
    dataset = open_dataset(root)
    if dataset.info.kind != kind:
        raise UserError(f"{dataset.root} is a {dataset.info.kind} dataset; use the dataparser lca-{dataset.info.kind}.")
    metadata: dict[str, Any] = {"dataset_root": str(dataset.root)}
    if isinstance(dataset, ShardedDataset):
        group = "train" if split == "train" else dataset.held_out_group(split)
        rows = _shown_rows(dataset, group)
        metadata["group"] = group
        images, masks = [dataset.root / SHARDS_FILE] * len(rows), None
    else:
        rows = rows_of_split(dataset, split, frame_split)  # type: ignore[arg-type]
        images = [dataset.subjects[name].image_path(row) for name, row in rows]
        masks = [dataset.subjects[name].mask_path(row) for name, row in rows]
    if split == "train" and not rows:
        raise UserError(f"{dataset.root} has no subject in the split 'train' (see subject.json of each).")
    return DataparserOutputs(
        image_filenames=images,
        mask_filenames=masks,
        cameras=_cameras(dataset.subjects, rows),
        scene_box=SceneBox(aabb=torch.tensor([[-2.0, -2.0, -2.0], [2.0, 2.0, 2.0]])),
        metadata={**metadata, "rows": rows},
    )


def _shown_rows(dataset: "ShardedDataset", group: str | None) -> "list[Row]":
    rows = []
    for name in dataset.people(group, SHOWN_PEOPLE) if group else []:
        count = len(dataset.subjects[name])
        picked = np.unique(np.linspace(0, count - 1, min(SHOWN_FRAMES, count)).astype(int))
        rows += [(name, int(row)) for row in picked]
    return rows


def _cameras(subjects: "Mapping[str, Subject]", rows: "list[Row]") -> NerfstudioCameras:
    frames = [subjects[subject].frames.record(row) for subject, row in rows]
    if not frames:
        return NerfstudioCameras(torch.zeros(0, 3, 4), *(torch.zeros(0, 1) for _ in range(4)), width=1, height=1)
    poses = torch.from_numpy(np.stack([frame.camera_from_world for frame in frames]))
    intrinsics = torch.from_numpy(np.stack([frame.intrinsics for frame in frames]))
    values = to_nerfstudio(Cameras(poses, intrinsics, 1, 1))
    values["width"] = torch.tensor([[frame.width] for frame in frames])
    values["height"] = torch.tensor([[frame.height] for frame in frames])
    return NerfstudioCameras(**values)
