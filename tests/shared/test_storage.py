"""Files are whole or absent; JSON of another kind or version is refused by name."""

import os
from pathlib import Path

import pytest

from lca_shared.errors import SchemaError, UserError
from lca_shared.storage import atomic_path, check_schema, read_json, write_json


def test_json_round_trip_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.json"
    write_json(path, {"x": [1, 2.5, None], "y": "ä"})
    assert read_json(path) == {"x": [1, 2.5, None], "y": "ä"}
    assert os.listdir(path.parent) == ["b.json"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        assert temporary.suffix == ".bin" and temporary.parent == tmp_path
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["data.bin"]


def test_written_files_have_usual_permissions(tmp_path: Path) -> None:
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_text("")
    with atomic_path(atomic) as temporary:
        temporary.write_text("")
    assert atomic.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/inside"), atomic_path(tmp_path / "file" / "inside"):
        pass


@pytest.mark.parametrize("content", ["", "{", "[1]", "\udcff"])
def test_what_is_not_a_json_object_is_named(content: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content.encode("utf8", "surrogateescape"))
    with pytest.raises(UserError, match=r"broken\.json"):
        read_json(path)
    with pytest.raises(UserError, match="does not exist"):
        read_json(tmp_path / "missing.json")


def test_schema(tmp_path: Path) -> None:
    path = tmp_path / "dataset.json"
    good = {"kind_of_file": "dataset", "schema_version": 2}
    check_schema(good, path, "dataset", 2)
    with pytest.raises(SchemaError, match=r"dataset\.json has dataset schema version 2; this release reads version 3"):
        check_schema(good, path, "dataset", 3)
    with pytest.raises(SchemaError, match="not a avatar file"):
        check_schema(good, path, "avatar", 2)
    with pytest.raises(SchemaError):
        check_schema({}, path, "dataset", 2)
