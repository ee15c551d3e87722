"""One photo from a file: upright, sRGB, with transparency and focal length where the file tells them."""

from functools import cache
from pathlib import Path

import numpy as np

from lca_shared.errors import UserError

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".tif", ".tiff", ".bmp")
"""File names taken for photos; anything else is tried as a video."""

FILM_DIAGONAL = 43.27
"""Of the 36 x 24 mm film that EXIF's equivalent focal length refers to, mm."""

_EXIF_IFD, _FOCAL_35MM = 0x8769, 0xA405
_BACKGROUND = 255
"""Grey value behind transparent pixels: what they hold is arbitrary, and detectors should not see it."""


def is_photo(path: Path) -> bool:
    """Whether the file's name says that it is a photo."""
    return path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")


def read_photo(path: Path) -> tuple[np.ndarray, np.ndarray | None, float | None]:
    """Decode a photo.

    Returns:
        Image (uint8 [h, w, 3], sRGB, upright), alpha (uint8 [h, w]) or None where all is opaque, and the focal length
        in pixels from EXIF or None.

    Raises:
        UserError: the file cannot be read as a photo.
    """
    from PIL import Image, ImageOps

    _register_heif()
    try:
        with Image.open(path) as opened:
            focal = _focal_from_exif(opened)
            upright = ImageOps.exif_transpose(opened)
            # 16-bit greys would be clipped, not scaled, by convert
            if upright.mode.startswith("I;16"):
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            pixels = np.asarray(_to_srgb(upright).convert("RGBA"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "No such file" if isinstance(error, FileNotFoundError) else str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read as a photo ({reason}). Remove it or convert it to PNG.") from error
    image, alpha = np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3])
    if (alpha == 255).all():
        return image, None, focal
    share = alpha[..., None].astype(np.float32) / 255
    return (image * share + _BACKGROUND * (1 - share)).round().astype(np.uint8), alpha, focal


def photo_size(path: Path) -> tuple[int, int]:
    """(width, height) of an upright photo, from its header.

    Raises:
        UserError: the file is no photo.
    """
    from PIL import Image

    _register_heif()
    try:
        with Image.open(path) as opened:
            turned = opened.getexif().get(0x0112, 1) >= 5  # EXIF orientations 5 to 8 swap the sides
            return (opened.height, opened.width) if turned else opened.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path} cannot be read as a photo ({error}). Remove it or convert it to PNG.") from error


@cache
def _register_heif() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()


def _to_srgb(image):
    """Colours of a photo with another profile (phones: Display P3) in sRGB."""
    import io

    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=image.mode) or image
    except (ImageCms.PyCMSError, OSError):  # a profile that does not fit its image: the numbers are sRGB as a rule
        return image


def _focal_from_exif(image) -> float | None:
    equivalent = image.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_35MM)
    if not equivalent:
        return None
    return float(equivalent) * float(np.hypot(*image.size)) / FILM_DIAGONAL
