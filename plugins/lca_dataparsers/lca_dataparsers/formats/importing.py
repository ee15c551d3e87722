"""One capture from its own layout to a subject of a dataset."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from lca_dataparsers.dataset.schema import DatasetInfo, FrameRecord, SubjectInfo
from lca_dataparsers.dataset.sources import InPlacePictures, PictureSource, SourceReader
from lca_dataparsers.dataset.writer import DatasetWriter
from lca_dataparsers.formats.axes import world_from_capture
from lca_dataparsers.formats.bodies import CaptureBody, fitted_body, mask_path, no_body
from lca_dataparsers.formats.capture import Capture, CaptureView
from lca_dataparsers.formats.command import OVERLAY_FOLDER, WORK_FOLDER, ImportConfig
from lca_dataparsers.formats.import_report import ImportedSubject, import_report
from lca_dataparsers.formats.kept_work import KeptWork
from lca_dataparsers.formats.moving import fitted_moving_body, fitted_one_camera_body
from lca_dataparsers.formats.registered import body_from_registration, registered_body, registration_of
from lca_dataparsers.formats.registrations import read_registration
from lca_dataparsers.formats.registry import open_capture
from lca_dataparsers.formats.rows import MeasuredView, RowMaker
from lca_dataparsers.formats.selection import resized, selected
from lca_dataparsers.formats.sheet import OverlaySheet
from lca_dataparsers.formats.unpacking import is_archive, unpack
from lca_dataparsers.processing.progress import Stages
from lca_shared.body import get_body_model
from lca_shared.errors import UserError


def import_capture(config: ImportConfig) -> ImportedSubject | None:
    """Import a capture; None if its subject is in the dataset already.

    Raises:
        UserError: as ``command.run``.
    """
    source = config.source
    if is_archive(source) and config.format != "dna_rendering":
        if config.images == "in-place":
            raise UserError(
                f"{source} is an archive: its pictures cannot stay in place. Unpack it, or use --images copy."
            )
        folder = config.output_dir / WORK_FOLDER / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            unpack(source, folder)
            return _import(config, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            _remove_if_empty(folder.parent)
    return _import(config, source)


def _import(config: ImportConfig, source: Path) -> ImportedSubject | None:
    capture = open_capture(config.format, source)
    capture = selected(
        capture,
        config.cameras,
        config.max_cameras,
        config.first_frame,
        config.last_frame,
        config.frame_step,
        config.max_frames,
    )
    capture = resized(capture, config.long_side)
    if config.fps is not None:
        capture = replace(capture, rate=config.fps)
    licence = config.licence or capture.licence
    name = config.subject or subject_name(capture)
    if config.registration is not None:
        given = read_registration(config.registration, config.registration_camera, capture)
        capture = replace(capture, registration=given)
    model = registration_of(capture).model if config.body == "registration" else "anny"
    info = dataset_info("wild" if capture.moving else "studio", licence, f"lca-data import {config.format}", model)
    writer = DatasetWriter(config.output_dir, info)
    writer.remove_leftovers()
    if writer.has_subject(name) and not config.overwrite:
        return None
    capture = turned_upright(capture, config)
    reader = SourceReader(capture.root)
    kept = KeptWork(config.output_dir / WORK_FOLDER / name, config, capture)
    try:
        with Stages() as stages:
            body, capture = _body(config, capture, reader, kept, stages)
            written = _write(config, scaled(capture, body.unit), reader, body, kept, writer, name, licence, stages)
    finally:
        reader.close()
    shutil.rmtree(kept.folder)
    _remove_if_empty(kept.folder.parent)
    return written


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def dataset_info(kind: str, licence: str, source: str, model: str) -> DatasetInfo:
    """What the dataset says about itself."""
    body = get_body_model(model)
    return DatasetInfo(
        kind=kind,
        body_model=body.name,
        driven_joints=tuple(body.driven_joints),
        shape_names=tuple(body.shape_names),
        expression_names=tuple(body.expression_names),
        source=source,
        licence=licence,
    )


def subject_name(capture: Capture) -> str:
    """The capture's name as a subject's id."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", capture.name).lstrip(".-")
    return plain or "subject"


def turned_upright(capture: Capture, config: ImportConfig) -> Capture:
    """The capture in a world that is Z up."""
    turn = world_from_capture(capture, config.up)
    return replace(
        capture,
        cameras={name: camera.moved(turn) for name, camera in capture.cameras.items()},
        lights=None if capture.lights is None else capture.lights.moved(turn),
        world_from_capture=turn,
    )


def scaled(capture: Capture, unit: float) -> Capture:
    """The capture in metres, given how many of them its unit is."""
    if unit == 1.0:
        return capture
    cameras = {}
    for name, camera in capture.cameras.items():
        pose = camera.camera_from_world.copy()
        pose[:3, 3] *= unit
        cameras[name] = replace(camera, camera_from_world=pose)
    lights = capture.lights
    if lights is not None:
        lights = replace(lights, positions=lights.positions * unit)
    return replace(capture, cameras=cameras, lights=lights)


