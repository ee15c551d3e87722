"""What passes before the first frame of ``lca drive``: seconds of the processor, step by step, in a fresh process.

    .venv/bin/python benchmarks/drive_startup.py me.avatar MOTION [--repeats 5]

Minima over the repeats. A first run of all fills the caches of bytecode and kernels and is not counted; with
``PYTHONDONTWRITEBYTECODE`` set there is no bytecode cache, and every import takes about twice as long.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

STEPS = """
import json, sys, time
avatar, motion = sys.argv[1:]
laps, last = {}, time.process_time()
def lap(name):
    global last
    now = time.process_time()
    laps[name], last = now - last, time.process_time()
lap("python")
import torch
lap("import torch")
import numba
lap("import numba")
import lca_method.cli
lap("import the command line")
from lca_method.avatar.bundle import load_avatar
loaded = load_avatar(avatar).avatar
lap("load the avatar")
from lca_method.avatar.motion_files import read_motion
from lca_method.avatar.retargeting import retargeted
moved = retargeted(read_motion(motion), loaded.body, 30.0, 0.0, 0.1)
lap("read the motion")
import av
from lca_method.avatar.filming import filmed
from lca_method.avatar.viewpoints import cameras_around
cameras = cameras_around(loaded.body, moved.signal.pose.root_translation, (512, 512))
lap("import the encoder")
frames = filmed(loaded, moved, cameras, torch.ones(3))
next(frames)
lap("first frame, 512 x 512")
next(frames)
lap("second frame")
print(json.dumps(laps))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    command = [sys.executable, "-W", "ignore", "-c", STEPS, str(arguments.avatar), str(arguments.motion)]
    runs = []
    for _ in range(arguments.repeats + 1):
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    least = {name: min(run[name] for run in runs[1:]) for name in runs[0]}
    print("| step | seconds of the processor |\n|---|---|")
    for name, seconds in least.items():
        print(f"| {name} | {seconds:.2f} |")
    until_first = sum(seconds for name, seconds in least.items() if name != "second frame")
    print(f"| all until the first frame | {until_first:.2f} |")


if __name__ == "__main__":
    main()
