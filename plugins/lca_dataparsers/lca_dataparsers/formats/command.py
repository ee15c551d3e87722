"""``lca-data import``: a public capture into a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lca_dataparsers.formats.choices import FormatName, UpAxis

OVERLAY_FOLDER = "overlays"
WORK_FOLDER = ".importing"


@dataclass(frozen=True)
class ImportConfig:
    """Turn a capture of a public format into a dataset: cameras, pictures, masks, lights, and a body fitted to all
    views at once.
    """

    format: Annotated[FormatName, tyro.conf.Positional]
    """The capture's format."""
    source: Annotated[Path, tyro.conf.Positional]
    """The capture's folder (of dna_rendering also its .smc file, of nerfstudio transforms.json), or a .zip or .tar of
    it, which is unpacked into OUTPUT_DIR."""
    output_dir: Path
    """The dataset's folder; a dataset that is there already is added to."""
    images: Literal["copy", "in-place"] = "copy"
    """copy: pictures become JPEG files of the dataset. in-place: they stay in the capture and are read from there."""
    subject: str | None = None
    """Name of the subject; by default made of the capture's person and name."""
    body: Literal["fit", "registration", "from-registration", "none"] = "fit"
    """fit: fitted to the pictures of all cameras. registration: the body that the capture comes with (dna_rendering:
    SMPL-X) or --registration names, in its own model, whose file has to be there; the dataset's body model is then that
    one. from-registration: our own body fitted to the surface of an MHR body. none: cameras and pictures alone; nothing
    can be trained on them until there is a body."""
    registration: Path | None = None
    """A folder of MHR bodies, a file for each moment as SAM 3D Body writes them (000012.npz), or a file of SMPL-X's
    parameters (.npz with betas, expression, fullpose, transl and, if not all moments, frames)."""
    registration_camera: str | None = None
    """The camera in whose axes --registration is, if it is in a camera's."""
    cameras: tuple[str, ...] | None = None
    """Names of the cameras to take; by default all that have pictures."""
    max_cameras: int | None = None
    """Take so many cameras at most, spread around the person."""
    fit_cameras: int = 16
    """The body is fitted to so many cameras at most, spread around the person."""
    first_frame: int | None = None
    """Number of the first moment to take."""
    last_frame: int | None = None
    """Number of the last moment to take."""
    frame_step: int = 1
    """Take every so manyeth moment."""
    max_frames: int | None = None
    """Take so many moments at most."""
    long_side: int | None = None
    """Long side of the pictures at most, pixels; by default they keep their size."""
    fps: float | None = None
    """Moments a second; by default what the format's captures have."""
    up: UpAxis = "auto"
    """The axis of the capture's world that points up; by default what the capture says, or the cameras show."""
    split: Literal["train", "val", "test"] = "train"
    """The split the subject belongs to."""
    licence: str | None = None
    """Of the pictures; by default the format's."""
    overlay: bool = True
    """Draw the fitted body over pictures of all cameras, into OUTPUT_DIR/overlays."""
    overwrite: bool = False
    """Make the subject anew if it is in the dataset already."""
    model_dir: Path | None = None
    """Looked through first for the detectors' weights; then LCA_MODEL_DIR, then the user's cache."""
    workers: int = 0
    """Threads of detection; 0 = one per core, at most 4."""


def run(config: ImportConfig) -> None:
    """Import the capture.

    Raises:
        UserError: a setting makes no sense, the capture cannot be read, or nobody could be fitted.
    """
    from lca_dataparsers.formats.importing import import_capture
    from lca_shared.errors import UserError
    from lca_shared.memory import return_large_blocks

    return_large_blocks()
    for name, least in (
        ("frame_step", 1),
        ("max_frames", 1),
        ("max_cameras", 1),
        ("fit_cameras", 2),
        ("long_side", 16),
        ("fps", 1e-3),
        ("workers", 0),
    ):
        value = getattr(config, name)
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} must be at least {least}, not {value}.")
    written = import_capture(config)
    if written is None:
        print(
            f"The subject is in {config.output_dir} already (--overwrite makes it anew). "
            f"Next: lca-data inspect {config.output_dir}"
        )
        return
    from rich.console import Console

    Console().print(written.table())
    drawn = f", overlays to {config.output_dir / OVERLAY_FOLDER}" if config.overlay and written.fitted else ""
    print(
        f"Wrote subject {written.subject} with {written.pictures} pictures of {written.cameras} cameras to "
        f"{config.output_dir}{drawn}. Next: lca-data inspect {config.output_dir}"
    )
