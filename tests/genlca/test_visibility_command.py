"""``genlca visibility`` as a user runs it."""

import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from small_people import write_people

from genlca_method.cli import main


def test_the_sheet_has_a_row_for_each_person(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = write_people(tmp_path / "people", {"anna": "train", "bela": "test"})
    options = ["--data", str(data), "--output-dir", str(tmp_path / "out"), "--references", "2", "--anchors", "256"]
    assert main(["visibility", *options]) == 0
    printed = capsys.readouterr().out
    assert "anna: " in printed and "bela: " in printed and "of the anchors seen in 2 views" in printed
    sheet = cv2.imread(str(tmp_path / "out" / "visibility.png"))
    assert sheet is not None and sheet.shape == (2 * 384, 4 * 384, 3)
    green = (sheet[..., 1] > 180) & (sheet[..., 0] < 90) & (sheet[..., 2] < 90)
    assert green.sum() > 200


def test_what_is_no_dataset_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["visibility", "--data", str(tmp_path), "--output-dir", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1 and str(tmp_path) in printed.err


def test_help_loads_nothing_heavy() -> None:
    heavy = ("torch", "diffusers", "cv2", "open3d", "nerfstudio")
    code = f"import sys, genlca_method.cli; print([m for m in {heavy} if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
