"""What drawing from shards costs a process as the number of people grows: peak memory, and draws a second.

    .venv/bin/python benchmarks/stream_index.py [--people 1000 100000 1000000] [--steps 4000]

Makes an index of so many people (three blocks of 32 frames each on average; no pictures behind it), opens it in a fresh
process, and draws steps of eight people from it: whom, which block, and which of its rows. Peak memory is the process's
own (VmHWM), of which importing numpy, pyarrow and torch is the first row; the index files are read record by record and
are in no process's memory.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SLOTS = 8
PEOPLE_PER_SHARD = 300


def make_index(root: Path, people: int, seed: int = 0) -> None:
    """A folder of shards without the shards."""
    from lca_dataparsers.dataset.schema import DatasetInfo
    from lca_dataparsers.shards.format import BLOCK, Group, ShardsInfo, shard_name, subject_record, write_info
    from lca_dataparsers.shards.writing import save_index

    root.mkdir(parents=True)
    generator = np.random.default_rng(seed)
    subjects = np.zeros(people, subject_record(14))
    subjects["blocks"] = generator.integers(1, 6, people)
    subjects["first_block"] = np.cumsum(subjects["blocks"]) - subjects["blocks"]
    subjects["in_train"] = np.arange(people)
    subjects["id"] = np.char.add("person_", np.arange(people).astype(str)).astype("S14")
    blocks = np.zeros(int(subjects["blocks"].sum()), BLOCK)
    blocks["shard"] = np.repeat(np.arange(people) // PEOPLE_PER_SHARD, subjects["blocks"])
    blocks["rows"], blocks["choices"], blocks["size"] = 32, 31, 2**22
    save_index(root, "train", subjects, blocks)
    shards = tuple(shard_name("train", i) for i in range(-(-people // PEOPLE_PER_SHARD)))
    firsts = tuple(range(0, people, PEOPLE_PER_SHARD))
    group = Group(people, len(blocks), 32 * len(blocks), shards, firsts)
    info = DatasetInfo("wild", "anny", ("elbow",), ("tall",), ("smile",), "benchmark", "CC0-1.0")
    write_info(root, ShardsInfo(info, "none", True, (), {"train": group}))


def measure(root: Path | None, window: int, steps: int) -> tuple[float, float]:
    """Draws a second, and peak memory (MB) of this process."""
    from lca_dataparsers.shards.reader import ShardedDataset
    from lca_method.sampling import SubjectFrames, draw_views, step_generator
    from lca_method.sampling_order import Mixture
    from lca_method.subject_sources import ShardSource, StepSampler

    speed = 0.0
    if root is not None:
        source = ShardSource(ShardedDataset.open(root), "subjects", 0, window)
        sampler = StepSampler((source,), Mixture.of_weights((1.0,), 0), SLOTS, (1, 8), 4, 1, 0)
        rows = tuple(range(32))
        frames = SubjectFrames("somebody", rows, (1.0,) * 32, rows, rows)
        start = time.perf_counter()
        for step in range(steps):
            count = min(8, *(pick.choices for pick in sampler.picks(step)))
            for slot in range(SLOTS):
                draw_views(step_generator(0, step, slot), frames, count, 4)
        speed = steps * SLOTS / (time.perf_counter() - start)
    status = Path("/proc/self/status").read_text()
    return speed, int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, default=4000, help="steps of eight people")
    parser.add_argument("--measure", nargs=2, metavar=("ROOT", "WINDOW"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        root, window = arguments.measure
        print(*measure(Path(root) if root != "-" else None, int(window), arguments.steps))
        return

    from benchmarks.machine import describe

    print(describe(), time.strftime("%Y-%m-%d"))
    print("| people | index (MB) | reading | peak memory (MB) | draws a second |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        print(f"| none | | | {child('-', 0, 0)[1]:.0f} | |")
        for people in arguments.people:
            root = Path(scratch) / str(people)
            make_index(root, people)
            size = sum(path.stat().st_size for path in root.iterdir()) / 2**20
            for name, window in (("random", 0), ("stream", 16)):
                speed, memory = child(str(root), window, arguments.steps)
                print(f"| {people} | {size:.1f} | {name} | {memory:.0f} | {speed:.0f} |", flush=True)


def child(root: str, window: int, steps: int) -> tuple[float, float]:
    """:func:`measure` in a fresh process."""
    command = [sys.executable, __file__, "--steps", str(steps), "--measure", root, str(window)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    speed, memory = done.stdout.split()
    return float(speed), float(memory)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
