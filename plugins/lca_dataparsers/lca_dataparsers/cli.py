"""The ``lca-data`` command: one subcommand per module, imported when it runs."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import tyro

from lca_dataparsers.dataset.inspect import InspectConfig
from lca_dataparsers.formats.command import ImportConfig
from lca_dataparsers.processing.command import ProcessConfig
from lca_dataparsers.shards.command import ShardConfig
from lca_dataparsers.shards.unshard_command import UnshardConfig
from lca_dataparsers.synthetic.command import SynthConfig
from lca_dataparsers.viewing.command import ViewConfig
from lca_shared.errors import UserError

Command = (
    Annotated[ProcessConfig, tyro.conf.subcommand("process")]
    | Annotated[ImportConfig, tyro.conf.subcommand("import")]
    | Annotated[SynthConfig, tyro.conf.subcommand("synth")]
    | Annotated[InspectConfig, tyro.conf.subcommand("inspect")]
    | Annotated[ViewConfig, tyro.conf.subcommand("view")]
    | Annotated[ShardConfig, tyro.conf.subcommand("shard")]
    | Annotated[UnshardConfig, tyro.conf.subcommand("unshard")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``lca-data`` and return its exit status: 0, or 1 after one line that says what was wrong.

    ``--debug`` anywhere shows the traceback instead.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    config = tyro.cli(
        Command,  # type: ignore[arg-type]
        args=arguments,
        prog="lca-data",
        description="Pictures of people into training data for codec avatars. --debug shows tracebacks.",
        config=(tyro.conf.OmitArgPrefixes,),
    )
    try:
        import_module(type(config).__module__).run(config)
    except UserError as error:
        if debug:
            raise
        print(f"lca-data: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lca-data: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
