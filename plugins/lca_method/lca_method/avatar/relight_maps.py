"""Environment maps from files: Radiance ``.hdr`` and OpenEXR ``.exr``, by OpenCV, and a few that ship."""

import os
from pathlib import Path

import numpy as np
import torch

from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

SHIPPED = Path(__file__).with_name("environments")
"""Made by ``scripts/make_environments.py``; CC0."""


def shipped_names() -> tuple[str, ...]:
    """Names of the maps that ship."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.hdr")))


def read_environment(place: str | Path) -> Float[Tensor, "height width 3"]:
    """Linear radiance, laid out as :mod:`lca_shared.lighting.equirectangular` says.

    Args:
        place: a file, or the name of a shipped map.

    Raises:
        UserError: there is no such map, it cannot be read, or it is not twice as wide as high.
    """
    path = Path(place)
    if str(place) in shipped_names():
        path = SHIPPED / f"{place}.hdr"
    if not path.is_file():
        raise UserError(f"There is no environment map {place}. Give an .hdr or .exr file, or: {_names()}.")
    if path.suffix.lower() not in (".hdr", ".exr"):
        raise UserError(f"{path}: an environment map is an .hdr or .exr file, or one of: {_names()}.")
    os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")  # OpenCV asks for it when it first reads one
    import cv2

    try:
        picture = cv2.imread(str(path), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}). Save it again as .hdr.") from error
    if picture is None:
        raise UserError(f"{path} is not a readable picture. Save it again as .hdr.")
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    height, width = picture.shape[:2]
    if not 1.9 <= width / height <= 2.1:
        raise UserError(f"{path} has {width} x {height} pixels: a map of all directions is twice as wide as high.")
    radiance = np.ascontiguousarray(picture[..., 2::-1], np.float32)
    if not np.isfinite(radiance).all():
        raise UserError(f"{path} holds radiance that is no finite number. Save it again with smaller values.")
    return torch.from_numpy(np.maximum(radiance, 0.0))


def _names() -> str:
    return ", ".join(shipped_names())
