"""What passes before something moves: seconds by the clock and of the processor, in fresh processes.

    .venv/bin/python benchmarks/drive_startup.py me.avatar MOTION [--repeats 5]

Of each start the fastest of the repeats: torch alone; ``Avatar.load(...)`` and ``drive(...)`` to Gaussians; what ``lca
drive`` does until its first picture, step by step; and the whole process of ``lca drive`` for a video of one frame. A
first run of all fills the caches of bytecode and kernels and is not counted. Bytecode is kept even where
``PYTHONDONTWRITEBYTECODE`` is set (below the temporary folder): without it every import takes about twice as long.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

LAPS = """
import json, sys, time
avatar, motion = sys.argv[1:]
laps, last = {}, (time.monotonic(), time.process_time())
def lap(name):
    global last
    now = (time.monotonic(), time.process_time())
    laps[name], last = [b - a for a, b in zip(last, now)], now
"""
TORCH = """
import torch
lap("import torch")
"""
RUNTIME = """
import torch
lap("import torch")
from lca_method.avatar.avatar import Avatar
lap("import lca_method.avatar")
loaded = Avatar.load(avatar)
lap("Avatar.load")
loaded.drive(loaded.rest_pose)
lap("avatar.drive")
"""
COMMAND = """
from lca_method.avatar.starting import collector_paused
pause = collector_paused()
pause.__enter__()
import lca_method.cli
lap("import the command line")
import torch
lap("import torch")
from lca_method.avatar.bundle import load_avatar
loaded = load_avatar(avatar).avatar
lap("load the avatar")
from lca_method.avatar.motion_files import read_motion
from lca_method.avatar.retargeting import retargeted
from pathlib import Path
moved = retargeted(read_motion(Path(motion)), loaded.body, 30.0, 0.0, 0.1)
lap("read the motion")
import numba
lap("import numba")
from lca_method.avatar.filming import filmed
from lca_method.avatar.viewpoints import cameras_around
cameras = cameras_around(loaded.body, moved.signal.pose.root_translation, (512, 512))
frames = filmed(loaded, moved, cameras, torch.ones(3))
next(frames)
lap("first frame, 512 x 512")
pause.__exit__(None, None, None)
next(frames)
lap("second frame")
"""
PRINTED = """
print(json.dumps(laps))
"""
Laps = Mapping[str, tuple[float, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        print("| start | by the clock, s | of the processor, s |\n|---|---|---|")
        for name, steps in (("torch alone", TORCH), ("the Python API", RUNTIME), ("lca drive", COMMAND)):
            code = LAPS + steps + PRINTED
            command = [sys.executable, "-W", "ignore", "-c", code, str(arguments.avatar), str(arguments.motion)]
            least = fastest(command, environment, arguments.repeats)
            counted = {step: both for step, both in least.items() if step != "second frame"}
            total = [sum(both[i] for both in counted.values()) for i in range(2)]
            print(f"| **{name}** | **{total[0]:.2f}** | **{total[1]:.2f}** |")
            if len(least) > 1:
                for step, (clock, processor) in least.items():
                    print(f"| {step} | {clock:.2f} | {processor:.2f} |")
        lca = [str(Path(sys.executable).parent / "lca"), "drive", str(arguments.avatar), "--motion"]
        one = [str(arguments.motion), "--seconds", "0.01", "--output", f"{bytecode}/one.mp4"]
        runs = [whole_process([*lca, *one], environment) for _ in range(arguments.repeats + 1)]
        clock, processor = min(runs[1:], key=lambda run: run[1])
        print(f"| **a video of one frame, the whole process** | **{clock:.2f}** | **{processor:.2f}** |")


def fastest(command: list[str], environment: Mapping[str, str], repeats: int) -> Laps:
    """The run that took the processor least, after one that is not counted."""
    runs: list[Laps] = []
    for _ in range(repeats + 1):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(environment))
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    return min(runs[1:], key=lambda laps: sum(processor for _, processor in laps.values()))


def whole_process(command: list[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(environment))
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.monotonic() - begun, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
