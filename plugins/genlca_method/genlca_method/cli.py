"""The ``genlca`` command: one subcommand per module, imported when it runs."""

import sys
from collections.abc import Sequence

from genlca_method.editing.command import EditConfig
from genlca_method.editing.decode_command import DecodeConfig
from genlca_method.editing.encode_command import EncodeConfig
from genlca_method.evaluation.command import EvalConfig
from genlca_method.latents.command import LatentsConfig
from genlca_method.sampling.command import GenerateConfig
from genlca_method.tokens.command import TokenizeConfig
from genlca_method.visibility.command import VisibilityCommandConfig
from lca_shared.command_line import run_subcommand

SUBCOMMANDS = {
    "visibility": VisibilityCommandConfig,
    "tokenize": TokenizeConfig,
    "latents": LatentsConfig,
    "generate": GenerateConfig,
    "encode": EncodeConfig,
    "decode": DecodeConfig,
    "edit": EditConfig,
    "eval": EvalConfig,
}
"""Configurations by name; the module of each has ``run(config)``."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``genlca``; see :func:`lca_shared.command_line.run_subcommand`."""
    return run_subcommand("genlca", "Generate and edit codec avatars.", SUBCOMMANDS, arguments)


if __name__ == "__main__":
    sys.exit(main())
