"""MediaPipe without matplotlib, which its drawing helpers import and nobody here uses: a second of every start."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

_LATER = ("matplotlib", "matplotlib.pyplot")


class _Later(ModuleType):
    """Stands for a module until something of it is wanted."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)


def import_mediapipe() -> None:
    """Import MediaPipe, with matplotlib only to be loaded when something is drawn with it."""
    if "mediapipe" in sys.modules or any(name in sys.modules for name in _LATER):
        return
    stand_ins = {name: _Later(name) for name in _LATER}
    vars(stand_ins["matplotlib"])["pyplot"] = stand_ins["matplotlib.pyplot"]
    sys.modules |= stand_ins
    try:
        import mediapipe  # noqa: F401
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
