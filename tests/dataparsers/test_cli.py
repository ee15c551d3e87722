"""``lca-data``: one line for what the user did wrong, quick help."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lca_dataparsers import cli
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_shared.errors import UserError


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err.strip()
    assert "\n" not in error and "Traceback" not in error
    return error


def test_synth_and_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "people"
    sizes = ["--subjects", "1", "--frames", "2", "--size", "48", "--workers", "1"]
    assert cli.main(["synth", "--output-dir", str(root), *sizes]) == 0
    assert f"lca-data inspect {root}" in capsys.readouterr().out
    assert len(AvatarDataset.open(root).subjects) == 1
    assert cli.main(["inspect", str(root), "--size", "64"]) == 0
    output = capsys.readouterr().out
    assert "person_0000" in output and "inspect.png" in output
    assert (root / "inspect.png").stat().st_size > 1000


def test_bad_input_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inspect", str(tmp_path / "nothing")]) == 1
    assert "not a dataset" in one_line(capsys)
    assert cli.main(["synth", "--output-dir", str(tmp_path / "d"), "--subjects", "0"]) == 1
    assert "--subjects" in one_line(capsys)
    (tmp_path / "file").write_text("")
    assert cli.main(["synth", "--output-dir", str(tmp_path / "file" / "d"), "--workers", "1"]) == 1
    assert "Cannot write" in one_line(capsys)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "dataset.json").write_text(json.dumps({"kind_of_file": "dataset", "schema_version": 0}))
    for command in (["inspect", str(tmp_path / "old")], ["synth", "--output-dir", str(tmp_path / "old")]):
        assert cli.main(command) == 1
        error = one_line(capsys)
        assert "schema version 0" in error and "dataset.json" in error


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        cli.main(["--debug", "inspect", str(tmp_path / "nothing")])


def test_wrong_options_exit_with_status_2() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["synth", "--no-such-option", "1"])
    assert caught.value.code == 2


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from lca_dataparsers import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'open3d', 'mediapipe', 'pyarrow', 'numba', 'nerfstudio', 'cv2'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip().splitlines()[-1] == "[]"
    for name in ("process", "synth", "inspect"):
        assert name in result.stdout
