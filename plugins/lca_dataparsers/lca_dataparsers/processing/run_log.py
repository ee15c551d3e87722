"""What a run over many inputs did: a line per clip as it goes, and a summary with sample pictures at the end."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from lca_dataparsers.processing.outcome import Outcome
from lca_dataparsers.processing.samples import Samples, merge_samples, write_samples
from lca_shared.errors import UserError
from lca_shared.storage import write_json

LOG_FILE, REPORT_FILE, SHEET_FILE = "clips.jsonl", "report.json", "left_out.jpg"


class RunLog:
    """Of an output folder; later runs add to it.

    Args:
        folder: the output folder.

    Raises:
        UserError: the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._rows: dict[str, dict[str, Any]] = {}
        self._samples: Samples = {}
        self._read()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LOG_FILE).open("a+b") as file:
                if file.seek(0, 2) and _last_byte(file) != b"\n":
                    file.write(b"\n")  # a killed run's half line ends here
        except OSError as error:
            raise UserError(f"Cannot write {folder}: {error.strerror}. Choose a folder you may write to.") from error

    def subjects_of(self, path: Path) -> list[str] | None:
        """Subjects that an earlier run wrote from an input it finished; None if there was no such run."""
        rows = [row for row in self._rows.values() if row["input"] == str(path)]
        if not rows or any(row["state"] == "failed" for row in rows):
            return None
        return [row["subject"] for row in rows if row["state"] == "written"]

    def add(self, outcomes: list[Outcome]) -> None:
        """Note what became of an input's clips."""
        with (self.folder / LOG_FILE).open("a") as file:
            for outcome in outcomes:
                self._rows[outcome.subject] = outcome.row()
                file.write(json.dumps(outcome.row()) + "\n")
        for outcome in outcomes:
            merge_samples(self._samples, outcome.samples)

    def finish(self) -> dict[str, Any]:
        """Write ``report.json``, and ``left_out.jpg`` if this run left anything out; returns the report."""
        report = summary(list(self._rows.values()))
        write_json(self.folder / REPORT_FILE, {"kind_of_file": "report of lca-data process", **report})
        if any(self._samples.values()):
            write_samples(self.folder / SHEET_FILE, self._samples, report["pictures_left_out"])
        return report

    def _read(self) -> None:
        path = self.folder / LOG_FILE
        if not path.is_file():
            return
        for line in path.read_text(errors="replace").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # a killed run's half line
            if isinstance(row, dict) and {"subject", "input", "state"} <= row.keys():
                self._rows[row["subject"]] = row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts over all clips."""
    reports = [row["report"] for row in rows if row.get("report")]
    refused: Counter[str] = Counter()
    for report in reports:
        refused.update(report["refused"])
    return {
        "clips": dict(Counter(row["state"] for row in rows)),
        "pictures_read": sum(report["pictures"] for report in reports),
        "pictures_used": sum(report["used"] for report in reports),
        "pictures_left_out": dict(refused.most_common()),
        "duplicates": sum(report.get("duplicates", 0) for report in reports),
        "seconds": round(sum(report.get("seconds", 0.0) for report in reports), 1),
        "not_made": {row["subject"]: row["message"] for row in rows if row["state"] != "written"},
    }


def _last_byte(file: Any) -> bytes:
    file.seek(-1, 2)
    return file.read(1)
