"""What ``lca create`` says: which pictures it used, which not and why, and what to do next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SHOWN_NAMES = 4
"""Pictures that are named one by one; of more, only how many."""


def pictures_told(
    report: Mapping[str, Any],
    given: Sequence[Path],
    frames: Sequence[int],
    times: Sequence[float],
    unreadable: int = 0,
) -> list[str]:
    """Lines about the pictures.

    Args:
        report: of processing, in ``subject.json``; empty for datasets from elsewhere.
        given: photos, or one folder, video or dataset, as the user named them.
        frames: places in the recording of the pictures that were shown to the model.
        times: of these, seconds; of photos 0.
        unreadable: how many more were given that could not be opened.
    """
    names = {f"{index:02d}_{path.name}": str(path) for index, path in enumerate(given)}
    left_out = report.get("left_out", {})
    lines = [f"Not used: {names.get(name, name)} ({reason})." for name, reason in left_out.items()]
    refused = {} if left_out else report.get("refused", {})
    why = ", ".join(f"{count} {reason}" for reason, count in refused.items())
    count = report.get("pictures", 1) + unreadable
    if count > 1:
        lines.append(f"Used {report['used']} of {count} pictures{f' (not: {why})' if why else ''}.")
    if len(given) > 1:
        shown = [str(given[frame]) for frame in frames if frame < len(given)]
    else:
        shown = [f"{time:.1f} s" for time in times] if any(times) else []
    some = f": {', '.join(shown)}" if shown and (any(times) or len(shown) <= SHOWN_NAMES) else ""
    lines.append(f"The model looked at {counted(len(frames), 'picture')}{some}.")
    return lines


def result_told(path: Path, gaussians: int, turntable: bool) -> str:
    """The last lines: what was written, and what comes next."""
    size = sum(file.stat().st_size for file in path.iterdir()) / 2**20
    look = " and ".join(str(path / name) for name in ("preview.png", *(["turntable.mp4"] if turntable else [])))
    return f"""Wrote {path} ({size:.1f} MB, {gaussians} Gaussians).
Look at {look}. Then:
  lca view {path}
  lca-data process DANCE.mp4 --output-dir dance      (anybody's motion)
  lca drive {path} --motion dance --output {path.stem}.mp4"""


def counted(number: int, thing: str) -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
