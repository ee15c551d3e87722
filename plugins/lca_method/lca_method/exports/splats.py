"""3D Gaussian splats as viewers read them: PLY, and Niantic's compressed SPZ."""

import tempfile
from pathlib import Path

from lca_method.exports.axes import axes_from_world, turned
from lca_method.exports.posing import gaussians_of
from lca_method.exports.registry import Export
from lca_shared.gaussians import Gaussians
from lca_shared.ply import write_ply
from lca_shared.storage import atomic_path

SPZ_FRACTIONAL_BITS = 20
"""Positions to a thousandth of a millimetre, up to 8 m from the origin."""


def write_ply_file(export: Export) -> list[Path]:
    """The layout of the original 3D Gaussian splatting code.

    Raises:
        UserError: the file cannot be written.
    """
    write_ply(_wanted(export), export.path)
    return [export.path]


def write_spz_file(export: Export) -> list[Path]:
    """Version 3: scales to 3 %, colours and opacities to 8 bits, rotations to 10 bits a number.

    Raises:
        UserError: the file cannot be written.
    """
    import gsply

    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "a.ply"
        write_ply(_wanted(export), plain)
        data = gsply.plyread(plain)
        with atomic_path(export.path) as temporary:
            gsply.write_spz(temporary, data, fractional_bits=SPZ_FRACTIONAL_BITS)
    return [export.path]


def _wanted(export: Export) -> Gaussians:
    gaussians = gaussians_of(export.loaded.avatar, export.motion, export.frame)
    return turned(gaussians, axes_from_world(export.axes))
