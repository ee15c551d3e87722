"""Damaged captures give one clear error, and nothing is written outside the output folder."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from look_alikes import (
    made_cameras,
    write_actorshq,
    write_ava256,
    write_dna_rendering,
    write_goliath,
    write_neuman,
    write_transforms,
)

from lca_dataparsers.dataset.sources import SourceReader
from lca_dataparsers.formats.registry import open_capture
from lca_shared.errors import UserError

WRITERS: dict[str, Callable[[Path], Path]] = {
    "goliath": lambda root: write_goliath(root, made_cameras(2)),
    "ava256": lambda root: write_ava256(root, made_cameras(2, 46, 71), (0.1, 0.0, 0.0, 0.0)),
    "actorshq": lambda root: write_actorshq(root, made_cameras(2)),
    "dna_rendering": lambda root: write_dna_rendering(root, made_cameras(2), (0.1, 0.0, 0.0, 0.0, 0.0)),
    "neuman": lambda root: write_neuman(root, made_cameras(2)),
    "nerfstudio": lambda root: write_transforms(root, made_cameras(2)),
}
WORDS = (b"NaN", b"null", b"-1", b"1e999", b"[]", b'"x"', b"../../etc/passwd", b"99999999999999999999", b"\x00", b"{}")


def damaged(path: Path, dice: random.Random) -> str:
    """Damage a file in one of several ways; says how."""
    content = bytearray(path.read_bytes())
    kind = dice.choice(["truncate", "empty", "flip", "insert", "remove", "word", "noise"])
    place = dice.randrange(len(content) + 1)
    if kind == "truncate":
        content = content[:place]
    elif kind == "empty":
        content = bytearray()
    elif kind == "flip" and content:
        for _ in range(dice.randrange(1, 8)):
            content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    elif kind == "insert":
        content[place:place] = dice.randbytes(dice.randrange(1, 64))
    elif kind == "remove":
        del content[place : place + dice.randrange(1, 64)]
    elif kind == "word":
        content[place : place + dice.randrange(0, 6)] = dice.choice(WORDS)
    else:
        content = bytearray(dice.randbytes(dice.randrange(1, 2000)))
    path.write_bytes(bytes(content))
    return f"{path.name}: {kind} at {place}"


def try_damage(name: str, whole: Path, source: Path, work: Path, dice: random.Random) -> bool:
    """Damage a copy of a capture and read all of it; True if that was refused. Anything but a UserError fails."""
    copy = work / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    files = sorted(p for p in copy.rglob("*") if p.is_file())
    small = [p for p in files if p.suffix in (".json", ".csv", ".txt", ".smc")]
    chosen = dice.choice(small if small and dice.random() < 0.6 else files)
    if dice.random() < 0.08:
        chosen.unlink()
        what = f"{chosen.name} removed"
    else:
        what = damaged(chosen, dice)
    before = sorted(p for p in work.rglob("*"))
    try:
        capture = open_capture(name, copy / source.relative_to(whole))
        reader = SourceReader(capture.root)
        try:
            for view in capture.views:
                camera = capture.cameras[view.camera]
                reader.image(view.image, camera.treatment)
                if view.mask is not None:
                    reader.mask(view.mask, camera.treatment)
        finally:
            reader.close()
    except UserError as error:
        assert len(str(error)) > 20, what
        return True
    except Exception as error:
        raise AssertionError(f"{name}: {what} gave {type(error).__name__}: {error}") from error
    finally:
        assert sorted(p for p in work.rglob("*")) == before
    return False


def _fuzz(name: str, tmp_path: Path, rounds: int, seed: int) -> None:
    whole, work = tmp_path / "whole", tmp_path / "work"
    work.mkdir()
    source = WRITERS[name](whole)
    dice = random.Random(seed)
    refused = sum(try_damage(name, whole, source, work, dice) for _ in range(rounds))
    assert refused > rounds // 8


@pytest.mark.parametrize("name", WRITERS)
def test_damaged_captures(name: str, tmp_path: Path) -> None:
    _fuzz(name, tmp_path, 40, 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_thousands_of_damaged_captures(name: str, tmp_path: Path) -> None:
    _fuzz(name, tmp_path, 500, 2)
