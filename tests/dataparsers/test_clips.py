"""Shots, tracks of people, filters, and many inputs at a time."""

import json
import os
import time
from pathlib import Path

import moody_tasks
import numpy as np
import pytest
from clips import number_of, numbered, person_like, write_video
from drawn_people import PERSON, process
from moody_tasks import moody

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.processing.change_meter import ChangeMeter
from lca_dataparsers.processing.choosing import PersonChoice, Track, TrackFollower
from lca_dataparsers.processing.decode import open_source
from lca_dataparsers.processing.estimators import Sighting
from lca_dataparsers.processing.people import linked
from lca_dataparsers.processing.shots import cuts, find_shots
from lca_dataparsers.processing.video import Span, VideoFile
from lca_dataparsers.processing.workers import Failure, run_isolated
from lca_dataparsers.shards.reader import ShardedDataset


def scenery(seed: int, shift: int = 0) -> np.ndarray:
    """A random picture, uint8 [240, 160, 3], of patches in the colours of its seed; ``shift`` pans over it."""
    random = np.random.default_rng(seed)
    patches = random.integers(0, 255, (15, 12, 3), np.uint8)
    return np.ascontiguousarray(np.roll(np.kron(patches, np.ones((16, 16, 1), np.uint8)), shift, axis=1)[:, :160])


def test_cuts_are_found_and_pans_are_not(tmp_path: Path) -> None:
    frames = [scenery(seed, shift) for seed, count in ((0, 14), (1, 9), (2, 20)) for shift in range(0, 4 * count, 4)]
    shots = find_shots(open_source(write_video(tmp_path / "a.mp4", frames)))
    assert [(shot.first_index, shot.frames) for shot in shots] == [(0, 14), (14, 9), (23, 20)]
    assert shots[0].end == shots[1].start == pytest.approx(14 / 25, abs=1e-3) and shots[-1].end == np.inf
    limited = find_shots(open_source(tmp_path / "a.mp4", max_frames=18))
    assert [shot.frames for shot in limited] == [14, 4] and limited[-1].end < shots[1].end
    steady = np.stack([np.full((32, 32, 3), 100, np.uint8)] * 10)
    assert cuts(steady) == []


def test_the_cut_of_a_real_clip_is_where_the_title_begins(material: Path) -> None:
    clip = material / "data" / "video" / "moore_talkinghead_1.mp4"
    assert [shot.first_index for shot in find_shots(open_source(clip))] == [0, 269]
    assert len(find_shots(open_source(material / "data" / "video" / "lhm_demo.mp4"))) == 1


@pytest.mark.parametrize("start", [0.4, 8.0])
def test_a_span_gives_its_frames_and_no_others(tmp_path: Path, start: float) -> None:
    """8 seconds in, the file is jumped over rather than decoded."""
    frames = numbered(28) * 9
    path = write_video(tmp_path / "a.mp4", frames, options=None)
    first = round(25 * start)
    source = open_source(path)
    source.span = Span(start, start + 0.4, first, 0.0, 10)
    assert source.expected == 10
    for _ in range(2):
        taken = list(source.pictures())
        assert [picture.index for picture in taken] == list(range(first, first + 10))
        assert [number_of(picture.image) for picture in taken] == [i % 28 for i in range(first, first + 10)]
        assert taken[0].time == pytest.approx(start, abs=1e-3)
    whole = [time for time, _, _ in VideoFile(path).read()]
    assert len(whole) == len(frames)


def sighting(box: tuple[float, float, float, float]) -> Sighting:
    zeros = np.zeros((33, 3), np.float32)
    return Sighting(zeros[:, :2], zeros[:, 0], zeros, np.zeros((4, 4), np.uint8), np.array(box, np.float32))


def test_people_who_pass_each_other_are_two_tracks() -> None:
    def box(x: float) -> np.ndarray:
        return np.array([x, 0, x + 40, 100], np.float32)

    looks = [(0.1 * i, [box(8.0 * i), box(300.0)] if i % 7 else [box(300.0), box(8.0 * i)]) for i in range(20)]
    looks += [(2.0 + 0.1 * i, [box(300.0)]) for i in range(10)]
    looks += [(9.0, [box(0.0)])]  # one look only: no track
    walking, standing = linked(looks, least_seconds=0.5)
    assert walking.times[-1] == pytest.approx(1.9) and standing.times[-1] == pytest.approx(2.9)
    np.testing.assert_allclose(walking.box_at(0.55), box(8.0 * 5.5), atol=1e-4)
    follower = TrackFollower(walking)
    both = [sighting(tuple(box(300.0))), sighting(tuple(box(44.0)))]
    assert follower.choose(both, 0.55) is both[1]
    assert follower.choose(both, 5.0) is None and follower.choose(both[:1], 0.55) is None


def test_a_faithful_chooser_takes_nobody_else() -> None:
    left, right = sighting((0, 0, 40, 100)), sighting((200, 0, 260, 100))
    for faithful in (False, True):
        chooser = PersonChoice(None, faithful).chooser()
        assert chooser.choose([left, right]) is right
        assert chooser.choose([left]) is (None if faithful else left)
    assert PersonChoice().chooser(Track((0.0,), ((0.0, 0.0, 1.0, 1.0),))).choose([], 0.0) is None


