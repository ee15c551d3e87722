"""``lca view``: an avatar in the browser."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class ViewConfig:
    """Look at an avatar in the browser: poses, faces, gaze, a motion; drag to turn."""

    avatar: Annotated[Path, tyro.conf.Positional]
    """NAME.avatar, from `lca create`."""
    motion: Path | None = None
    """Offer a recorded motion: a dataset, .bvh or .npz, as for `lca drive`."""
    subject: str | None = None
    """Whose motion, where the dataset holds several people."""
    live: bool = False
    """Move as the person in front of a webcam does."""
    webcam: str = "0"
    """Number of the webcam, or a video in its place."""
    face_port: int | None = None
    """Listen here (UDP) for a face's coefficients: 11111 is where the app Live Link Face sends them."""
    client_side: bool = False
    """Send the Gaussians to the browser and let it draw them (needs WebGL there): smooth turning on slow machines."""
    size: int = 768
    """Height of the picture when nothing moves, pixels."""
    coarse: int = 256
    """Height while something moves, pixels."""
    host: str = "127.0.0.1"
    """Who may connect: 0.0.0.0 = everybody who can reach this machine."""
    port: int = 7008
    """Of the page."""
    model_dir: Path | None = None
    """Looked through first for the detectors' weights of --live."""
    device: Literal["auto", "cpu", "cuda"] = "auto"


def run(config: ViewConfig) -> None:
    """Serve the page until Ctrl+C.

    Raises:
        UserError: the avatar, the motion, the webcam or a port cannot be used.
    """
    import torch
    import viser

    from lca_method.avatar.bundle import REFERENCE_FILE, load_avatar
    from lca_method.avatar.motion_files import read_motion
    from lca_method.avatar.retargeting import retargeted
    from lca_method.live.sources import LiveSource, PhoneFace, WebcamPerson
    from lca_method.viewing.looking import add_looking
    from lca_method.viewing.show import Show
    from lca_shared.command_line import check_port

    check_port(config.host, config.port)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    loaded = load_avatar(config.avatar, device)
    motion = None
    if config.motion is not None:
        recorded = read_motion(config.motion, config.subject)
        motion = retargeted(recorded, loaded.avatar.body, recorded.rate)
    body = loaded.avatar.body
    reference = None
    if (loaded.path / REFERENCE_FILE).is_file():
        reference = read_motion(loaded.path / REFERENCE_FILE).named(body.driven_joints, body.expression_names)
    live: list[LiveSource] = []
    if config.live:
        live.append(WebcamPerson(body, config.webcam, config.model_dir))
    if config.face_port is not None:
        live.append(PhoneFace(body, config.face_port))
    server = viser.ViserServer(host=config.host, port=config.port, label=loaded.record.name, verbose=False)
    show = Show(server, loaded.avatar, motion, config.coarse, config.size, config.client_side, reference, live)
    add_looking(server, body, show)
    print(f"{config.avatar} at http://{config.host}:{config.port} (Ctrl+C ends it)", flush=True)
    try:
        show.run()
    except KeyboardInterrupt:
        print()
    finally:
        server.stop()
        for source in live:
            source.close()
