"""``lca analyze``: pictures of what a trained model has learned."""

from dataclasses import dataclass
from importlib import import_module
from typing import Annotated

import tyro

from lca_method.analysis.attention_command import AttentionConfig
from lca_method.analysis.latents_command import LatentsConfig


@dataclass(frozen=True)
class AnalyzeConfig:
    """Look into a trained model."""

    what: (
        Annotated[AttentionConfig, tyro.conf.subcommand("attention")]
        | Annotated[LatentsConfig, tyro.conf.subcommand("latents")]
    )
    """The analysis."""


def run(config: AnalyzeConfig) -> None:
    """Run the chosen analysis.

    Raises:
        UserError: see its own ``run``.
    """
    import_module(type(config.what).__module__).run(config.what)
