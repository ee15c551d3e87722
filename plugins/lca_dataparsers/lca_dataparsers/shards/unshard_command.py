"""``lca-data unshard``: WebDataset tar files back into a dataset folder."""

from dataclasses import dataclass
from pathlib import Path

import tyro


@dataclass(frozen=True)
class UnshardConfig:
    """Turn shards made by `lca-data shard` back into the dataset folder they were made from, bit for bit."""

    shards: tyro.conf.Positional[Path]
    """The shards' folder; it is not changed."""
    output_dir: Path
    """The dataset's folder. People who are whole there already are kept."""


def run(config: UnshardConfig) -> None:
    """Write the dataset.

    Raises:
        UserError: the shards are broken or try to write outside the folder, or the folder cannot be used.
    """
    from lca_dataparsers.shards.unpacking import unpack

    subjects, kept = unpack(config.shards, config.output_dir)
    print(
        f"Wrote {subjects - kept} subjects ({kept} were there already) to {config.output_dir}. "
        f"Next: lca-data inspect {config.output_dir}"
    )
