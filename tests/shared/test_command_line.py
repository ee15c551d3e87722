"""Commands: what is wrong is said in a few words, and what nobody can act on is not hidden."""

import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

from lca_shared.command_line import SYSTEM_LIBRARIES, run_subcommand

LACKING = "libGL.so.1: cannot open shared object file: No such file or directory"


@dataclass
class Draw:
    """Draws."""


def command(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    """Its exit status where it raises ``error``."""
    module = ModuleType("a_command")

    def run(config: Draw) -> None:
        raise error

    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "a_command", module)
    monkeypatch.setattr(Draw, "__module__", "a_command")
    return run_subcommand("lca", "Moves.", {"draw": Draw, "other": Draw}, ["draw", *arguments])


def test_a_missing_library_of_the_system_has_a_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(monkeypatch, ImportError(LACKING)) == 1
    said = capsys.readouterr().err
    assert LACKING in said and SYSTEM_LIBRARIES in said and "Traceback" not in said


def test_debug_and_other_imports_show_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError):
        command(monkeypatch, ImportError(LACKING), "--debug")
    with pytest.raises(ImportError):
        command(monkeypatch, ImportError("No module named 'nothing'"))


def test_what_is_stopped_goes_on_later(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(monkeypatch, KeyboardInterrupt()) == 130
    assert "run the same command again" in capsys.readouterr().err
