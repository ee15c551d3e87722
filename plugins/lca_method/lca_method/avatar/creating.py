"""From pictures on disk to a bundle on disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from lca_dataparsers.dataset.schema import DATASET_FILE, SHARDS_FILE
from lca_dataparsers.pictures import write_picture, write_video
from lca_dataparsers.processing.command import ProcessConfig
from lca_dataparsers.processing.command import run as process
from lca_dataparsers.processing.photos import is_photo, read_photo
from lca_method.analysis.people import ShownPeople
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.bundle import CONFIG_FILE, PREVIEW_FILE, REFERENCE_FILE, SUFFIX, AvatarRecord, save_avatar
from lca_method.avatar.create_command import CreateConfig
from lca_method.avatar.creating_report import pictures_told, result_told
from lca_method.avatar.filming import filmed
from lca_method.avatar.from_network import avatar_of
from lca_method.avatar.motion import Motion
from lca_method.avatar.motion_files import motion_of_rows, write_motion
from lca_method.avatar.viewpoints import cameras_around
from lca_method.batch import DrivingSignal
from lca_method.checkpoints import fingerprint
from lca_method.hub.shipped import described
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.errors import UserError

MOST_PHOTOS = 16
_MOST_LIGHTS = 512
"""Of a light stage's pattern."""
TURNTABLE_FILE = "turntable.mp4"
_TURNTABLE = (384, 512, 72, 24.0)
"""Width, height, frames, frames a second."""


def create(config: CreateConfig) -> None:
    """See :func:`lca_method.avatar.create_command.run`."""
    _check(config)
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    trained = load_network(config.model, device)
    print(f"Model: {described(config.model)}, {trained.steps} training steps.")
    with dataset_of(config) as (root, given, unreadable):
        people = ShownPeople.open(root, trained, _MOST_LIGHTS)
        subject = subject_of(config, people)
        rows = people.reference_rows(subject, config.references)
        references = people.references(subject, config.references)
        code = trained.photographed(references, people.shape(subject))
        avatar = avatar_of(trained.network, code)
        person = people.dataset.subjects[subject]
        seen = [person.frames[name][list(rows)].tolist() for name in ("frame", "time")]
        print(*pictures_told(person.info.report, given, *seen, unreadable=unreadable), sep="\n")
        reference = motion_of_rows(person, people.dataset.info, rows)
        named = {picture for row in rows if (picture := person.frames["image"][row])}
        record = AvatarRecord(
            config.output.name.removesuffix(SUFFIX),
            _pictures(config, sorted(named)),
            config.licence if config.licence != "unknown" else person.info.licence,
            _checkpoint_record(trained),
        )
    save_avatar(avatar, record, config.output, overwrite=config.overwrite)
    write_motion(reference, config.output / REFERENCE_FILE)
    preview(avatar, config.output, config.turntable)
    print(result_told(config.output, avatar.canonical.count, config.turntable))


def preview(avatar: Avatar, path: Path, turntable: bool) -> None:
    """Put a picture, and a video of one turn, into a bundle.

    Raises:
        UserError: they cannot be written.
    """
    width, height, frames, rate = _TURNTABLE
    pose = avatar.rest_pose.to("cpu")[None]
    still = Motion(
        DrivingSignal(pose, torch.zeros(1, len(avatar.body.expression_names))),
        torch.zeros(1, dtype=torch.float64),
        avatar.body.driven_joints,
        avatar.body.expression_names,
    )
    turning = still.at(torch.arange(frames if turntable else 1, dtype=torch.float64) / rate)
    place = turning.signal.pose.root_translation
    cameras = cameras_around(avatar.body, place, (width, height), view="orbit")
    pictures = filmed(avatar, turning, cameras, torch.ones(3))
    first = next(pictures)
    write_picture(first, path / PREVIEW_FILE)
    if turntable:
        write_video(_after(first, pictures), path / TURNTABLE_FILE, rate)


