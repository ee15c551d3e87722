"""Drawing people: balanced, alike for any number of processes, after a resume, from folders and from shards."""

import tracemalloc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from small_people import write_people

from benchmarks.stream_index import make_index
from lca_dataparsers.dataset.reader import Subject
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.index import OpenFiles
from lca_dataparsers.shards.reader import ShardedDataset
from lca_dataparsers.shards.writing import write_shards
from lca_method.sampling import SubjectFrames
from lca_method.sampling_order import Mixture
from lca_method.subject_sources import FolderSource, ShardSource, StepSampler


def person(name: str, count: int) -> SubjectFrames:
    rows = tuple(range(count))
    return SubjectFrames(name, rows, tuple(1.0 for _ in rows), rows)


def sampler(*sources, slots: int = 1, weights: tuple[float, ...] | None = None, references=(1, 4)) -> StepSampler:
    mixture = Mixture.of_weights(weights or (1.0,) * len(sources), 0)
    return StepSampler(sources, mixture, slots, references, 2, 1, 0)


def who(drawn: "str | Subject") -> str:
    return drawn if isinstance(drawn, str) else drawn.id


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Anna has 18 frames, four others 6 each; blocks of at most 4, shards of a few blocks."""
    root = tmp_path_factory.mktemp("people")
    write_people(root / "d", {"anna": "train", "zora": "test"}, frames=18)
    write_people(root / "d", dict.fromkeys(("bela", "cleo", "dora", "emil"), "train"), frames=6)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("lca_dataparsers.shards.writing.MEGABYTE", 100_000)
        write_shards(ShardConfig(root / "d", root / "s", 1, 4))
    return root / "s"


def test_people_are_balanced_whatever_their_frames() -> None:
    people = [person("long", 60), person("short", 6), person("middle", 12)]
    drawn = sampler(FolderSource(people, "subjects", 0))
    met = Counter(who(drawn.draw(step, range(1))[0][0]) for step in range(300))
    assert set(met.values()) == {100}
    by_frames = sampler(FolderSource(people, "frames", 0))
    met = Counter(who(by_frames.draw(step, range(1))[0][0]) for step in range(780))
    assert met == {"long": 600, "short": 60, "middle": 120}


@pytest.mark.parametrize("window", [0, 3])
def test_blocks_are_balanced_and_take_turns(shards: Path, window: int) -> None:
    source = ShardSource(ShardedDataset.open(shards), "subjects", 0, window)
    drawn = [source.pick(0, 1, position).open()[0] for position in range(5 * 5)]
    assert set(Counter(who(block) for block in drawn).values()) == {5}
    assert len({tuple(block.rows) for block in drawn if who(block) == "anna"}) == 5
    every = ShardSource(ShardedDataset.open(shards), "frames", 0, window)
    assert Counter(who(every.pick(0, 1, position).open()[0]) for position in range(13))["anna"] == 5


@pytest.mark.parametrize("window", [0, 3])
def test_processes_share_what_one_would_draw(shards: Path, window: int) -> None:
    def draws(slots: range, steps: range) -> list:
        source = ShardSource(ShardedDataset.open(shards), "subjects", 0, window)
        made = sampler(source, FolderSource([person("yves", 9)], "subjects", 0), slots=4, weights=(3.0, 1.0))
        return [[(who(p), draw) for p, draw in made.draw(step, slots)] for step in steps]

    whole = draws(range(4), range(12))
    halves = [draws(range(0, 2), range(12)), draws(range(2, 4), range(12))]
    assert [a + b for a, b in zip(*halves)] == whole
    assert draws(range(4), range(7, 12)) == whole[7:]  # a resumed run
    assert all(len({len(draw.references) for _, draw in step}) == 1 for step in whole)
    assert {"yves"} < {name for step in whole for name, _ in step}


def test_a_stream_reads_each_block_once_and_in_order(shards: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[str, int, int]] = []
    real = OpenFiles.read

    def noted(self: OpenFiles, name: str, offset: int, size: int) -> bytes:
        if name.endswith(".tar") and self is dataset.files:
            reads.append((name, offset, size))
        return real(self, name, offset, size)

    monkeypatch.setattr(OpenFiles, "read", noted)
    dataset = ShardedDataset.open(shards)
    source = ShardSource(dataset, "frames", 0, 4)
    blocks = [source.pick(0, 1, position).open()[0] for position in range(8)]
    pictures = [block.load(0).image for block in blocks]
    source.read_ahead_done()
    assert len(reads) == 2 * 12 and len(set(reads)) == len(reads)  # table and pictures; one window ahead
    for window in (reads[:8], reads[8:16], reads[16:]):
        back = sum(a[0] == b[0] and a[1] > b[1] for a, b in pairwise(window))
        assert back == 0
    reads.clear()
    resumed = ShardSource(dataset, "frames", 0, 4)
    block = resumed.pick(0, 1, 6).open()[0]
    resumed.read_ahead_done()
    assert torch.equal(block.load(0).image, pictures[6])
    assert len(reads) == 2 * (2 + 4)  # what is left of the window, and the next: nothing that was skipped


def test_the_index_of_many_people_takes_no_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (300, 30_000):
        make_index(tmp_path / str(count), count)
        tracemalloc.start()
        for window in (0, 16):
            source = ShardSource(ShardedDataset.open(tmp_path / str(count)), "subjects", 0, window)
            made = sampler(source, slots=4, references=(1, 8))
            for step in range(40):
                made.picks(step)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000  # the index of 30,000 people has 3 MB
