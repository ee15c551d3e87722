"""What processing did, in figures: kept in ``subject.json`` and printed at the end."""

import math
import resource
import sys
from typing import Any

from lca_dataparsers.processing.filters import DUPLICATE_CHANGE
from lca_dataparsers.processing.fitting import measure_fit
from lca_dataparsers.processing.notes import counted
from lca_dataparsers.processing.records import FittedClip
from lca_dataparsers.processing.timing import WHOLE_STEPS, StepTimes

_FIGURES = {
    "body_median": ("body points off, median", "% of height"),
    "body_p90": ("body points off, 90th percentile", "% of height"),
    "face_median": ("face points off, median", "% of face"),
    "face_p90": ("face points off, 90th percentile", "% of face"),
    "iou_median": ("body over mask, median", "IoU"),
    "inside_median": ("body inside mask, median", "share"),
    "acceleration": ("joint acceleration from the root, mean", "mm/frame²"),
    "root_acceleration": ("root acceleration, mean", "mm/frame²"),
    "total_acceleration": ("joint acceleration with the root, mean", "mm/frame²"),
    "foot_slide": ("feet that look still move, mean", "mm/frame"),
    "limit_violations": ("frames beyond joint limits", "share"),
    "focal": ("focal length", "pixels"),
    "camera_turn": ("camera turns by at most", "degrees"),
    "camera_pitch": ("camera looks down by", "degrees"),
}


def make_report(clip: FittedClip, reasons: list[str], moving: bool = True) -> dict[str, Any]:
    """Counts and figures of one subject; plain JSON, unknown figures are None. ``moving``: pictures are in order."""
    figures = {name: value for name, value in measure_fit(clip.fit).items() if name in _FIGURES}
    if not moving:
        figures |= {name: math.nan for name in _FIGURES if name.endswith("acceleration") or name == "foot_slide"}
    return {
        "pictures": len(reasons),
        "used": reasons.count(""),
        "refused": counted(reasons),
        "left_out": {
            note.name: reason for note, reason in zip(clip.notes, reasons, strict=True) if note.name and reason
        },
        "duplicates": sum(note.change < DUPLICATE_CHANGE for note in clip.notes),
        "several_people": sum(note.people > 1 for note in clip.notes),
        "face_seen": int((clip.fit.face_confidence > 0).sum()),
        "left_hand_seen": int((clip.fit.hand_confidence[:, 0] > 0).sum()),
        "right_hand_seen": int((clip.fit.hand_confidence[:, 1] > 0).sum()),
        "fit": {name: round(value, 4) if math.isfinite(value) else None for name, value in figures.items()},
    }


def timing(pictures: int, times: StepTimes) -> dict[str, Any]:
    """The part of a report that differs from run to run."""
    seconds = sum(times.seconds.get(name, 0.0) for name in WHOLE_STEPS)
    return {
        "seconds": round(seconds, 1),
        "steps": {name: round(value, 2) for name, value in times.seconds.items()},
        "processor_seconds": {name: round(times.processor.get(name, 0.0), 2) for name in WHOLE_STEPS},
        "frames_per_second": round(pictures / max(seconds, 1e-6), 2),
        "peak_memory_mb": peak_memory(),
    }


def peak_memory() -> int:
    """Of this process so far, MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (2**20 if sys.platform == "darwin" else 2**10))  # macOS counts bytes, Linux kB


def report_table(subject: str, report: dict[str, Any]):
    """A rich table of a report."""
    from rich.table import Table

    table = Table(title=subject, show_header=False)
    table.add_row("pictures read", str(report["pictures"]))
    table.add_row("used", f"{report['used']} ({100 * report['used'] / max(1, report['pictures']):.1f} %)")
    for reason, count in report["refused"].items():
        table.add_row(f"left out: {reason}", str(count))
    for name in ("face_seen", "left_hand_seen", "right_hand_seen"):
        table.add_row(name.replace("_", " "), str(report[name]))
    for name, (label, unit) in _FIGURES.items():
        value = report["fit"].get(name)
        if value is not None:
            table.add_row(label, f"{value:.2f} {unit}")
    table.add_row("pictures per second, all steps", f"{report['frames_per_second']:.1f}")
    table.add_row("peak memory", f"{report['peak_memory_mb']} MB")
    return table


def summary_table(reports: dict[str, dict[str, Any]]):
    """A rich table with one row per subject."""
    from rich.table import Table

    table = Table()
    columns = ("subject", "used", "left out", "body, % of height", "face, % of face", "IoU")
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number in (0, 2) else "right", overflow="fold")
    for subject, report in reports.items():
        figures = [report["fit"].get(name) for name in ("body_median", "face_median", "iou_median")]
        table.add_row(
            subject,
            f"{report['used']}/{report['pictures']}",
            ", ".join(f"{count} {reason}" for reason, count in report["refused"].items()),
            *("-" if value is None else f"{value:.2f}" for value in figures),
        )
    return table
