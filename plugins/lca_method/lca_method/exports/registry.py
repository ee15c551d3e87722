"""What ``lca export`` can write."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from lca_method.avatar.bundle import LoadedAvatar
from lca_method.avatar.motion import Motion
from lca_method.exports.axes import Axes


@dataclass(frozen=True)
class Export:
    """What is wanted of a format."""

    loaded: LoadedAvatar
    path: Path
    """The file to write."""
    axes: Axes
    motion: Motion | None
    """Frames named as the avatar's rig; None = at rest."""
    frame: int = 0
    """Of ``motion``, for formats that hold one."""


@dataclass(frozen=True)
class Format:
    """How to write a format."""

    suffix: str
    writer: str
    """``module:function``, imported when it is needed."""
    whole_motion: bool
    """One file holds all frames; otherwise a motion becomes a folder of files."""
    axes: Axes
    """Usual for its readers."""

    @property
    def write(self) -> Callable[[Export], list[Path]]:
        """Writes files, and says which."""
        module, name = self.writer.split(":")
        return getattr(import_module(module), name)


FORMATS = {
    "ply": Format(".ply", "lca_method.exports.splats:write_ply_file", False, "y-down"),
    "spz": Format(".spz", "lca_method.exports.splats:write_spz_file", False, "y-up"),
    "npz": Format(".npz", "lca_method.exports.arrays:write_arrays", True, "z-up"),
    "glb": Format(".glb", "lca_method.exports.gltf:write_glb", True, "y-up"),
}
"""By name."""
