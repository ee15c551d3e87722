"""What the plugins cost ``ns-train --help``: time with and without their entry points, and what they import.

    .venv/bin/python benchmarks/startup.py [--repeats 5]

Runs alternate, so that a busy machine slows both alike; minima are the figures to look at. The last row is the time
spent importing the plugins' modules after nerfstudio's, inside one process: other programs disturb its processor time
least.
"""

import argparse
import importlib.metadata
import subprocess
import sys
import time

OURS = ("lca_", "genlca_")
CHILD = """
import importlib.metadata as metadata, sys, time
everything = metadata.entry_points
def without(**choice):
    found = everything(**choice)
    if not str(choice.get("group", "")).startswith("nerfstudio."):
        return found
    return metadata.EntryPoints([e for e in found if not e.value.startswith({ours!r})])
if {drop}:
    metadata.entry_points = without
start, used = time.perf_counter(), time.process_time()
import nerfstudio.scripts.train as train
sys.argv = ["ns-train", "--help"]
try:
    train.entrypoint()
except SystemExit:
    pass
print("SECONDS", time.perf_counter() - start, time.process_time() - used)
"""
IMPORTS = """
import importlib.metadata as metadata, time
everything = metadata.entry_points
def without(**choice):
    found = everything(**choice)
    if not str(choice.get("group", "")).startswith("nerfstudio."):
        return found
    return metadata.EntryPoints([e for e in found if not e.value.startswith({ours!r})])
metadata.entry_points = without
import nerfstudio.scripts.train
metadata.entry_points = everything
start, used = time.perf_counter(), time.process_time()
for group in ("nerfstudio.dataparser_configs", "nerfstudio.method_configs"):
    for point in everything(group=group):
        if point.value.startswith({ours!r}):
            point.load()
print("SECONDS", time.perf_counter() - start, time.process_time() - used)
"""


def seconds_of(script: str) -> tuple[float, float]:
    """Seconds by the clock, and of the processor."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("SECONDS"))
    return float(line.split()[1]), float(line.split()[2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="runs of each kind")
    repeats = parser.parse_args().repeats
    points = [
        point.name
        for group in ("nerfstudio.dataparser_configs", "nerfstudio.method_configs")
        for point in importlib.metadata.entry_points(group=group)
        if point.value.startswith(OURS)
    ]
    print(f"entry points: {', '.join(points)}; {repeats} runs of each, {time.strftime('%Y-%m-%d')}")
    with_plugins, without_plugins, imports = [], [], []
    for _ in range(repeats):
        without_plugins.append(seconds_of(CHILD.format(ours=OURS, drop=True)))
        with_plugins.append(seconds_of(CHILD.format(ours=OURS, drop=False)))
        imports.append(seconds_of(IMPORTS.format(ours=OURS)))
    print("| ns-train --help | minimum (s) | median (s) | minimum of processor time (s) |\n|---|---|---|---|")
    for name, values in (("without", without_plugins), ("with", with_plugins), ("importing the plugins", imports)):
        clock, processor = zip(*values)
        print(f"| {name} | {min(clock):.2f} | {sorted(clock)[len(clock) // 2]:.2f} | {min(processor):.2f} |")


if __name__ == "__main__":
    main()
