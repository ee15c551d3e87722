"""``genlca visibility``: a picture of what a dataset's reference views show of each person."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class VisibilityCommandConfig:
    """Draw which points of the body the reference views of some people show.

    green = seen, red = hidden by the body itself, blue = faces away, yellow = outside the person's mask; then the body
    at rest from the front and from behind, grey where no view shows it, the yellower the better it is shown.
    """

    data: Path
    """A dataset folder or a folder of shards."""
    output_dir: Path
    """Where visibility.png goes."""
    people: int = 4
    """Rows of the sheet: so many people, evenly chosen."""
    references: int = 4
    """Views of each person."""
    anchors: int = 2048
    """Points on the body."""
    angle: float = 80.0
    """Degrees between a point's normal and the direction to the camera, at most."""
    tolerance: float = 0.01
    """Metres by which the body must be nearer to the camera than a point to hide it."""
    size: int = 256
    """Side of the pictures, pixels."""
    device: str = "cpu"
    """cpu or cuda."""


def run(config: VisibilityCommandConfig) -> None:
    """Write the sheet and print shares.

    Raises:
        UserError: the folder is no dataset, or nobody in it has a usable frame.
    """
    from genlca_method.visibility.showing import show

    show(config)
