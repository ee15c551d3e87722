"""``lca-data view``: a dataset's cameras with their pictures, and the body, in the browser."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class ViewConfig:
    """Look at a dataset in the browser: all cameras of a rig with their pictures and the body between them, for each
    person and moment.
    """

    dataset: Annotated[Path, tyro.conf.Positional]
    """The dataset's folder."""
    picture_side: int = 320
    """Long side of the pictures in the browser, pixels."""
    host: str = "127.0.0.1"
    """Who may connect: 0.0.0.0 = everybody who can reach this machine."""
    port: int = 7009
    """Of the page."""


def run(config: ViewConfig) -> None:
    """Serve the page until Ctrl+C.

    Raises:
        UserError: the folder is no dataset, or the port cannot be used.
    """
    import time

    from lca_dataparsers.dataset.reader import AvatarDataset
    from lca_shared.command_line import check_port
    from lca_shared.errors import UserError

    dataset = AvatarDataset.open(config.dataset)
    if not dataset.subjects:
        raise UserError(f"{config.dataset} has no subjects yet. Fill it with `lca-data import` or `lca-data process`.")
    check_port(config.host, config.port)
    import viser

    from lca_dataparsers.viewing.rig import RigPage

    server = viser.ViserServer(host=config.host, port=config.port, label=str(config.dataset), verbose=False)
    RigPage(server, dataset, config.picture_side)
    print(f"{config.dataset} at http://{config.host}:{config.port} (Ctrl+C ends it)", flush=True)
    try:
        while True:
            time.sleep(1.0)
    except KeyboardInterrupt:
        print()
    finally:
        server.stop()
