"""What the ``lca analyze`` commands share: devices by name and tables."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from lca_shared.errors import UserError
from lca_shared.storage import atomic_path


def device_named(name: str) -> torch.device:
    """``auto`` is CUDA where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UserError("There is no CUDA device here. Leave out --device, or use --device cpu.")
    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else name.replace("auto", "cpu"))


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line for each row; columns are those of the first. Atomic."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def print_rows(title: str, rows: Sequence[Mapping[str, Any]], caption: str = "") -> None:
    """A table on the terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*(name.replace("_", " ") for name in rows[0]), title=title, caption=caption)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
