"""``lca-data shard``: a dataset folder as WebDataset tar files."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from lca_dataparsers.split import FrameSplit


@dataclass(frozen=True)
class ShardConfig:
    """Write a dataset as WebDataset tar files with an index: read in order, or at random, by training at scale."""

    dataset: tyro.conf.Positional[Path]
    """The dataset's folder; it is not changed."""
    output_dir: Path
    """The shards' folder. Whole shards are kept: a killed run goes on where it stopped."""
    shard_megabytes: int = 256
    """A tar file is closed when it has reached this size."""
    block_frames: int = 32
    """Pictures of one person that are stored, and in a stream read, together."""
    seed: int = 0
    """Of the order of the people and of their frames."""
    split: FrameSplit = field(default_factory=FrameSplit)
    """How frames are split where no person is held out."""


def run(config: ShardConfig) -> None:
    """Write the shards.

    Raises:
        UserError: a setting makes no sense, the dataset is broken, or the folder cannot be used.
    """
    from lca_dataparsers.shards.writing import write_shards
    from lca_shared.errors import UserError

    if config.shard_megabytes < 1:
        raise UserError(f"--shard-megabytes must be at least 1, not {config.shard_megabytes}.")
    if config.block_frames < 4:
        raise UserError(f"--block-frames must be at least 4, not {config.block_frames}.")
    info, written = write_shards(config)
    shards = len(info.files) + sum(len(group.shards) for group in info.groups.values())
    rows = sum(group.rows for group in info.groups.values())
    parser = "" if info.dataset.kind == "wild" else f" lca-{info.dataset.kind}"
    print(
        f"{config.output_dir} has {rows} images in {shards} shards ({shards - written} were there already). "
        f"Next: ns-train lca-pretrain-tiny --data {config.output_dir}{parser}"
    )
