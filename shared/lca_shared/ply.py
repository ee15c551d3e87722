"""Gaussians to and from the PLY files that splat viewers and editors read.

The layout is that of the original 3D Gaussian splatting code: colour as the constant term of spherical harmonics,
opacity as a logit, scales as logarithms, quaternions wxyz.
"""

from pathlib import Path

import numpy as np
import plyfile
import torch

from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.storage import atomic_path

SH_CONSTANT = 0.28209479177387814
"""The spherical harmonic of degree 0: colour = 0.5 + SH_CONSTANT * f_dc."""

_POSITION = ("x", "y", "z")
_COLOR = tuple(f"f_dc_{i}" for i in range(3))
_SCALE = tuple(f"scale_{i}" for i in range(3))
_ROTATION = tuple(f"rot_{i}" for i in range(4))
_NORMAL = ("nx", "ny", "nz")  # always zero, but some readers want them
_EXTREME_LOGIT = 15.0
"""Opacities of exactly 0 or 1 have no finite logit."""


def write_ply(gaussians: Gaussians, path: Path) -> None:
    """Write RGB Gaussians without batch axes; whole or not at all.

    Raises:
        ValueError: there are batch axes, or the channels are not three.
        UserError: the folder cannot be written.
    """
    if gaussians.means.ndim != 2 or gaussians.colors.shape[-1] != 3:
        raise ValueError(f"need [gaussians, 3] colours, not {tuple(gaussians.colors.shape)}")
    opacity = gaussians.opacities.detach().logit().clamp(-_EXTREME_LOGIT, _EXTREME_LOGIT)
    columns = {
        _POSITION: gaussians.means,
        _NORMAL: torch.zeros_like(gaussians.means),
        _COLOR: (gaussians.colors - 0.5) / SH_CONSTANT,
        ("opacity",): opacity[:, None],
        _SCALE: gaussians.scales.log(),
        _ROTATION: torch.nn.functional.normalize(gaussians.quaternions, dim=-1),
    }
    names = [name for group in columns for name in group]
    values = torch.cat([value.detach().float().cpu() for value in columns.values()], dim=-1).numpy()
    rows = np.rec.fromarrays(values.T, dtype=[(name, "<f4") for name in names])
    with atomic_path(Path(path)) as temporary:
        plyfile.PlyData([plyfile.PlyElement.describe(rows, "vertex")]).write(str(temporary))


def read_ply(path: Path) -> Gaussians:
    """Read Gaussians; view-dependent colour beyond the constant term is left out.

    Raises:
        UserError: the file is missing, is not a PLY, or does not hold Gaussians.
    """
    try:
        vertices = plyfile.PlyData.read(str(path))["vertex"]
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist.") from error
    except (plyfile.PlyParseError, KeyError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not a PLY file of points ({error}).") from error
    present = {item.name for item in vertices.properties}
    missing = {*_POSITION, *_COLOR, "opacity", *_SCALE, *_ROTATION} - present
    if missing:
        raise UserError(f"{path} does not hold 3D Gaussians: it lacks {', '.join(sorted(missing))}.")

    def columns(*names: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([np.asarray(vertices[name], np.float32) for name in names], axis=-1))

    return Gaussians(
        means=columns(*_POSITION),
        quaternions=columns(*_ROTATION),
        scales=columns(*_SCALE).exp(),
        opacities=columns("opacity")[:, 0].sigmoid(),
        colors=columns(*_COLOR) * SH_CONSTANT + 0.5,
    )
