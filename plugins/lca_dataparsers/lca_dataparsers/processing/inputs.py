"""From the command line's input to named sources: one per subject."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lca_dataparsers.processing.decode import Source, natural_order, open_source
from lca_dataparsers.processing.outcome import Outcome
from lca_dataparsers.processing.photos import is_photo
from lca_shared.errors import UserError

if TYPE_CHECKING:
    from lca_dataparsers.processing.command import ProcessConfig

LIST_SUFFIX = ".txt"
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
    for name in ("jobs", "workers"):
        if getattr(config, name) < 0:
            raise UserError(f"--{name} {getattr(config, name)} makes no sense: it must be 0 (choose) or more.")
    config.filters.check()
    if not 5 <= config.field_of_view <= 150:
        raise UserError(f"--field-of-view {config.field_of_view} makes no sense: give 5 to 150 degrees.")


def named_sources(config: "ProcessConfig") -> tuple[dict[str, Source], list[Outcome]]:
    """The sources of a run by subject, and those of several that cannot be opened.

    Raises:
        UserError: there is nothing to read, two inputs would get one name, or ``--subject`` names several.
    """
    path = config.input
    if not path.exists():
        raise UserError(f"{path} does not exist.")
    unreadable: list[Outcome] = []
    sources = _sources(config, path, unreadable)
    if config.subject is not None:
        if len(sources) != 1:
            raise UserError(f"--subject names one person, but {path} holds {len(sources)} subjects. Leave it out.")
        return {subject_name(config.subject): sources[0]}, unreadable
    named: dict[str, Source] = {}
    for source in sources:
        name = subject_name(source.path.stem if source.path.is_file() else source.path.resolve().name)
        if name in named:
            raise UserError(f"{source.path} and {named[name].path} would both be called {name}. Rename one.")
        named[name] = source
    return named, unreadable


def subject_name(text: str) -> str:
    """A name that may be a folder's: letters, digits, '.', '_' and '-'."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")
    return name or "subject"


def listed_paths(path: Path) -> list[Path]:
    """The paths in a text file, one a line; relative ones start at the file's folder, lines with # are skipped.

    Raises:
        UserError: the file cannot be read as text, or lists nothing.
    """
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as a list of paths ({error}).") from error
    paths = [path.parent / line for line in lines if line and not line.startswith("#")]
    if not paths:
        raise UserError(f"{path} lists no paths. Write one on each line.")
    return paths


def _opened(paths: list[Path], config: "ProcessConfig", unreadable: list[Outcome]) -> list[Source]:
    """Those that can be opened; one bad file among many stops nothing."""
    sources = []
    for path in paths:
        try:
            sources.append(open_source(path, config.fps, config.max_frames))
        except UserError as error:
            unreadable.append(Outcome(subject_name(path.stem), str(path), "failed", str(error)))
    return sources


def _sources(config: "ProcessConfig", path: Path, unreadable: list[Outcome]) -> list[Source]:
    if path.is_file() and path.suffix.lower() == LIST_SUFFIX:
        return _opened(listed_paths(path), config, unreadable)
    kind = None if config.folder_holds in ("auto", "people") else config.folder_holds
    if path.is_dir():
        files = sorted((file for file in path.iterdir() if file.is_file()), key=natural_order)
        videos = [file for file in files if file.suffix.lower() in VIDEO_SUFFIXES]
        if videos and config.folder_holds == "auto":
            return _opened(videos, config, unreadable)
        if config.folder_holds == "people":
            photos = [file for file in files if is_photo(file)][: config.max_frames]
            if not photos:
                raise UserError(f"{path} holds no photos (looked for names such as *.jpg, *.png, *.heic).")
            return [replace(open_source(photo), max_frames=None) for photo in photos]
    return [open_source(path, config.fps, config.max_frames, kind)]
