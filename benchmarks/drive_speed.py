"""Frames a second that ``lca drive`` reaches, encoding included, for an avatar of so many Gaussians.

    .venv/bin/python benchmarks/drive_speed.py me.avatar MOTION [--gaussians 65536 --size 512 --seconds 5]

The avatar is made larger by repeating its tokens (``lca_method.avatar.resizing``); ``lca drive`` prints the rate.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from lca_method.avatar.bundle import load_avatar, save_avatar
from lca_method.avatar.resizing import resized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path)
    parser.add_argument("motion", type=Path)
    parser.add_argument("--gaussians", type=int, default=65536)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--seconds", type=float, default=5.0, help="of the motion, at 30 frames a second")
    arguments = parser.parse_args()
    loaded = load_avatar(arguments.avatar)
    print(f"load of this machine over the last minute: {os.getloadavg()[0]:.1f}, cores: {os.cpu_count()}")
    with tempfile.TemporaryDirectory() as scratch:
        larger = Path(scratch) / "larger.avatar"
        save_avatar(resized(loaded.avatar, arguments.gaussians), replace(loaded.record, name="larger"), larger)
        size, seconds = str(arguments.size), str(arguments.seconds)
        options = ["--size", size, size, "--fps", "30", "--seconds", seconds, "--output", f"{scratch}/driven.mp4"]
        command = [str(Path(sys.executable).parent / "lca"), "drive", str(larger), "--motion", str(arguments.motion)]
        done = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    print(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
