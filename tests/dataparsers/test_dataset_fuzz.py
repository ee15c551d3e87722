"""Damaged datasets, shards, videos and photos: each is read, or refused by one clear message; nothing is written
elsewhere.
"""

import io
import json
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from clips import person_like, write_video
from small_people import write_people

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.processing.decode import open_source
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.reader import ShardedDataset
from lca_dataparsers.shards.unshard_command import UnshardConfig
from lca_dataparsers.shards.unshard_command import run as unshard
from lca_dataparsers.shards.writing import write_shards
from lca_shared.errors import UserError

FEW, MANY = 60, 1000
VALUES = ("null", "-1", "1e999", "NaN", "[]", '"x"', '"../../etc/passwd"', "99999999999999999999", "{}", "true")


def damaged_bytes(content: bytes, dice: random.Random) -> bytes:
    """Cut, emptied, changed, lengthened or replaced by noise."""
    data, place = bytearray(content), dice.randrange(len(content) + 1)
    kind = dice.choice(["cut", "empty", "flip", "insert", "remove", "noise"])
    if kind == "cut":
        del data[place:]
    elif kind == "empty":
        data.clear()
    elif kind == "flip":
        for _ in range(dice.randrange(1, 9)):
            if data:
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    elif kind == "insert":
        data[place:place] = dice.randbytes(dice.randrange(1, 40))
    elif kind == "remove":
        del data[place : place + dice.randrange(1, 200)]
    else:
        data = bytearray(dice.randbytes(min(len(data), 4096)))
    return bytes(data)


def damaged_json(content: bytes, dice: random.Random) -> bytes:
    """A value of another type, a key less, or damaged bytes."""
    try:
        tree = json.loads(content)
    except ValueError:
        return damaged_bytes(content, dice)
    if not isinstance(tree, dict) or not tree or dice.random() < 0.3:
        return damaged_bytes(content, dice)
    node, key = tree, dice.choice(list(tree))
    while isinstance(node[key], dict) and node[key] and dice.random() < 0.7:
        node, key = node[key], dice.choice(list(node[key]))
    if dice.random() < 0.3:
        del node[key]
        return json.dumps(tree).encode()
    node[key] = "@here@"
    return json.dumps(tree).replace('"@here@"', dice.choice(VALUES)).encode()


def damaged_table(content: bytes, dice: random.Random) -> bytes:
    """A column less, of another type, of NaN, of paths that lead out, or of no rows; or damaged bytes."""
    if dice.random() < 0.4:
        return damaged_bytes(content, dice)
    table = parquet.read_table(io.BytesIO(content))
    name = dice.choice(table.column_names)
    at = table.column_names.index(name)
    kind = dice.choice(["drop", "text", "number", "lists", "path", "none"])
    if kind == "drop":
        table = table.drop_columns([name])
    elif kind == "none":
        table = table.slice(0, 0)
    else:
        rows = len(table)
        values = {
            "text": ["x"] * rows,
            "number": [float("nan")] * rows,
            "lists": [[float("nan")] * dice.randrange(5) for _ in range(rows)],
            "path": ["../../../../etc/passwd"] * rows,
        }[kind]
        table = table.set_column(at, name, [values])
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


def damage(path: Path, dice: random.Random) -> None:
    content = path.read_bytes()
    kind = {".json": damaged_json, ".parquet": damaged_table}.get(path.suffix, damaged_bytes)
    path.write_bytes(kind(content, dice))


def all_files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


def survives(work: Callable[[], object]) -> bool:
    """Whether ``work`` ended well; the only other way is a UserError of one paragraph."""
    try:
        work()
    except UserError as error:
        assert 10 < len(str(error)) < 2000 and "Traceback" not in str(error)
        return False
    return True


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("fuzz") / "people", {"ann": "train", "bob": "val"}, frames=4)


@pytest.fixture(scope="module")
def shards(people: Path) -> Path:
    folder = people.parent / "shards"
    write_shards(ShardConfig(people, folder, block_frames=4))
    return folder


