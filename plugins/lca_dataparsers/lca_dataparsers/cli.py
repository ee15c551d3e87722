"""The ``lca-data`` command: one subcommand per module, imported when it runs."""

import sys
from collections.abc import Sequence

from lca_dataparsers.dataset.inspect import InspectConfig
from lca_dataparsers.formats.command import ImportConfig
from lca_dataparsers.processing.command import ProcessConfig
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.unshard_command import UnshardConfig
from lca_dataparsers.synthetic.command import SynthConfig
from lca_dataparsers.viewing.command import ViewConfig
from lca_shared.command_line import run_subcommand

SUBCOMMANDS = {
    "process": ProcessConfig,
    "import": ImportConfig,
    "synth": SynthConfig,
    "inspect": InspectConfig,
    "view": ViewConfig,
    "shard": ShardConfig,
    "unshard": UnshardConfig,
}
"""Configurations by name; the module of each has ``run(config)``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``lca-data``; see :func:`lca_shared.command_line.run_subcommand`."""
    return run_subcommand(
        "lca-data", "Pictures of people into training data for codec avatars.", SUBCOMMANDS, arguments
    )


if __name__ == "__main__":
    sys.exit(main())
