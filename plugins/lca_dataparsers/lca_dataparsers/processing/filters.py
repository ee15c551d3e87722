"""What a picture or a clip must have to be kept: the options of a curated set."""

from dataclasses import dataclass

from lca_shared.errors import UserError

TOO_MANY, DUPLICATE, NO_FACE, POOR_FIT = "too many people", "duplicate", "no face", "poor fit"
DUPLICATE_CHANGE = 0.05
"""Grey levels, mean over the picture: less than this differs from the picture before only by coding noise."""


@dataclass(frozen=True)
class FilterConfig:
    """Pictures and clips that are left out. The defaults keep whatever can be fitted."""

    min_person: int = 96
    """Leave out pictures in which the person's long side is less, pixels of the stored picture."""
    max_people: int | None = None
    """Leave out pictures with more people in them."""
    min_sharpness: float = 0.0
    """Leave out pictures that are less sharp (variance of the Laplacian of the person at 256 pixels, grey levels)."""
    min_quality: float = 0.0
    """Leave out pictures whose fit is worse (fit_quality, 0 to 1)."""
    need_face: bool = False
    """Leave out pictures in which no face was found."""
    drop_duplicates: bool = False
    """Leave out pictures of a video that show what the one before showed. They are counted in any case."""
    min_frames: int = 1
    """Leave out people with fewer pictures in the end, and shots with fewer frames."""

    def check(self) -> None:
        """Raises UserError if a value makes no sense."""
        for name, least in (("min_person", 8), ("max_people", 1), ("min_frames", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"--{name.replace('_', '-')} {value} makes no sense: it must be at least {least}.")
        if not 0 <= self.min_quality <= 1:
            raise UserError(f"--min-quality {self.min_quality} makes no sense: give 0 to 1.")


NO_FILTERS = FilterConfig()
"""Whatever can be fitted is kept."""
