"""``lca export``: an avatar for other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True)
class ExportConfig:
    """Write an avatar as splats (ply, spz), as a rigged body with the splats beside it (glb), or as arrays (npz).

    Without a motion: at rest. With one: ply and spz become a folder of one file a frame (or the frame at --time), glb
    gets an animation, npz holds all frames.
    """

    avatar: Annotated[Path, tyro.conf.Positional]
    """NAME.avatar, from `lca create`."""
    format: Literal["ply", "spz", "npz", "glb"]
    """Of the file."""
    output: Path
    """The file, or a folder for a sequence."""
    motion: Path | None = None
    """A dataset or an .npz, as for `lca drive`."""
    subject: str | None = None
    """Whose motion, where the dataset holds several people."""
    time: float | None = None
    """Seconds into the motion: that frame alone."""
    fps: float | None = None
    """Frames a second; by default those of the recording."""
    seconds: float | None = None
    """Length at most."""
    axes: Literal["usual", "z-up", "y-up", "y-down"] = "usual"
    """Which way is up; usual: y-down for ply (as captured scenes), y-up for spz and glb, z-up for npz."""
    overwrite: bool = False
    """Replace files that are there."""


def run(config: ExportConfig) -> None:
    """Export the avatar.

    Raises:
        UserError: the avatar or the motion cannot be used, or the output cannot be written.
    """
    from tqdm import tqdm

    from lca_method.avatar.bundle import load_avatar
    from lca_method.avatar.motion_files import read_motion
    from lca_method.avatar.retargeting import retargeted
    from lca_method.exports.registry import FORMATS, Export
    from lca_shared.errors import UserError

    chosen = FORMATS[config.format]
    axes = chosen.axes if config.axes == "usual" else config.axes
    if config.format == "glb" and axes != "y-up":
        raise UserError("glTF is y-up by definition: leave --axes out.")
    loaded = load_avatar(config.avatar)
    motion = None
    if config.motion is not None:
        start, seconds = (0.0, config.seconds) if config.time is None else (config.time, 0.0)
        recorded = read_motion(config.motion, config.subject)
        motion = retargeted(recorded, loaded.avatar.body, config.fps or recorded.rate, start, seconds)
    elif config.time is not None:
        raise UserError("--time is a place in a --motion, and none was given.")
    several = motion is not None and len(motion) > 1 and not chosen.whole_motion
    _check(config, chosen.suffix, several)
    if several:
        assert motion is not None
        names = [config.output / f"{index:06d}{chosen.suffix}" for index in range(len(motion))]
    else:
        names = [config.output]
    written = []
    for index, name in enumerate(tqdm(names, desc="writing", unit="frame", disable=len(names) == 1)):
        written += chosen.write(Export(loaded, name, axes, motion, index))
    total = sum(path.stat().st_size for path in written) / 2**20
    others = "".join(f" and {path}" for path in written[1:]) if len(written) < 4 and not several else ""
    print(f"Wrote {config.output}{others} ({total:.1f} MB, {axes}).")


def _check(config: ExportConfig, suffix: str, several: bool) -> None:
    from lca_shared.errors import UserError

    if several and config.output.suffix == suffix:
        raise UserError(f"{config.output}: a motion becomes a folder of {suffix} files; name a folder, or give --time.")
    if not several and config.output.suffix != suffix:
        raise UserError(f"{config.output}: give a name that ends with {suffix}.")
    there = config.output.exists() and not (several and not any(config.output.iterdir()))
    if there and not config.overwrite:
        raise UserError(f"{config.output} exists already. Choose another name, or give --overwrite.")
