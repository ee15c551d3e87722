"""Shards: the round trip, what a reader finds, resuming, and refusing what is broken or hostile."""

import io
import json
import tarfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_people import write_people

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.dataset.schema import SHARDS_FILE
from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_dataparsers.shards.blocks import blocks_of_rows, choices
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.format import read_info
from lca_dataparsers.shards.reader import ShardedDataset
from lca_dataparsers.shards.unpacking import unpack
from lca_dataparsers.shards.writing import ShardWriter, write_shards
from lca_dataparsers.split import FrameSplit, rows_of_split
from lca_shared.errors import SchemaError, UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = {"anna": "train", "b.2": "train", "cleo": "train", "dora": "val", "emil": "test"}
    root = write_people(tmp_path_factory.mktemp("people") / "people", splits)
    (root / "subjects" / "anna" / "overlays").mkdir()
    (root / "subjects" / "anna" / "overlays" / "note.v1.txt").write_text("kept too")
    return root


@pytest.fixture(scope="module")
def shards(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("shards") / "shards"
    write_shards(ShardConfig(folder, output, shard_megabytes=1, block_frames=4))
    return output


def content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@given(
    views=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    block_frames=st.integers(4, 40),
    seed=st.integers(0, 9),
)
def test_blocks_hold_every_row_once(views: list[int], block_frames: int, seed: int) -> None:
    moments = np.repeat(np.arange(len(views)), views)
    rows = np.flatnonzero(np.arange(len(moments)) % 5 != seed)
    blocks = blocks_of_rows(moments, rows, block_frames, f"{seed}")
    assert sorted(row for block in blocks for row in block) == rows.tolist()
    assert all(0 < len(block) <= block_frames for block in blocks)
    for block in blocks:
        most = choices(moments[block])
        counts = Counter(moments[block].tolist())
        assert 0 <= most < len(block)
        if len(counts) > 1:
            assert all(len(block) - views >= most for views in counts.values())


def test_round_trip_is_bit_exact(folder: Path, shards: Path, tmp_path: Path) -> None:
    assert unpack(shards, tmp_path / "back") == (5, 0)
    assert content(tmp_path / "back") == content(folder)
    assert unpack(shards, tmp_path / "back") == (5, 5)


def test_blocks_have_the_pictures_and_rows_of_the_dataset(folder: Path, shards: Path) -> None:
    dataset, sharded = AvatarDataset.open(folder), ShardedDataset.open(shards)
    assert sharded.info == dataset.info
    train = sharded.group("train")
    seen: Counter[tuple[str, int]] = Counter()
    for person in range(len(train.subjects)):
        for number in train.blocks_of(person):
            block = sharded.block("train", number)
            if number % 2:
                block.read_ahead()
            whole = dataset.subjects[block.id]
            assert block.id == train.id_of(person) and torch.equal(block.shape, whole.shape)
            for row in range(len(block)):
                mine, theirs = block.load(row), whole.load(int(block.rows[row]))
                assert torch.equal(mine.image, theirs.image) and torch.equal(mine.mask, theirs.mask)
                assert torch.equal(mine.pose.joint_rotations, theirs.pose.joint_rotations)
                seen[block.id, int(block.rows[row])] += 1
    assert sorted(seen) == rows_of_split(dataset, "train") and set(seen.values()) == {1}


def test_a_whole_person_is_put_together(folder: Path, shards: Path) -> None:
    sharded, dataset = ShardedDataset.open(shards), AvatarDataset.open(folder)
    assert sharded.people("val", -1) == ["dora"] and sharded.people("train", 2) != []
    dora, truth = sharded.subjects["dora"], dataset.subjects["dora"]
    assert len(dora) == len(truth) and torch.equal(dora.load(5).image, truth.load(5).image)
    np.testing.assert_array_equal(dora.frames["joint_rotations"], truth.frames["joint_rotations"])


def test_masks_of_garments_come_through_bit_by_bit(tmp_path: Path) -> None:
    """Of a person with them, of one with some and of one without: read from blocks, whole, and unpacked."""
    root = write_people(tmp_path / "d", {"anna": "train", "bea": "train", "carl": "train", "dora": "val"}, frames=4)
    dataset = AvatarDataset.open(root)
    for name, rows in (("anna", range(4)), ("bea", (1, 2))):
        subject = dataset.subjects[name]
        for row in rows:
            path = subject.garment_path(row)
            path.parent.mkdir(exist_ok=True)
            cv2.imwrite(str(path), cv2.imread(str(subject.mask_path(row)), cv2.IMREAD_GRAYSCALE) // (2 + row))
    write_shards(ShardConfig(root, tmp_path / "s", block_frames=4))
    sharded = ShardedDataset.open(tmp_path / "s")
    assert sorted(sharded.people("train", -1)) == ["anna", "bea", "carl"]
    known = Counter()
    for name in ("anna", "bea", "carl"):
        person, whole = sharded.subjects[name], dataset.subjects[name]
        (number,) = sharded.group("train").blocks_of(sharded.group("train").number_of(name))
        block = sharded.block("train", number).read_ahead()
        for row in range(4):
            truth = whole.load(row).garment
            for found in (person.load(row).garment, block.load(block.rows.tolist().index(row)).garment):
                assert (truth is None) == (found is None)
                assert truth is None or torch.equal(truth, found)
            known[name] += truth is not None
    assert known == {"anna": 4, "bea": 2, "carl": 0}
    unpack(tmp_path / "s", tmp_path / "back")
    assert content(tmp_path / "back") == content(root)
    for name in ("anna", "bea"):  # shards made while there were no such masks are not taken for these
        for path in dataset.subjects[name].garment_path(0).parent.iterdir():
            path.unlink()
        dataset.subjects[name].garment_path(0).parent.rmdir()
    with pytest.raises(UserError, match="other data"):
        write_shards(ShardConfig(root, tmp_path / "s", block_frames=4))


def test_frames_held_out_in_time_know_their_person(tmp_path: Path) -> None:
    root = write_people(tmp_path / "one", {"anna": "train"}, frames=12)
    write_shards(ShardConfig(root, tmp_path / "s", split=FrameSplit("time", 0.25, 1, 1)))
    sharded, dataset = ShardedDataset.open(tmp_path / "s"), AvatarDataset.open(root)
    rule = FrameSplit("time", 0.25, 1, 1)
    anna = sharded.subjects[sharded.people("val", 1)[0]]
    frames = anna.frames["frame"]
    assert [("anna", frames[r]) for r in anna.trained_rows] == rows_of_split(dataset, "train", rule)
    assert [("anna", frames[r]) for r in anna.held_out_rows] == rows_of_split(dataset, "val", rule)
    assert sharded.shards.groups["unused"].rows == 12 - len(anna)


def test_a_studio_is_split_as_its_dataparser_does(tmp_path: Path) -> None:
    """By camera, with no option given: shards, the dataparser and an evaluation hold out the same pictures."""
    root = write_people(tmp_path / "one", {"anna": "train"}, frames=3, cameras=4)
    write_shards(ShardConfig(root, tmp_path / "s"))
    sharded, dataset = ShardedDataset.open(tmp_path / "s"), AvatarDataset.open(root)
    anna = sharded.subjects[sharded.people("val", 1)[0]]
    held_out = {(int(anna.frames["frame"][r]), str(anna.frames["camera"][r])) for r in anna.held_out_rows}
    parser = LCAStudioDataParserConfig(data=root).setup()
    rows = [row for _, row in parser.get_dataparser_outputs("test").metadata["rows"]]
    assert [("anna", row) for row in rows] == rows_of_split(dataset, "test")
    table = dataset.subjects["anna"].frames
    assert held_out == {(int(table["frame"][row]), str(table["camera"][row])) for row in rows}
    assert len({camera for _, camera in held_out}) == 1 and len(held_out) == 3


def test_webdataset_reads_every_block_as_a_sample(shards: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    info = read_info(shards)
    urls = [str(shards / name) for name in info.groups["train"].shards]
    samples = list(webdataset.WebDataset(urls, shardshuffle=False))
    assert len(samples) == info.groups["train"].blocks
    for sample in samples:
        pictures = [name for name in sample if name.endswith((".image.png", ".mask.png"))]
        assert "rows.parquet" in sample and len(pictures) >= 2 and len(pictures) % 2 == 0


def test_a_killed_run_goes_on_and_gives_the_same_bytes(
    folder: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = ShardConfig(folder, tmp_path / "s", shard_megabytes=1, block_frames=4)
    monkeypatch.setattr("lca_dataparsers.shards.writing.MEGABYTE", 60_000)
    whole, shard_count = write_shards(replace(config, output_dir=tmp_path / "whole"))
    real, calls = ShardWriter._write_shard, []

    def dies(self, path, pieces):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(path)
        return real(self, path, pieces)

    with monkeypatch.context() as patched:
        patched.setattr(ShardWriter, "_write_shard", dies)
        with pytest.raises(KeyboardInterrupt):
            write_shards(config)
    with pytest.raises(UserError, match="not a folder of shards"):
        read_info(tmp_path / "s")
    info, written = write_shards(config)
    assert info == whole and written == shard_count - 3 > 0
    assert content(tmp_path / "s") == content(tmp_path / "whole")
    assert write_shards(config) == (whole, 0)
    with pytest.raises(UserError, match="other data or settings"):
        write_shards(replace(config, seed=1))


def test_the_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shard", str(folder), "--output-dir", str(tmp_path / "s"), "--shard-megabytes", "2"]) == 0
    assert main(["unshard", str(tmp_path / "s"), "--output-dir", str(tmp_path / "d")]) == 0
    assert content(tmp_path / "d") == content(folder)
    assert "Next:" in capsys.readouterr().out
    assert main(["unshard", str(folder), "--output-dir", str(tmp_path / "e")]) == 1
    assert str(folder) in capsys.readouterr().err


def test_inspect_shows_shards(folder: Path, shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheets = []
    for root in (folder, shards):
        options = ["--sheet", str(tmp_path / "sheet.png"), "--frames", "2", "--size", "64"]
        assert main(["inspect", str(root), *options]) == 0
        said = capsys.readouterr().out
        assert "dora" in said and "anna" in said and "studio" not in said
        sheets.append(cv2.imread(str(tmp_path / "sheet.png")))
    assert sheets[0].shape == sheets[1].shape and sheets[1].std() > 10  # the same people, in another order


def test_a_person_is_found_by_id(shards: Path) -> None:
    sharded = ShardedDataset.open(shards)
    assert sharded.find("dora") and sharded.subjects["dora"].id == "dora"
    assert sharded.find("anna") and sharded.find("anna")
    assert not sharded.find("zoe") and "zoe" not in sharded.subjects


def test_a_command_for_datasets_says_what_shards_are(shards: Path) -> None:
    with pytest.raises(UserError, match="lca-data unshard"):
        AvatarDataset.open(shards)


def rewritten(shards: Path, target: Path, **changes: object) -> Path:
    """The shards with other values in shards.json."""
    target.mkdir()
    for path in shards.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    described = json.loads((target / SHARDS_FILE).read_text())
    (target / SHARDS_FILE).write_text(json.dumps({**described, **changes}))
    return target


def test_other_versions_and_broken_files_are_refused(shards: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"shards.json has shards schema version 99"):
        ShardedDataset.open(rewritten(shards, tmp_path / "version", schema_version=99))
    with pytest.raises(SchemaError, match=r"\.\./secret.tar"):
        ShardedDataset.open(rewritten(shards, tmp_path / "name", files=["../secret.tar"]))
    short = rewritten(shards, tmp_path / "short")
    tar = short / read_info(short).groups["train"].shards[0]
    tar.write_bytes(tar.read_bytes()[:5000])
    sharded = ShardedDataset.open(short)
    with pytest.raises(UserError, match="train-00000"):
        for number in range(sharded.shards.groups["train"].blocks):
            sharded.block("train", number).read_ahead()
    with pytest.raises(UserError, match="train-00000"):
        unpack(short, tmp_path / "unpacked")


HOSTILE = {
    "../../evil.txt": "outside its folder",
    "/etc/evil": "outside its folder",
    "anna/files/../../../evil.txt": "outside its folder",
    "anna/whatever": "no part of a dataset",
}


@pytest.mark.parametrize("name", [*HOSTILE, "a link"])
def test_hostile_members_write_nothing_outside(shards: Path, tmp_path: Path, name: str) -> None:
    bad = rewritten(shards, tmp_path / "bad")
    with tarfile.open(bad / "files-00000.tar", "w") as tar:
        if name == "a link":
            link = tarfile.TarInfo("anna/files/subject.json")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        else:
            header = tarfile.TarInfo(name)
            header.size = 4
            tar.addfile(header, io.BytesIO(b"evil"))
    with pytest.raises(UserError, match=HOSTILE.get(name, "no plain file")):
        unpack(bad, tmp_path / "deep" / "er" / "out")
    assert not list(tmp_path.rglob("evil*"))
