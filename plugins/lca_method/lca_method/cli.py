"""The ``lca`` command: one subcommand per module, imported when it runs."""

import sys
from collections.abc import Sequence
from importlib import import_module

import tyro

from lca_method.analysis.command import AnalyzeConfig
from lca_method.avatar.bench_command import BenchConfig
from lca_method.avatar.create_command import CreateConfig
from lca_method.avatar.drive_command import DriveConfig
from lca_method.evaluating.command import EvalConfig
from lca_method.exports.export_command import ExportConfig
from lca_method.viewing.view_command import ViewConfig
from lca_shared.errors import UserError

SUBCOMMANDS = {
    "create": CreateConfig,
    "drive": DriveConfig,
    "view": ViewConfig,
    "export": ExportConfig,
    "eval": EvalConfig,
    "analyze": AnalyzeConfig,
    "bench": BenchConfig,
}
"""Configurations by name; the module of each has ``run(config)``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``lca`` and return its exit status: 0, or 1 after one line that says what was wrong.

    ``--debug`` anywhere shows the traceback instead.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    config = tyro.extras.subcommand_cli_from_dict(
        SUBCOMMANDS,
        args=arguments,
        prog="lca",
        description="Codec avatars: make and move them, find out what models are worth. --debug shows tracebacks.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        import_module(type(config).__module__).run(config)
    except UserError as error:
        if debug:
            raise
        print(f"lca: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lca: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
