"""The synthetic light stage: its lights are the exact truth of its pictures."""

from pathlib import Path

import numpy as np
import pytest

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.reader import ShardedDataset
from lca_dataparsers.shards.unpacking import unpack
from lca_dataparsers.shards.writing import write_shards
from lca_dataparsers.synthetic.light_stage import (
    LIGHTS,
    LIT,
    MIDDLE,
    POWER,
    RADIUS,
    StageLight,
    pattern_of,
    shade_on_stage,
    stage_light,
    stage_rig,
)
from lca_dataparsers.synthetic.person import person_mesh, random_appearance
from lca_dataparsers.synthetic.scene import Scene


def test_the_dome_and_its_patterns() -> None:
    rig = stage_rig(3)
    np.testing.assert_allclose(np.linalg.norm(rig.positions - MIDDLE, axis=1), RADIUS)
    assert rig.patterns[0].fully_lit and len(rig.patterns[0].lights) == LIGHTS
    assert all(len(p.lights) == LIT and not p.fully_lit for p in rig.patterns[1:])
    assert [pattern_of(moment) for moment in range(5)] == [0, 1, 0, 2, 0]
    np.testing.assert_array_equal(stage_rig(3).positions, rig.positions)
    assert np.abs(stage_rig(4).positions - rig.positions).max() > 0.1


def test_light_adds_up_falls_off_and_is_blocked() -> None:
    person = random_appearance(0, 0)
    mesh = person_mesh(person)
    scene = Scene(mesh, mesh.rest)
    origin = np.array([0.0, -3.0, 0.1], np.float32)
    aim = np.stack([np.linspace(-0.1, 0.1, 40), np.full(40, 3.0), np.linspace(-0.3, 0.3, 40)], -1).astype(np.float32)
    view = aim / np.linalg.norm(aim, axis=1, keepdims=True)
    hit, hits = scene.first_hits(origin, view)
    view = view[hit]
    assert len(view) > 20
    front, behind = np.array([[0.0, -2.8, 0.2]]), np.array([[0.0, 2.8, 0.2]])
    one = shade_on_stage(person, scene, StageLight(front, np.ones(1)), hits, view)
    assert one.max() > 0.01 and np.isfinite(one).all()
    np.testing.assert_array_equal(shade_on_stage(person, scene, StageLight(behind, np.ones(1)), hits, view), 0.0)
    both = StageLight(np.concatenate([front, front]), np.array([0.3, 0.7]))
    np.testing.assert_allclose(shade_on_stage(person, scene, both, hits, view), one, rtol=1e-4, atol=1e-6)
    far = shade_on_stage(person, scene, StageLight(front * [1, 2, 1], np.ones(1)), hits, view)
    ratio = far[one > 0.02] / one[one > 0.02]
    assert 0.2 < np.median(ratio) < 0.3  # twice as far: a quarter
    assert one.max() < 2 * POWER


def test_synth_studio_with_lights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--kind", "studio", "--lights", "--subjects", "1", "--frames", "2", "--cameras", "2", "--size", "48"]
    assert main(["synth", "--output-dir", str(tmp_path / "D"), *options, "--workers", "1"]) == 0
    (person,) = AvatarDataset.open(tmp_path / "D").subjects.values()
    assert person.lights is not None and person.frames["light_pattern"].tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(person.lights.positions, stage_rig(0).positions)
    assert stage_light(person.lights, 1).intensities.shape == (LIT,)
    lit, partly = person.load(0), person.load(2)
    inside = lit.mask > 0.9
    assert float(lit.image[:, inside[0]].mean()) > 0.15
    outside = partly.mask < 0.1
    assert float(partly.image[:, outside[0]].mean()) < 0.15
    assert main(["synth", "--output-dir", str(tmp_path / "E"), "--lights"]) == 1
    assert "--kind studio" in capsys.readouterr().err


def test_lights_come_through_shards_bit_by_bit(tmp_path: Path) -> None:
    """Read from a block, of a whole person, and unpacked."""
    options = ["--kind", "studio", "--lights", "--subjects", "1", "--frames", "2", "--cameras", "2", "--size", "48"]
    assert main(["synth", "--output-dir", str(tmp_path / "D"), *options, "--workers", "1"]) == 0
    (person,) = AvatarDataset.open(tmp_path / "D").subjects.values()
    assert person.lights is not None
    write_shards(ShardConfig(tmp_path / "D", tmp_path / "S"))
    sharded = ShardedDataset.open(tmp_path / "S")
    assert sharded.people("train", -1) == [person.id]
    block = sharded.block("train", 0).read_ahead()
    for lights in (sharded.subjects[person.id].lights, block.lights):
        assert lights is not None and lights.patterns == person.lights.patterns
        np.testing.assert_array_equal(lights.positions, person.lights.positions)
    assert block.frames["light_pattern"].tolist() == person.frames["light_pattern"][block.rows].tolist()
    unpack(tmp_path / "S", tmp_path / "back")
    before, after = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "D", tmp_path / "back")
    )
    assert before == after and any(path.endswith("lights.json") for path in before)
