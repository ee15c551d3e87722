"""The table of ``lca eval``: on the terminal, as Markdown, as JSON, and picture by picture as CSV."""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lca_method.evaluating.bootstrap import Interval
from lca_method.evaluating.scores import METRICS, REGIONS, PictureScore
from lca_shared.storage import atomic_path


@dataclass(frozen=True)
class Part:
    """One test set with one number of reference views."""

    test_set: str
    references: int
    averages: Mapping[str, Interval | None]
    """``region_metric`` -> mean over people with its interval; None = nothing to measure."""
    people: Mapping[str, Mapping[str, float]]
    """Means of each person."""
    scores: Sequence[PictureScore]

    def as_json(self) -> dict[str, Any]:
        """Plain values; what could not be measured is null."""
        people = {
            name: {key: None if math.isnan(value) else value for key, value in values.items()}
            for name, values in self.people.items()
        }
        averages = {key: None if value is None else asdict(value) for key, value in self.averages.items()}
        return {
            "test_set": self.test_set,
            "references": self.references,
            "images": len(self.scores),
            "subjects": len(self.people),
            "means": averages,
            "per_subject": people,
        }


def shown_regions(parts: Sequence[Part]) -> list[str]:
    """Parts of the person that have columns: a loose garment only where one was measured."""
    worn = any(part.averages["garment_psnr"] is not None for part in parts)
    return [region for region in REGIONS if region != "person" and (worn or region != "garment")]


def headings(regions: Sequence[str]) -> list[str]:
    """Columns of the table."""
    columns = ["test set", "references", "people / pictures", "PSNR [95 %]", "L1", "SSIM", "LPIPS"]
    split = ["garment split (mm)"] if "garment" in regions else []
    return [*columns, *(f"{region} PSNR / L1" for region in regions), *split]


def cells(part: Part, regions: Sequence[str]) -> list[str]:
    """A line of the table."""
    psnr = part.averages["person_psnr"]
    line = [part.test_set, str(part.references), f"{len(part.people)} / {len(part.scores)}"]
    line.append("-" if psnr is None else f"{psnr.mean:.2f} [{psnr.low:.2f}, {psnr.high:.2f}]")
    line += [_number(part.averages[f"person_{metric}"], 4) for metric in METRICS[1:]]
    for region in regions:
        line.append(f"{_number(part.averages[f'{region}_psnr'], 2)} / {_number(part.averages[f'{region}_l1'], 4)}")
    return [*line, _number(part.averages["garment_split"], 1)] if "garment" in regions else line


def print_table(parts: Sequence[Part], extra: Mapping[str, Any]) -> None:
    """On the terminal."""
    table = Table(title="On person pixels; means over people, each counting the same; 95 % bootstrap intervals")
    regions = shown_regions(parts)
    for heading in headings(regions):
        table.add_column(heading)
    for part in parts:
        table.add_row(*cells(part, regions))
    console = Console()
    console = Console(width=max(console.width, 120))
    console.print(table)
    for name, content in extra.items():
        console.print(f"[bold]{name}[/bold]: expression, gaze and hands")
        console.print_json(data=content)


def markdown(parts: Sequence[Part], extra: Mapping[str, Any]) -> str:
    """The same as Markdown, with a line for each person below."""
    regions = shown_regions(parts)
    lines = _table(headings(regions), [cells(part, regions) for part in parts])
    lines += [
        "",
        "Means over people, each counting the same; 95 % bootstrap intervals over people; person pixels only.",
        "",
    ]
    names = [f"{region} {metric}" for region in ("person", *regions) for metric in METRICS]
    names += ["garment split"] if "garment" in regions else []
    rows = []
    for part in parts:
        for person, values in part.people.items():
            numbers = [_plain(values[name.replace(" ", "_")]) for name in names]
            rows.append([part.test_set, str(part.references), person, *numbers])
    lines += _table(["test set", "references", "person", *names], rows)
    for name, content in extra.items():
        lines += ["", f"Expression, gaze and hands on {name}:", "", "```json", json.dumps(content, indent=1), "```"]
    return "\n".join(lines)


def write_pictures_csv(parts: Sequence[Part], path: Path) -> None:
    """A line for each picture."""
    keys = list(parts[0].scores[0].values)
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["test_set", "references", "subject", "row", *keys])
        for part in parts:
            for score in part.scores:
                numbers = ["" if math.isnan(score.values[key]) else score.values[key] for key in keys]
                writer.writerow([part.test_set, part.references, score.subject, score.row, *numbers])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows]]


def _number(interval: Interval | None, digits: int) -> str:
    return "-" if interval is None else f"{interval.mean:.{digits}f}"


def _plain(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
