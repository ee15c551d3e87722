"""What an import says about the subject it wrote: on the terminal, and in ``subject.json``."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lca_dataparsers.formats.bodies import CaptureBody
from lca_dataparsers.formats.capture import Capture
from lca_dataparsers.formats.command import ImportConfig
from lca_dataparsers.formats.rows import MeasuredView

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class ImportedSubject:
    """What was written."""

    subject: str
    pictures: int
    cameras: int
    moments: int
    fitted: bool
    report: dict[str, Any]

    def table(self) -> "Table":
        """A table to read: per camera how well the body lies on the masks."""
        from rich.table import Table

        title = f"{self.subject}: {self.moments} moments"
        table = Table(title=title, box=None, padding=(0, 2, 0, 0))
        for column in ("camera", "pictures", "silhouette IoU", "body inside mask"):
            table.add_column(column, justify="left" if column == "camera" else "right")
        for name, row in self.report["cameras"].items():
            values = [f"{row[key]:.3f}" if row[key] is not None else "" for key in ("iou", "inside")]
            table.add_row(name, str(row["pictures"]), *values)
        return table


def import_report(
    config: ImportConfig, capture: Capture, body: CaptureBody, measured: dict[str, list[MeasuredView]]
) -> dict[str, Any]:
    """The ``report`` of a subject, from what was measured in the pictures of each camera."""

    def middle(values: list[float]) -> float | None:
        known = [value for value in values if np.isfinite(value)]
        return round(float(np.median(known)), 4) if known else None

    if capture.moving:
        measured = {"0": [one for found in measured.values() for one in found]}
    cameras = {
        name: {
            "pictures": len(found),
            "iou": middle([one.iou for one in found]),
            "inside": middle([one.inside for one in found]),
        }
        for name, found in measured.items()
        if found
    }
    turn = capture.world_from_capture
    return {
        "format": config.format,
        "capture": capture.name,
        "person": capture.person,
        "refused": {},
        "iou": middle([one.iou for found in measured.values() for one in found]),
        "cameras": cameras,
        "world_from_capture": None if turn is None else [[float(value) for value in row] for row in turn],
        "frame_splits": {str(frame): split for frame, split in capture.frame_splits.items()},
        "light_patterns": None if capture.lights is None else len(capture.lights.patterns),
        "notes": list(capture.notes),
        **body.report,
    }
