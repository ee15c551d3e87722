"""``lca push``: share a trained model, an avatar or a dataset on the Hugging Face Hub."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class PushConfig:
    """Share a training run's model, an avatar or a dataset on the Hugging Face Hub.

    A model goes as safetensors and JSON, with a card filled from the run; never a pickle. Interrupted pushes go on
    where they stopped: what the Hub has already is not sent again. HF_TOKEN or `hf auth login` says who you are,
    HF_ENDPOINT which Hub.
    """

    path: tyro.conf.Positional[Path]
    """Folder of a training run (or a checkpoint in it), a model's folder, NAME.avatar, or a dataset."""
    hub_id: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME")]
    """The repository; made if it is not there."""
    revision: str | None = None
    """Branch to push to; made if it is not there. By default main."""
    private: bool = False
    """If the repository is made: only you can see it."""
    licence: str | None = None
    """Of the weights, avatar or dataset, e.g. apache-2.0; on the card. By default that of the pictures, where known."""
    consent: str | None = None
    """How the people shown have agreed, in a sentence for the card. Avatars and datasets of real people need it, or
    --private."""
    trained_on: str | None = None
    """The machine a model was trained on, for the card."""
    half: bool = False
    """A model's weight matrices in float16: half the size."""
    message: str | None = None
    """Of the commit."""


def run(config: PushConfig) -> None:
    """Push.

    Raises:
        UserError: nothing to share at the path, or the Hub refuses.
    """
    from lca_method.hub.pushing import push

    push(config)