def read_dataset(root: Path) -> None:
    dataset = AvatarDataset.open(root)
    for subject in dataset.subjects.values():
        assert np.isfinite(subject.frames.weights).all()
        for row in range(len(subject)):
            subject.load(row)


def read_shards(root: Path) -> None:
    shards = ShardedDataset.open(root)
    for group in ("train", "val", "test"):
        for name in shards.people(group, -1):
            subject = shards.subjects[name]
            for row in range(len(subject)):
                subject.load(row)


def fuzz(whole: Path, place: Path, times: int, work: Callable[[Path], object], seed: int) -> int:
    """Damage one file of a copy again and again; how often that was noticed."""
    refused = 0
    outside = place.parent / "outside"
    outside.mkdir(parents=True, exist_ok=True)
    for number in range(times):
        dice = random.Random(1000 * seed + number)
        if place.exists():
            shutil.rmtree(place)
        shutil.copytree(whole, place)
        victim = dice.choice(all_files(place))
        damage(victim, dice)
        try:
            refused += not survives(lambda: work(place))
        except Exception as error:
            raise AssertionError(f"case {number}: {victim.relative_to(place)}: {type(error).__name__}") from error
    assert list(outside.iterdir()) == []
    return refused


@pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_damaged_datasets(people: Path, tmp_path: Path, times: int) -> None:
    assert fuzz(people, tmp_path / "data", times, read_dataset, 1) > times // 4


@pytest.mark.parametrize("times", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_damaged_shards(shards: Path, tmp_path: Path, times: int) -> None:
    assert fuzz(shards, tmp_path / "data", times, read_shards, 2) > times // 10


@pytest.mark.parametrize("times", [FEW // 2, pytest.param(MANY // 2, marks=pytest.mark.slow)])
def test_damaged_shards_are_not_unpacked(shards: Path, tmp_path: Path, times: int) -> None:
    def unpack(root: Path) -> None:
        target = tmp_path / "unpacked"
        shutil.rmtree(target, ignore_errors=True)
        unshard(UnshardConfig(root, target))

    fuzz(shards, tmp_path / "data", times, unpack, 3)
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "unpacked", "outside"}


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "ann/files/../../../evil", "ann/files/a\x00b", "C:\\evil"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_members_that_lead_out_are_refused(shards: Path, tmp_path: Path, name: str, kind: bytes) -> None:
    copy = tmp_path / "shards"
    shutil.copytree(shards, copy)
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    content = b"evil" if kind == tarfile.REGTYPE else b""
    member.size = len(content)
    with tarfile.open(copy / "files-00000.tar", "a") as tar:
        tar.addfile(member, io.BytesIO(content))
    assert not survives(lambda: unshard(UnshardConfig(copy, tmp_path / "out" / "data")))
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize("times", [FEW // 2, pytest.param(MANY, marks=pytest.mark.slow)])
def test_damaged_videos_and_photos(tmp_path: Path, times: int) -> None:
    import cv2

    picture = person_like((50, 30, 110, 210))
    whole = [write_video(tmp_path / f"a{suffix}", [picture] * 6) for suffix in (".mp4", ".mkv", ".avi")]
    for suffix in (".jpg", ".png", ".webp", ".tiff"):
        cv2.imwrite(str(tmp_path / f"b{suffix}"), picture)
        whole.append(tmp_path / f"b{suffix}")

    def read(path: Path) -> None:
        for taken in open_source(path).pictures():
            assert taken.image.dtype == np.uint8 and taken.image.ndim == 3

    for number in range(times):
        dice = random.Random(number)
        original = dice.choice(whole)
        broken = tmp_path / f"broken{original.suffix}"
        broken.write_bytes(damaged_bytes(original.read_bytes(), dice))
        try:
            survives(lambda path=broken: read(path))
        except Exception as error:
            raise AssertionError(f"case {number}: {original.name}: {type(error).__name__}: {error}") from error