def _after(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _check(config: CreateConfig) -> None:
    if config.output.suffix != SUFFIX:
        raise UserError(f"--output {config.output}: give a name that ends with {SUFFIX}.")
    if config.output.exists() and not (config.overwrite and (config.output / CONFIG_FILE).is_file()):
        raise UserError(f"{config.output} exists already. Choose another name, or give --overwrite.")
    if not config.pictures:
        raise UserError("Name photos, a video or a dataset: lca create PHOTOS --output NAME.avatar.")
    if len(config.pictures) > MOST_PHOTOS:
        raise UserError(f"{len(config.pictures)} photos are more than the model looks at: give {MOST_PHOTOS} at most.")
    if config.references < 1:
        raise UserError("--references needs a number of at least 1.")
    for path in config.pictures:
        if not path.exists():
            raise UserError(f"{path} does not exist.")


@contextmanager
def dataset_of(config: CreateConfig) -> Iterator[tuple[Path, tuple[Path, ...], int]]:
    """The pictures as a dataset, those that could be read, and how many could not."""
    first = config.pictures[0]
    if len(config.pictures) == 1 and any((first / name).exists() for name in (DATASET_FILE, SHARDS_FILE)):
        yield first, config.pictures, 0
        return
    with tempfile.TemporaryDirectory() as scratch:
        source, holds, asked = first, "auto", photos_of(config.pictures)
        given = asked
        if asked != (first,):
            given = _readable(asked)
            source, holds = _photos_in(Path(scratch) / "photos", given), "photos"
        root = config.work_dir or Path(scratch) / "dataset"
        settings = ProcessConfig(
            input=source,
            output_dir=root,
            folder_holds=holds,  # type: ignore[arg-type]
            subject="person",
            person=config.person,
            licence=config.licence,
            overlay=config.work_dir is not None,
            model_dir=config.model_dir,
        )
        process(settings, told=False)
        yield root, given, len(asked) - len(given)


def photos_of(pictures: tuple[Path, ...]) -> tuple[Path, ...]:
    """The photos of a folder of few, however they are numbered; all else as it was given."""
    if len(pictures) != 1 or not pictures[0].is_dir():
        return pictures
    inside = tuple(path for path in sorted(pictures[0].iterdir()) if is_photo(path))
    return inside if 0 < len(inside) <= MOST_PHOTOS else pictures


def _readable(images: tuple[Path, ...]) -> tuple[Path, ...]:
    """Those that are photos; says of the others why not.

    Raises:
        UserError: none is.
    """
    found = []
    for path in images:
        try:
            if not path.is_file() or not is_photo(path):
                raise UserError(f"{path} is not a photo. Give several photos, or one folder, video or dataset.")
            read_photo(path)
            found.append(path)
        except UserError as error:
            if path == images[-1] and not found:
                raise
            print(f"Not used: {error}")
    return tuple(found)


def _photos_in(folder: Path, images: tuple[Path, ...]) -> Path:
    """A folder of links to photos from anywhere, in the order in which they were given."""
    folder.mkdir()
    for index, path in enumerate(images):
        (folder / f"{index:02d}_{path.name}").symlink_to(path.resolve())
    return folder


def subject_of(config: CreateConfig, people: ShownPeople) -> str:
    """Whose avatar it is to be.

    Raises:
        UserError: there are several people, and nobody said which.
    """
    names = [] if config.subject is not None else list(people.names())
    if config.subject is not None or len(names) == 1:
        return config.subject or names[0]
    some = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    raise UserError(f"{people.dataset.root} holds {len(names)} people ({some}): say whose avatar with --subject.")


def _pictures(config: CreateConfig, images: list[str]) -> tuple[str, ...]:
    given = tuple(path.name for path in config.pictures)
    return given if len(given) > 1 else (f"{given[0]} ({len(images)} pictures)",)


def _checkpoint_record(trained: TrainedNetwork) -> dict[str, Any]:
    sha256 = fingerprint(trained.checkpoint)
    return {"method": trained.method, "steps": trained.steps, "sha256": sha256}
