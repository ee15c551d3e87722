"""``lca pull``: fetch a model, an avatar or a dataset from the Hugging Face Hub into a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class PullConfig:
    """Fetch a model, an avatar or a dataset from the Hugging Face Hub into a folder, with checksums verified.

    Interrupted pulls go on where they stopped. (`--model`, `--checkpoint` and avatars' paths take a Hub id too.)
    """

    hub_id: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="OWNER/NAME[@REVISION]")]
    """The repository; `datasets/` before it if it is a dataset and a model has the same name."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["--output-dir"])] = None
    """The folder; by default named as the repository, in the current folder."""
    revision: str | None = None
    """Branch, tag or commit; by default main."""
    overwrite: bool = False
    """Replace a folder of that name."""


def run(config: PullConfig) -> None:
    """Pull.

    Raises:
        UserError: it is not there, cannot be fetched, or came damaged.
    """
    from lca_method.hub.fetching import pull
    from lca_method.hub.hub_id import hub_id

    hub = hub_id(config.hub_id).at(config.revision)
    kind, folder, left_out = pull(hub, config.output, config.overwrite)
    if left_out:
        some = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
        print(f"Left out, as they are no part of {kind.name}s: {some}.")
    following = {
        "model": f"lca create PHOTOS --model {folder} --output me.avatar",
        "avatar": f"lca view {folder}",
        "dataset": f"lca-data inspect {folder}",
    }
    print(f"Wrote {folder} ({hub}). Next: {following[kind.name]}")
