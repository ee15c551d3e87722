"""Lights of a light stage, from the dataset's files through shards to the batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from look_alikes import made_cameras, write_goliath

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.lights import LightPattern, LightRig, read_lights
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.shards.reader import ShardedDataset
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.target_lights import target_lights
from lca_shared.errors import SchemaError, UserError

RIG = LightRig(
    np.arange(9.0).reshape(3, 3),
    (LightPattern((0, 1, 2), (0.25, 0.25, 0.25), True, 0.6), LightPattern((2,), (1.0,), False)),
)


def test_round_trip_and_motion(tmp_path: Path) -> None:
    RIG.save(tmp_path)
    read = read_lights(tmp_path)
    assert read is not None and read.patterns == RIG.patterns
    np.testing.assert_array_equal(read.positions, RIG.positions)
    turn = np.eye(4)
    turn[:3, 3] = 1.0
    np.testing.assert_allclose(RIG.moved(turn).positions, RIG.positions + 1.0)
    assert read_lights(tmp_path / "none") is None
    (tmp_path / "lights.json").write_text('{"kind_of_file": "lights", "schema_version": 1, "positions": 3}')
    with pytest.raises(SchemaError, match=r"lights\.json"):
        read_lights(tmp_path)


def test_targets_tell_full_from_partial_light() -> None:
    lights = target_lights(RIG, [0, 1, -1], 4)
    assert lights.positions.shape == (3, 4, 3) and lights.fully_lit.tolist() == [1, 0, 1]
    assert lights.controlled.tolist() == [1, 1, 0] and lights.ambient.tolist() == pytest.approx([0.6, 0, 0])
    torch.testing.assert_close(lights.positions[1, 0], torch.tensor([6.0, 7, 8]))
    torch.testing.assert_close(lights.intensities.sum(dim=1), torch.tensor([0.75, 1.0, 0.0]))
    with pytest.raises(UserError, match="2 at most"):
        target_lights(RIG, [0], 2)
    with pytest.raises(UserError, match="pattern 5"):
        target_lights(RIG, [5], 4)


def test_lights_reach_the_batch_from_folders_and_shards(tmp_path: Path) -> None:
    folder = write_goliath(tmp_path / "capture", made_cameras())
    assert main(["import", "goliath", str(folder), "--output-dir", str(tmp_path / "D"), "--body", "none"]) == 0
    assert main(["shard", str(tmp_path / "D"), "--output-dir", str(tmp_path / "S")]) == 0
    dataset, shards = AvatarDataset.open(tmp_path / "D"), ShardedDataset.open(tmp_path / "S")
    sizes = CropSizes(16, 16, 16, target_lights=3)
    (person,) = dataset.subjects
    rows = [0, len(dataset.subjects[person]) - 1]  # pattern 0 and pattern 1
    targets = CropReader(dataset, sizes, 10**7).targets(person, rows)
    assert targets.lights is not None and targets.lights.fully_lit.tolist() == [1, 0]
    again = CropReader(shards, sizes, 10**7).targets(shards.block("unused", 0), rows)
    assert again.lights is not None
    torch.testing.assert_close(again.lights.positions, targets.lights.positions)
    both = stacked([targets, again])
    assert both.lights is not None and both.lights.intensities.shape == (2, 2, 3)
    assert CropReader(dataset, CropSizes(16, 16, 16), 10**7).targets(person, rows).lights is None
