"""From the command line's input to named sources: one per subject."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lca_dataparsers.processing.decode import Source, natural_order, open_source
from lca_dataparsers.processing.photos import is_photo
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.processing.command import ProcessConfig

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".3gp")


def check_settings(config: "ProcessConfig") -> None:
    """Refuse settings that make no sense.

    Raises:
        UserError: naming the setting.
    """
    for name, least in (("fps", 1e-3), ("max_frames", 1), ("person", 0), ("max_size", 64), ("effort", 0.5)):
        value = getattr(config, name)
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} {value} makes no sense: it must be at least {least:g}.")
    if not 5 <= config.field_of_view <= 150:
        raise UserError(f"--field-of-view {config.field_of_view} makes no sense: give 5 to 150 degrees.")


def named_sources(config: "ProcessConfig") -> dict[str, Source]:
    """The sources of a run by subject.

    Raises:
        UserError: there is nothing to read, two inputs would get one name, or ``--subject`` names several.
    """
    path = config.input
    if not path.exists():
        raise UserError(f"{path} does not exist.")
    sources = _sources(config, path)
    if config.subject is not None:
        if len(sources) != 1:
            raise UserError(f"--subject names one person, but {path} holds {len(sources)} subjects. Leave it out.")
        return {subject_name(config.subject): sources[0]}
    named: dict[str, Source] = {}
    for source in sources:
        name = subject_name(source.path.stem if source.path.is_file() else source.path.resolve().name)
        if name in named:
            raise UserError(f"{source.path} and {named[name].path} would both be called {name}. Rename one.")
        named[name] = source
    return named


def subject_name(text: str) -> str:
    """A name that may be a folder's: letters, digits, '.', '_' and '-'."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")
    return name or "subject"


def _sources(config: "ProcessConfig", path: Path) -> list[Source]:
    kind = None if config.folder_holds in ("auto", "people") else config.folder_holds
    if path.is_dir():
        files = sorted((file for file in path.iterdir() if file.is_file()), key=natural_order)
        videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        if videos and config.folder_holds == "auto":
            return [open_source(video, config.fps, config.max_frames) for video in videos]
        if config.folder_holds == "people":
            photos = [file for file in files if is_photo(file)][: config.max_frames]
            if not photos:
                raise UserError(f"{path} holds no photos (looked for names such as *.jpg, *.png, *.heic).")
            return [replace(open_source(photo), max_frames=None) for photo in photos]
    return [open_source(path, config.fps, config.max_frames, kind)]
