"""`lca-data process` as a user meets it. Most tests put drawn boxes for people and a rest pose for the fit, so that
they are about the command; two run the whole chain on a real clip.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from clips import numbered, person_like, write_video
from drawn_people import PERSON, process
from PIL import Image

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.processing.estimate import CHUNK
from lca_shared.body import get_body_model


def test_a_clip_becomes_a_dataset(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    blank, alone = np.full((240, 160, 3), 7, np.uint8), person_like(PERSON)
    nobody, tiny = person_like((0, 0, 0, 0)), person_like((70, 100, 90, 160))
    frames = [alone] * 5 + [blank] * 2 + [nobody] * 3 + [tiny] + [alone] * 4
    clip = write_video(tmp_path / "my clip.mp4", frames)
    assert process(clip, "--output-dir", tmp_path / "data", "--licence", "CC0", "--shots", "whole") == 0
    dataset = AvatarDataset.open(tmp_path / "data")
    assert list(dataset.subjects) == ["my_clip"] and dataset.info.licence == "CC0"
    person = dataset.subjects["my_clip"]
    assert person.frames["frame"].tolist() == [0, 1, 2, 3, 4, 11, 12, 13, 14]
    assert person.info.report["refused"] == {"no person": 3, "blank frame": 2, "too small": 1}
    frame = person.load(0)
    np.testing.assert_allclose(frame.person_box.numpy(), PERSON, atol=2)
    assert frame.mask[0, 120, 80] == 1 and frame.mask[0, 10, 10] == 0
    assert not frame.face_seen
    said = capsys.readouterr().out
    assert "9 of 15 pictures" in said and "Next: lca-data inspect" in said
    assert (tmp_path / "data/overlays/my_clip.mp4").stat().st_size > 1000
    assert not (tmp_path / "data/.processing").exists()
    # again: nothing to do
    shown = boxes.shown
    assert process(clip, "--output-dir", tmp_path / "data") == 0
    assert "already" in capsys.readouterr().out and boxes.shown == shown


def test_a_stopped_run_goes_on(boxes, tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mp4", [person_like(PERSON)] * 60)
    arguments = (clip, "--output-dir", tmp_path / "data", "--workers", "2")
    boxes.stop_after = 55
    assert process(*arguments) == 130
    assert AvatarDataset.open(tmp_path / "data").subjects == {}
    boxes.shown, boxes.stop_after = 0, None
    assert process(*arguments) == 0
    assert boxes.shown == 60 - 2 * CHUNK + 1  # the first chunks were kept; what follows begins with their last picture
    assert len(AvatarDataset.open(tmp_path / "data").subjects["clip"]) == 60
    # other settings do not trust what is left
    boxes.stop_after, boxes.shown = 30, 0
    assert process(*arguments, "--overwrite") == 130
    boxes.shown, boxes.stop_after = 0, None
    assert process(*arguments, "--overwrite", "--max-size", "200") == 0
    assert boxes.shown == 60
    assert AvatarDataset.open(tmp_path / "data").subjects["clip"].frames["height"].tolist() == [200] * 60


def test_a_folder_of_frames_is_a_clip_and_photos_are_not(boxes, tmp_path: Path) -> None:
    """Frames have times and motion, photos have neither."""
    import cv2

    (tmp_path / "shots").mkdir()
    for number in range(8):
        cv2.imwrite(str(tmp_path / "shots" / f"{number:04d}.png"), person_like(PERSON)[..., ::-1])
    for holds, times in (("auto", [number / 25 for number in range(8)]), ("photos", list(map(float, range(8))))):
        arguments = ("--fps", "25", "--folder-holds", holds, "--output-dir", tmp_path / holds)
        assert process(tmp_path / "shots", *arguments) == 0
        person = AvatarDataset.open(tmp_path / holds).subjects["shots"]
        np.testing.assert_allclose(person.frames["time"], times, atol=1e-6)
        figures = person.info.report["fit"]
        for name in ("acceleration", "root_acceleration", "total_acceleration", "foot_slide"):
            assert (figures[name] is None) == (holds == "photos"), name


def test_two_people(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    left, right = (10, 60, 40, 200), (80, 30, 150, 220)
    both = person_like(left)
    both[right[1] : right[3], right[0] : right[2]] = 250
    clip = write_video(tmp_path / "clip.mp4", [both] * 12)
    for extra, expected in (((), right), (("--person", 0), left), (("--person", 1), right)):
        assert process(clip, "--output-dir", tmp_path / "data", "--overwrite", *extra) == 0
        box = AvatarDataset.open(tmp_path / "data").subjects["clip"].load(3).person_box.numpy()
        np.testing.assert_allclose(box, expected, atol=2)
        assert ("more than one person" in capsys.readouterr().err) == (extra == ())
    assert process(clip, "--output-dir", tmp_path / "other", "--person", 5) == 1
    assert "nobody was found" in capsys.readouterr().err


def test_a_folder_of_videos_keeps_what_works(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "ann.mp4", [person_like(PERSON)] * 4)
    write_video(folder / "bob.mp4", numbered(4))
    assert process(folder, "--output-dir", tmp_path / "data", "--no-overlay") == 0
    assert "nobody was found" in capsys.readouterr().err
    (folder / "cut.mp4").write_bytes(b"not a video")
    assert process(folder, "--output-dir", tmp_path / "data", "--no-overlay") == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "cut.mp4" in error
    assert list(AvatarDataset.open(tmp_path / "data").subjects) == ["ann"]
    report = json.loads((tmp_path / "data/report.json").read_text())
    assert report["clips"] == {"written": 1, "left out": 1, "failed": 1}
    assert sorted(report["not_made"]) == ["bob", "cut"] and "blank" in report["not_made"]["bob"]
    assert (tmp_path / "data/left_out.jpg").exists()


def test_photos_of_one_and_of_several_people(boxes, tmp_path: Path) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    Image.fromarray(person_like(PERSON)).save(folder / "front.png")
    Image.fromarray(person_like((60, 40, 120, 190), (200, 200))).save(folder / "side.png")
    assert process(folder, "--output-dir", tmp_path / "one") == 0
    one = AvatarDataset.open(tmp_path / "one").subjects["album"]
    assert [one.load(row).person_box.numpy().round().tolist() for row in range(2)] == [list(PERSON), [60, 40, 120, 190]]
    sizes = [(one.load(row).camera.width, one.load(row).camera.height) for row in range(2)]
    assert sizes == [(160, 240), (200, 200)]
    assert (tmp_path / "one/overlays/album.jpg").exists()
    assert process(folder, "--folder-holds", "people", "--output-dir", tmp_path / "two") == 0
    assert sorted(AvatarDataset.open(tmp_path / "two").subjects) == ["front", "side"]


def test_a_truncated_video_is_used_and_told(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rng = np.random.default_rng(0)
    frames = [
        np.where(person_like(PERSON) > 200, 250, rng.integers(0, 90, (240, 160, 3))).astype(np.uint8) for _ in range(40)
    ]
    clip = write_video(tmp_path / "clip.mp4", frames, options={"movflags": "faststart"})
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    assert process(clip, "--output-dir", tmp_path / "data") == 0
    assert "cut off" in capsys.readouterr().err
    assert 5 < len(AvatarDataset.open(tmp_path / "data").subjects["clip"]) < 35


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: (folder / "a.mp4").write_bytes(b"no video"), r"a\.mp4"),
        (lambda folder: write_video(folder / "a.mp4", numbered(5)), "nobody was found in 5 pictures .*blank frame: 5"),
        (lambda folder: write_video(folder / "a.mp4", [person_like((0, 0, 0, 0))] * 5), "no person: 5"),
        (lambda folder: None, "does not exist"),
    ],
    ids=["not a video", "blank", "nobody", "missing"],
)
def test_bad_input_is_one_line(boxes, tmp_path: Path, capsys: pytest.CaptureFixture, make, message: str) -> None:
    make(tmp_path)
    assert process(tmp_path / "a.mp4", "--output-dir", tmp_path / "data") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("lca-data: ")
    import re

    assert re.search(message, lines[-1])


def test_settings_that_make_no_sense(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for arguments in (("--fps", "0"), ("--max-frames", "0"), ("--field-of-view", "179"), ("--person", "-1")):
        assert process(tmp_path, "--output-dir", tmp_path / "data", *arguments) == 1
        assert "makes no sense" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    clip = write_video(tmp_path / "clip.mp4", [person_like(PERSON)] * 3)
    (tmp_path / "file").write_text("in the way")
    assert process(clip, "--output-dir", tmp_path / "file" / "data") == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


@pytest.mark.slow
def test_killed_and_resumed_on_a_real_clip(material: Path, models: Path, tmp_path: Path) -> None:
    video = material / "data" / "video" / "moore_talkinghead_1.mp4"
    command = [
        sys.executable,
        "-m",
        "lca_dataparsers.cli",
        "process",
        str(video),
        "--output-dir",
        str(tmp_path / "data"),
    ]
    command += ["--max-frames", "72", "--model-dir", str(models)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    first = tmp_path / "data/.processing/moore_talkinghead_1/chunk_00000.json"
    deadline = time.monotonic() + 180
    while not first.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert first.exists()
    stamp = first.stat().st_mtime_ns
    finished = subprocess.run([*command, "--keep-detections"], env=environment, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert first.stat().st_mtime_ns == stamp
    assert "W0000" not in finished.stderr and "INFO" not in finished.stderr  # the detectors' chatter
    person = AvatarDataset.open(tmp_path / "data").subjects["moore_talkinghead_1"]
    assert len(person) > 68 and person.info.report["fit"]["face_median"] < 2.0
    frame = person.load(0)
    assert frame.face_seen and frame.camera.width == 512
    legs = [index for index, name in enumerate(get_body_model("anny").driven_joints) if "leg" in name]
    assert float(frame.joint_confidence[legs].max()) == 0.0
    whole = subprocess.run([*command[:-5], str(tmp_path / "whole"), *command[-4:]], env=environment, check=False)
    assert whole.returncode == 0
    tables = [
        folder / "subjects/moore_talkinghead_1/frames.parquet" for folder in (tmp_path / "data", tmp_path / "whole")
    ]
    assert parquet.read_table(tables[0]).equals(parquet.read_table(tables[1]))