def test_shots_become_subjects(boxes, tmp_path: Path) -> None:
    empty = scenery(3)
    first, second = person_like(PERSON), scenery(4) // 3
    second[40:200, 20:90] = 250
    frames = [first] * 12 + [empty // 2] * 10 + [second] * 14 + [first] * 2
    clip = write_video(tmp_path / "clip.mp4", frames, options={"crf": "5"})
    assert process(clip, "--output-dir", tmp_path / "data") == 0
    people = AvatarDataset.open(tmp_path / "data").subjects
    assert {name: people[name].frames["frame"].tolist() for name in people} == {
        "clip_s00": list(range(12)),
        "clip_s02": list(range(22, 36)),
    }
    np.testing.assert_allclose(people["clip_s02"].load(3).person_box.numpy(), (20, 40, 90, 200), atol=3)
    report = json.loads((tmp_path / "data/report.json").read_text())
    assert report["clips"] == {"written": 2, "left out": 2}
    assert "short shot" in report["not_made"]["clip_s03"] and "nobody" in report["not_made"]["clip_s01"]
    shown = boxes.shown
    assert process(clip, "--output-dir", tmp_path / "data") == 0 and boxes.shown == shown  # all is there


def test_each_person_becomes_a_subject(boxes, tmp_path: Path) -> None:
    both = person_like((10, 60, 40, 200))
    both[30:220, 80:150] = 250
    clip = write_video(tmp_path / "clip.mp4", [both] * 12)
    assert process(clip, "--output-dir", tmp_path / "data", "--people", "each") == 0
    people = AvatarDataset.open(tmp_path / "data").subjects
    found = [people[name].load(5).person_box.numpy() for name in ("clip_p00", "clip_p01")]
    np.testing.assert_allclose(found, [(10, 60, 40, 200), (80, 30, 150, 220)], atol=2)


def test_filters_leave_pictures_out_and_say_so(boxes, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    alone = [np.maximum(person_like(PERSON), random.integers(0, 60, (240, 160, 3), np.uint8)) for _ in range(8)]
    crowd = alone[0].copy()
    crowd[100:200, 5:35] = 250
    clip = write_video(tmp_path / "clip.mp4", [*alone, *[alone[-1]] * 4, *[crowd] * 3], options={"crf": "1"})
    common = (clip, "--shots", "whole", "--overwrite")
    options = ("--drop-duplicates", "--max-people", 1)
    assert process(*common, "--output-dir", tmp_path / "data", *options) == 0
    report = json.loads((tmp_path / "data/report.json").read_text())
    left_out = report["pictures_left_out"]
    assert left_out["too many people"] >= 1 and left_out["duplicate"] >= 2
    assert report["pictures_used"] + sum(left_out.values()) == 15 == report["pictures_read"]
    assert (tmp_path / "data/left_out.jpg").exists()
    assert process(*common, "--output-dir", tmp_path / "tall", "--min-person", 200) == 1
    assert process(*common, "--output-dir", tmp_path / "faces", "--need-face") == 1
    assert process(*common, "--output-dir", tmp_path / "many", "--min-frames", 16) == 1
    assert process(*common, "--output-dir", tmp_path / "none", "--min-quality", 7) == 1


def test_changes_between_pictures() -> None:
    meter, image = ChangeMeter(), person_like(PERSON)
    assert [meter.change(image), meter.change(image), meter.change(image // 2) > 5] == [255.0, 0.0, True]


def test_a_list_of_videos_and_shards(boxes, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("ann", "bob"):
        write_video(tmp_path / f"{name}.mp4", [person_like(PERSON)] * 12)
    (tmp_path / "all.txt").write_text("# people\nann.mp4\n\nbob.mp4\nmissing.mp4\n")
    arguments = (tmp_path / "all.txt", "--output-dir", tmp_path / "shards", "--shards", "--no-overlay")
    assert process(*arguments) == 1
    assert "missing.mp4" in capsys.readouterr().err.splitlines()[-1]
    shards = ShardedDataset.open(tmp_path / "shards")
    assert sorted(shards.people("train", -1)) == ["ann", "bob"]
    assert not (tmp_path / "shards/.dataset").exists()
    assert process(*arguments) == 0 and "already" in capsys.readouterr().out
    (tmp_path / "none.txt").write_text("# nothing\n")
    assert process(tmp_path / "none.txt", "--output-dir", tmp_path / "x") == 1


def test_a_task_that_dies_or_hangs_takes_nobody_with_it() -> None:
    tasks = {f"{what}{i}": (what, "x") for i in range(2) for what in ("work", "die", "sleep", "raise")}
    begun = time.monotonic()
    results = dict(run_isolated(moody, tasks, jobs=2, limit=6.0))
    assert time.monotonic() - begun < 50
    assert results["work0"] == results["work1"] == "xwork"
    failures = {name: result.message for name, result in results.items() if isinstance(result, Failure)}
    assert len(failures) == 6 and "exit code 3" in failures["die1"]
    assert "longer than 6 s" in failures["sleep0"] and "no such luck" in failures["raise1"]


@pytest.mark.slow
def test_tasks_on_a_local_ray_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("HOME", str(tmp_path))  # Ray keeps a token there
    tasks_folder = str(Path(moody_tasks.__file__).parent)  # so that its workers find the task
    monkeypatch.setenv("PYTHONPATH", tasks_folder, prepend=os.pathsep)
    from lca_dataparsers.processing.ray_workers import run_on_ray
    from lca_shared.errors import UserError

    tasks = {what: (what, "x") for what in ("work", "play", "raise", "die")}
    results = dict(run_on_ray(moody, tasks, "local", 2))
    assert results["work"] == "xwork" and results["play"] == "xplay"
    assert isinstance(results["raise"], Failure) and isinstance(results["die"], Failure)
    with pytest.raises(UserError, match="No Ray cluster"):
        list(run_on_ray(moody, tasks, "127.0.0.1:1"))
