"""Freed pictures leave the process although small things made after each of them are kept."""

import subprocess
import sys
from pathlib import Path

import pytest

READING = """
import sys
from pathlib import Path
import numpy as np
from lca_shared.memory import return_large_blocks

def resident():
    line = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS"))
    return int(line.split()[1]) / 1024

if sys.argv[1] == "set":
    assert return_large_blocks()
kept, start = [], None
for picture in range(40):
    pictures = [np.ones(side << 20, np.uint8) for side in (6, 6, 12)]
    kept.append([np.ones(50_000, np.uint8) for _ in range(3)])
    del pictures
    start = resident() if picture == 1 else start
print(resident() - start)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_freed_pictures_leave_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", READING, "set"], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 15
