"""MediaPipe is loaded without matplotlib, and still draws with it when asked to."""

import subprocess
import sys

CODE = """
import sys
from lca_dataparsers.processing.estimators.mediapipe_import import import_mediapipe
import_mediapipe()
print("matplotlib" in sys.modules, "mediapipe" in sys.modules)
from mediapipe.python.solutions import drawing_utils
print(callable(drawing_utils.plt.figure), "matplotlib.pyplot" in sys.modules)
"""


def test_matplotlib_comes_when_it_is_wanted() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True", "True", "True"]