def _body(
    config: ImportConfig, capture: Capture, reader: SourceReader, kept: KeptWork, stages: Stages
) -> tuple[CaptureBody, Capture]:
    lacking = sum(view.mask is None for view in capture.views)
    if config.body == "none":
        if lacking:
            raise UserError(
                f"{capture.name}: {lacking} pictures have no mask, and without a body no detector looks at them. "
                "Import with --body fit."
            )
        return no_body(capture), capture
    if config.body in ("registration", "from-registration"):
        if lacking:
            raise UserError(f"{capture.name}: {lacking} pictures have no mask. Import with --body fit.")
        if config.body == "registration":
            return registered_body(capture), capture
        with stages.stage("fitting", 100) as advance:
            return body_from_registration(capture, _shares(advance)), capture
    if not capture.moving and (body := kept.body()) is not None:
        return body, capture
    from lca_dataparsers.processing.estimators import build_estimator

    count = config.workers or min(4, os.cpu_count() or 1)
    estimators = [build_estimator(model_dir=config.model_dir) for _ in range(count)]
    if capture.registration is not None:
        stages.say(
            f"{capture.name}: its registration ({capture.registration.model}) is of another body model than anny, "
            "which is fitted to the pictures; --body registration keeps it."
        )
    try:
        with stages.stage("detecting", None) as looked, stages.stage("fitting", 100) as advance:
            told = _shares(advance)
            if capture.moving:
                return fitted_moving_body(capture, reader, estimators[0], looked, told)
            if len({view.camera for view in capture.views}) == 1 < len(capture.views):
                return fitted_one_camera_body(capture, reader, estimators[0], looked, told), capture
            body = fitted_body(capture, reader, estimators, kept, config.fit_cameras, looked, told)
            kept.keep_body(body)
            return body, capture
    finally:
        for estimator in estimators:
            estimator.close()


def _shares(advance: Callable[[int], None]) -> Callable[[float], None]:
    """Tells a stage of 100 steps which share is done."""
    done = [0.0]

    def told(share: float) -> None:
        advance(round(100 * share) - round(100 * done[0]))
        done[0] = share

    return told


def _write(
    config: ImportConfig,
    capture: Capture,
    reader: SourceReader,
    body: CaptureBody,
    work: KeptWork,
    writer: DatasetWriter,
    name: str,
    licence: str,
    stages: Stages,
) -> ImportedSubject:
    kept = set(body.frames)
    views = [view for view in capture.views if view.frame in kept]
    maker = RowMaker(body, capture.frames()[0], capture.rate)
    sheet = OverlaySheet(body.frames, list(capture.cameras), body.model) if config.overlay and body.fitted else None
    measured: dict[str, list[MeasuredView]] = {camera: [] for camera in capture.cameras}
    report: dict[str, Any] = {}

    def frames() -> Iterator[tuple[FrameRecord, np.ndarray | None, np.ndarray]]:
        with stages.stage("writing", len(views)) as advance:
            for view in views:
                camera = capture.cameras[view.camera]
                mask = _mask(view, capture, reader, work.masks)
                shown = sheet is not None and sheet.wants(view)
                there = (work.subject / writer.picture_paths(view.frame, _stored_camera(capture, view))[0]).exists()
                image = reader.image(view.image, camera.treatment) if shown or not there else None
                size = mask.shape if image is None else image.shape[:2]
                if mask.shape != size or size[::-1] != (camera.width, camera.height):
                    raise UserError(
                        f"{view.image.name(capture.root)} is {size[1]} x {size[0]}, its mask "
                        f"{mask.shape[1]} x {mask.shape[0]}, and the camera {camera.width} x {camera.height}: they do "
                        "not belong together."
                    )
                record, found = maker.row(view, camera, mask)
                measured[view.camera].append(found)
                if sheet is not None and shown and image is not None:
                    sheet.add(view, image, mask, maker.vertices(view.frame), camera)
                yield replace(record, camera=_stored_camera(capture, view)), image, mask
                advance(1)
            report.update(import_report(config, capture, body, measured))

    writer.write_subject(
        SubjectInfo(
            id=name,
            shape=tuple(float(value) for value in body.shape),
            split=config.split,
            source=f"{config.format}: {capture.name}",
            licence=licence,
            report=report,
        ),
        frames(),
        overwrite=config.overwrite,
        lights=capture.lights,
        in_place=_in_place(capture, views, writer) if config.images == "in-place" else None,
        backgrounds={
            camera: reader.image(source, capture.cameras[camera].treatment)
            for camera, source in capture.backgrounds.items()
        },
        work=work.subject,
    )
    if sheet is not None:
        sheet.write(config.output_dir / OVERLAY_FOLDER / f"{name}.jpg")
    cameras = len({_stored_camera(capture, view) for view in views})
    return ImportedSubject(name, len(views), cameras, len(body.frames), body.fitted, report)


def _stored_camera(capture: Capture, view: CaptureView) -> str:
    """What the rows call a camera: of a moving one, each picture has its own in the capture."""
    return "0" if capture.moving else view.camera


def _mask(view: CaptureView, capture: Capture, reader: SourceReader, masks: Path) -> np.ndarray:
    if view.mask is not None:
        return reader.mask(view.mask, capture.cameras[view.camera].treatment)
    mask = cv2.imread(str(mask_path(masks, view)), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise UserError(f"{mask_path(masks, view)} is gone. Run the same command again.")
    return mask


def _in_place(capture: Capture, views: list[CaptureView], writer: DatasetWriter) -> InPlacePictures:
    pictures: dict[str, tuple[PictureSource, str]] = {}
    for view in views:
        image, mask = writer.picture_paths(view.frame, _stored_camera(capture, view))
        pictures[image] = (view.image, view.camera)
        if view.mask is not None:
            pictures[mask] = (view.mask, view.camera)
    treatments = {name: camera.treatment for name, camera in capture.cameras.items()}
    return InPlacePictures(capture.root.resolve(), pictures, treatments)
