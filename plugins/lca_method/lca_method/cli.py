"""The ``lca`` command: one subcommand per module, imported when it runs."""

import sys
from collections.abc import Sequence

from lca_method.analysis.command import AnalyzeConfig
from lca_method.avatar.bench_command import BenchConfig
from lca_method.avatar.create_command import CreateConfig
from lca_method.avatar.drive_command import DriveConfig
from lca_method.evaluating.command import EvalConfig
from lca_method.exports.export_command import ExportConfig
from lca_method.hub.pull_command import PullConfig
from lca_method.hub.push_command import PushConfig
from lca_method.viewing.view_command import ViewConfig
from lca_shared.command_line import run_subcommand

SUBCOMMANDS = {
    "create": CreateConfig,
    "drive": DriveConfig,
    "view": ViewConfig,
    "export": ExportConfig,
    "eval": EvalConfig,
    "analyze": AnalyzeConfig,
    "bench": BenchConfig,
    "push": PushConfig,
    "pull": PullConfig,
}
"""Configurations by name; the module of each has ``run(config)``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``lca``; see :func:`lca_shared.command_line.run_subcommand`."""
    return run_subcommand(
        "lca", "Codec avatars: make and move them, find out what models are worth.", SUBCOMMANDS, arguments
    )


if __name__ == "__main__":
    sys.exit(main())
