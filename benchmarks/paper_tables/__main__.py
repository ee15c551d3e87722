"""The paper's tables in miniature: ``python -m benchmarks.paper_tables table1 --seeds 0 1``.

Data, trainings and scores lie in the output folder; whatever is finished there is not done again, so a killed run goes
on where it stopped, a row at a time.
"""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

import tyro

from benchmarks.machine import describe
from benchmarks.paper_tables.plan import PRESETS, TABLES, Row
from benchmarks.paper_tables.run import TEST_SETS, make_data, run_row
from lca_shared.storage import atomic_path


@dataclass(frozen=True)
class Config:
    """Which table, how large."""

    table: tyro.conf.Positional[Literal["table1", "table3", "s1"]]
    preset: Literal["cpu", "gpu"] = "cpu"
    """cpu: two cores, two hours at most; gpu: one large GPU."""
    seeds: tuple[int, ...] = field(default=(0, 1))
    """Of draws and start weights."""
    output_dir: Path = Path("outputs/paper_tables")
    lpips: bool = True
    """Measure LPIPS (its weights are needed)."""


def main(config: Config) -> None:
    sizes, root = PRESETS[config.preset], config.output_dir.resolve() / config.preset
    rows = TABLES[config.table](sizes)
    data = make_data(sizes, root / "data")
    results: dict[str, list[dict]] = {row.name: [] for row in rows}
    for seed in config.seeds:
        for row in rows:
            results[row.name].append(run_row(row, seed, sizes, data, root, config.lpips)["scores"])
            print(f"done: {row.name}, seed {seed}", flush=True)
    text = table(rows, results, config)
    with atomic_path(root / f"{config.table}.md") as temporary:
        temporary.write_text(text + "\n")
    print(f"\n{text}\n\nWrote {root / f'{config.table}.md'}")


def table(rows: list[Row], results: dict[str, list[dict]], config: Config) -> str:
    """Markdown: means over seeds, with the standard deviation over seeds of PSNR, beside the paper's PSNR."""
    lines = [
        f"{describe()}; seeds {', '.join(map(str, config.seeds))}. Held-out people, person pixels.",
        "",
        "| | studio PSNR | L1 | LPIPS | wild PSNR | L1 | LPIPS | paper: studio | wild |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.name]
        for name in TEST_SETS:
            own = [scores[name] for scores in results[row.name]]
            psnr = [score["psnr"] for score in own]
            spread = f" ± {stdev(psnr):.2f}" if len(psnr) > 1 else ""
            lpips = "-" if own[0]["lpips"] is None else f"{fmean(score['lpips'] for score in own):.4f}"
            cells += [f"{fmean(psnr):.2f}{spread}", f"{fmean(score['l1'] for score in own):.4f}", lpips]
        cells += ["-", "-"] if row.paper is None else [f"{value:.2f}" for value in row.paper]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
