"""An import that was broken off goes on: nothing that was finished is done twice, and the result is the same."""

import hashlib
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch
from look_alikes import made_cameras, write_goliath

from lca_dataparsers.cli import main
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.dataset.sources import SourceReader
from lca_dataparsers.formats import bodies
from lca_dataparsers.formats.bodies import CaptureBody, fitted_body
from lca_dataparsers.formats.command import WORK_FOLDER, ImportConfig
from lca_dataparsers.formats.kept_work import KeptWork
from lca_dataparsers.formats.registry import open_capture
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.processing.observations import empty_observations
from lca_dataparsers.studio_fit.observe import View
from lca_shared.body import BodyPose


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def counted(monkeypatch: pytest.MonkeyPatch, stop_after: int | None) -> list[str]:
    """Count the images that are read; break off as a killed run would."""
    read, plain = [], SourceReader.image

    def image(self, source, treatment):
        if stop_after is not None and len(read) == stop_after:
            raise KeyboardInterrupt
        read.append(source.name(Path()))
        return plain(self, source, treatment)

    monkeypatch.setattr(SourceReader, "image", image)
    return read


def test_pictures_that_are_written_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(write_goliath(tmp_path / "capture", made_cameras()))
    command = ["import", "goliath", source, "--body", "none", "--output-dir"]
    assert main([*command, str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        first = counted(patch, 8)
        assert main([*command, str(tmp_path / "D")]) == 130
    assert AvatarDataset.open(tmp_path / "D").subjects == {} and (tmp_path / "D" / WORK_FOLDER).is_dir()
    with monkeypatch.context() as patch:
        second = counted(patch, None)
        assert main([*command, str(tmp_path / "D")]) == 0
    pictures = set(first[3:])  # after the three backgrounds
    assert len(pictures) == 5 and not pictures & set(second)
    assert digests(tmp_path / "D") == digests(tmp_path / "whole")


def test_other_settings_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = str(write_goliath(tmp_path / "capture", made_cameras()))
    command = ["import", "goliath", source, "--body", "none", "--output-dir", str(tmp_path / "D")]
    with monkeypatch.context() as patch:
        counted(patch, 8)
        assert main(command) == 130
    assert main([*command, "--long-side", "40"]) == 0
    (person,) = AvatarDataset.open(tmp_path / "D").subjects.values()
    assert {max(person.load(row).image.shape[1:]) for row in range(len(person))} == {40}


@pytest.fixture
def setting(tmp_path: Path):
    config = ImportConfig("goliath", write_goliath(tmp_path / "capture", made_cameras()), tmp_path / "D")
    capture = open_capture("goliath", config.source)
    return config, capture, KeptWork(tmp_path / "D" / WORK_FOLDER / "ada", config, capture)


def test_pictures_that_were_looked_at_are_not_looked_at_again(setting, monkeypatch: pytest.MonkeyPatch) -> None:
    config, capture, kept = setting
    seen: list[str] = []
    random = np.random.default_rng(0)

    def observe(picture, estimator) -> View | None:
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(f"{picture.moment} {picture.camera}")
        if len(seen) == 2:
            return None
        row = empty_observations(np.array([picture.time]), (512, 512))
        row.body_points[0] = random.normal(size=(33, 2))
        row = replace(row, masks=random.integers(0, 256, (1, 256, 256)).astype(np.uint8))
        inside = random.random((256, 256)) > 0.5
        return View(picture, row, picture.intrinsics, inside, np.zeros((4, 4), np.uint8), random.random(4))

    gathered: list[list[View]] = []
    monkeypatch.setattr(bodies, "observe", observe)
    monkeypatch.setattr(bodies, "gathered", lambda views, times: gathered.append(views))
    with closing(SourceReader(capture.root)) as reader:
        with pytest.raises(KeyboardInterrupt):
            fitted_body(capture, reader, [MagicMock(spec=PersonEstimator)], kept, 16)
        first = list(seen)
        seen.clear()
        again = KeptWork(kept.folder, config, capture)
        monkeypatch.setattr(bodies, "fit_studio", lambda *args, **kwargs: (_ for _ in ()).throw(InterruptedError))
        seen[:] = [""] * 5  # never breaks off now
        with pytest.raises(InterruptedError):
            fitted_body(capture, reader, [MagicMock(spec=PersonEstimator)], again, 16)
    assert len(first) == 4 and not set(first) & set(seen[5:])
    assert len(seen[5:]) == len(capture.views) - 4
    kept_views = [view for view in gathered[0] if f"{view.picture.moment} {view.picture.camera}" in first]
    assert len(kept_views) == 3  # nobody was in the other one, which is kept too


def test_what_is_kept_is_exact(setting) -> None:
    _, capture, kept = setting
    random = np.random.default_rng(1)
    view = capture.views[0]
    picture = bodies._without_pixels(capture, view, 0)
    row = empty_observations(np.array([0.5]), (512, 512))
    row.face_points[0] = random.normal(size=(478, 2))
    row = replace(row, masks=random.integers(0, 256, (1, 256, 256)).astype(np.uint8))
    found = View(
        picture,
        row,
        random.random((3, 3)),
        random.random((256, 256)) > 0.5,
        np.zeros((0, 0), np.uint8),
        random.random(4),
    )
    assert not kept.looked(view)
    kept.keep(view, found)
    read = kept.found(view, picture)
    assert read is not None and kept.looked(view)
    for name in ("intrinsics", "inside", "box"):
        np.testing.assert_array_equal(getattr(read, name), getattr(found, name))
    for field in fields(row):
        np.testing.assert_array_equal(getattr(read.observation, field.name), getattr(row, field.name))
    pose = BodyPose(*(torch.randn(2, *size) for size in ((52, 3), (3,), (3,), (2, 2))))
    body = CaptureBody(
        torch.randn(37), (3, 5), pose, torch.rand(2, 52), torch.rand(2, 52), torch.rand(2), torch.rand(2, 2), True,
        1.25, report={"body": "fitted", "fitted_cameras": 3},
    )  # fmt: skip
    assert kept.body() is None
    kept.keep_body(body)
    again = kept.body()
    assert again is not None
    for name in ("frames", "fitted", "unit", "model", "report"):
        assert getattr(again, name) == getattr(body, name)
    for name in _TENSORS:
        torch.testing.assert_close(getattr(again, name), getattr(body, name), atol=0, rtol=0)
    for field in fields(pose):
        assert torch.equal(getattr(again.pose, field.name), getattr(pose, field.name))


_TENSORS = ("shape", "expression", "joint_confidence", "face_confidence", "hand_confidence")
