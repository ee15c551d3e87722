"""What differs between releases of gsplat, made explicit.

The numbers were read from gsplat's CUDA sources of the three releases. A picture rendered under one convention differs
from another's by up to about 0.01, so a trained avatar remembers which one it was trained with.
"""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@dataclass(frozen=True)
class Convention:
    """The numerical rules of a Gaussian rasterizer."""

    name: str
    max_alpha: float = 0.999
    """A Gaussian's opacity at a pixel is clamped to this."""
    min_alpha: float = 1.0 / 255.0
    """A Gaussian is skipped at a pixel where its opacity is below this."""
    min_transmittance: float = 1e-4
    """A pixel stops before the Gaussian that would take its transmittance to this or below."""
    isotropic_radius: bool = False
    """True: a Gaussian covers the tiles within 3 deviations of its longer axis (up to 1.4); False: a rectangle per
    axis that loses nothing above ``min_alpha`` (from 1.5)."""
    covariance_blur: float = 0.3
    """Added to the diagonal of the projected covariance, pixels squared."""
    near: float = 0.01
    """Metres: nearer Gaussians are not drawn."""
    far: float = 1e10
    """Metres: farther Gaussians are not drawn."""
    frustum_margin: float = 0.3
    """The projection's Jacobian is taken at most this share of the half field of view outside the picture."""
    tile: int = 16
    """Pixels: side of a tile; with ``isotropic_radius`` the picture depends on it."""

    @staticmethod
    def of_gsplat(release: str) -> "Convention":
        """The rules of a gsplat release, e.g. ``1.4.0``.

        Raises:
            ValueError: the release is older than the rules known here.
        """
        numbers = tuple(int(part) for part in release.split("+")[0].split(".")[:2])
        if numbers < (1, 0):
            raise ValueError(f"gsplat {release} is older than the conventions known here (1.0 and later)")
        if numbers < (1, 5):
            return GSPLAT_1_4
        return GSPLAT_1_5 if numbers < (1, 6) else GSPLAT_1_6

    @staticmethod
    def installed() -> "Convention":
        """The rules of the installed gsplat; of 1.4.0, which nerfstudio pins, where there is none."""
        return _installed()


GSPLAT_1_4 = Convention("gsplat 1.4.0", isotropic_radius=True)
GSPLAT_1_5 = Convention("gsplat 1.5.3")
GSPLAT_1_6 = Convention("gsplat 1.6.0", max_alpha=0.99)


@cache  # asked for at every picture; the metadata takes a millisecond to read
def _installed() -> Convention:
    try:
        return Convention.of_gsplat(version("gsplat"))
    except PackageNotFoundError:
        return GSPLAT_1_4
