"""What the project's commands share: subcommands, one line for what is wrong, a port to serve a page on."""

import socket
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import tyro

from lca_shared.errors import UserError

SYSTEM_LIBRARIES = """\
OpenCV, Open3D and MediaPipe need libraries of the system that servers and containers often lack.
On Debian and Ubuntu: apt install libgl1 libglib2.0-0"""
_OF_THE_SYSTEM = "cannot open shared object file"
"""What an ImportError of a compiled package says that lacks one of them."""


def run_subcommand(
    program: str, description: str, subcommands: Mapping[str, Any], arguments: Sequence[str] | None = None
) -> int:
    """Run a command and return its exit status: 0, or 1 after one line that says what was wrong.

    ``--debug`` anywhere shows the traceback instead.

    Args:
        program: the command's name.
        description: for its help.
        subcommands: configuration classes by name; the module of each has ``run(config)``.
        arguments: of the command; by default those it was started with.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    config = tyro.extras.subcommand_cli_from_dict(
        dict(subcommands),
        args=[argument for argument in arguments if argument != "--debug"],
        prog=program,
        description=f"{description} --debug shows tracebacks.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )
    try:
        import_module(type(config).__module__).run(config)
    except UserError as error:
        if debug:
            raise
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        if debug or _OF_THE_SYSTEM not in str(error):
            raise
        print(f"{program}: {error}.\n{SYSTEM_LIBRARIES}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{program}: stopped; run the same command again to go on.", file=sys.stderr)
        return 130
    return 0


def check_port(host: str, port: int) -> None:
    """Find out whether a page can be served on a port; 0 stands for any that is free.

    Raises:
        UserError: it cannot.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"Port {port} of {host} cannot be used ({error.strerror}): try --port.") from error
