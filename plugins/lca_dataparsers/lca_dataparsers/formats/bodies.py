"""The body of an imported capture: what the rows of the dataset say about the person."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch

from lca_dataparsers.dataset.sources import SourceReader
from lca_dataparsers.formats.capture import Capture, CaptureView
from lca_dataparsers.formats.selection import spread
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.studio_fit.fit import StudioFit, fit_studio
from lca_dataparsers.studio_fit.observe import RigPicture, View, gathered, observe
from lca_dataparsers.studio_fit.targets import triangulate_moments
from lca_shared.body import BodyPose, get_body_model
from lca_shared.errors import UserError
from lca_shared.storage import atomic_path
from lca_shared.tensors import Float, Tensor


@runtime_checkable
class KeptViews(Protocol):
    """Where it is kept what the detectors saw, so that no picture is looked at twice."""

    @property
    def masks(self) -> Path:
        """Folder of the detectors' masks (:func:`mask_path`)."""
        ...

    def looked(self, view: CaptureView) -> bool:
        """Whether the detectors have looked at a picture."""
        ...

    def found(self, view: CaptureView, picture: RigPicture) -> View | None:
        """What they saw in it; ``picture`` is without pixels."""
        ...

    def keep(self, view: CaptureView, found: View | None) -> None:
        """Keep what they saw."""
        ...


USUAL_TRUNK_AND_LEGS = 1.32
"""Metres along shoulders' middle, hips' middle, knees, ankles of an adult of 1.7 m as detectors see them."""
UNIT_RANGE = (0.75, 1.33)
"""A person this many times as long as usual may well be: lengths are taken to be metres."""


@dataclass(frozen=True)
class CaptureBody:
    """One person's shape, and a pose for each moment."""

    shape: Float[Tensor, "coefficients"]
    frames: tuple[int, ...]
    """The moments, in order."""
    pose: BodyPose
    """[moments]"""
    expression: Float[Tensor, "moments expressions"]
    joint_confidence: Float[Tensor, "moments driven"]
    face_confidence: Float[Tensor, "moments"]
    hand_confidence: Float[Tensor, "moments 2"]
    fitted: bool
    """False: nobody looked for a body; all of it is at rest and weighs nothing."""
    unit: float = 1.0
    """Metres in a unit of the capture."""
    model: str = "anny"
    """The body model whose parameters these are."""
    report: dict = field(default_factory=dict)


def no_body(capture: Capture) -> CaptureBody:
    """The mean person at rest, believed by nobody."""
    body = get_body_model("anny")
    frames = tuple(capture.frames())
    driven, count = len(body.driven_joints), len(frames)
    return CaptureBody(
        shape=torch.zeros(len(body.shape_names)),
        frames=frames,
        pose=BodyPose.rest(driven, (count,)),
        expression=torch.zeros(count, len(body.expression_names)),
        joint_confidence=torch.zeros(count, driven),
        face_confidence=torch.zeros(count),
        hand_confidence=torch.zeros(count, 2),
        fitted=False,
        report={"body": "none"},
    )


def fitted_body(
    capture: Capture,
    reader: SourceReader,
    estimators: list[PersonEstimator],
    kept_views: KeptViews,
    most_cameras: int,
    seen: Callable[[int], None] = lambda pictures: None,
    fitted: Callable[[float], None] = lambda share: None,
) -> CaptureBody:
    """Fit the body model to all views of a rig.

    Args:
        capture: Z up; its world in metres, unless it is not ``metric``.
        reader: of its pictures.
        estimators: one per thread.
        kept_views: keeps what they saw, and their masks of views whose mask the capture lacks.
        most_cameras: detectors look through so many, spread around the person; through all where masks are lacking.
        seen: called with the number of pictures looked at since the last call.
        fitted: called with the share of the fit that is done.

    Raises:
        UserError: nobody was seen, or no two cameras agree.
    """
    frames = capture.frames()
    moments = {frame: position for position, frame in enumerate(frames)}
    chosen = set(spread(capture, list(capture.cameras), most_cameras))
    wanted = [view for view in capture.views if view.camera in chosen or view.mask is None]
    idle: SimpleQueue[PersonEstimator] = SimpleQueue()
    for estimator in estimators:
        idle.put(estimator)

    def look(view: CaptureView) -> View | None:
        bare = _without_pixels(capture, view, moments[view.frame])
        if kept_views.looked(view):
            found = kept_views.found(view, bare)
            return found if view.camera in chosen else None
        picture = rig_picture(capture, reader, view, moments[view.frame])
        estimator = idle.get()
        try:
            found = observe(picture, estimator)
        finally:
            idle.put(estimator)
        if view.mask is None:
            height, width = picture.image.shape[:2]
            mask = found.mask if found is not None else np.zeros((height, width), np.uint8)
            _keep(mask_path(kept_views.masks, view), mask)
        found = None if found is None else replace(found, picture=bare, mask=found.mask[:0])
        kept_views.keep(view, found)  # after its mask
        return found if view.camera in chosen else None

    views: list[View] = []
    with ThreadPoolExecutor(len(estimators)) as pool:
        for found in pool.map(look, wanted):
            seen(1)
            if found is not None:
                views.append(found)
    if not views:
        raise UserError(
            f"{capture.name}: the detectors saw nobody in {len(wanted)} pictures. Look at them, or import "
            "without a body (--body none)."
        )
    there = sorted({view.picture.moment for view in views})
    position = {moment: index for index, moment in enumerate(there)}
    views = [replace(view, picture=replace(view.picture, moment=position[view.picture.moment])) for view in views]
    kept = [frames[moment] for moment in there]
    observed = gathered(views, np.array([(frame - frames[0]) / capture.rate for frame in kept]))
    unit = 1.0
    if not capture.metric:
        unit = unit_of([one.points for one in triangulate_moments(observed)[0]])
        moved = observed.camera_from_world.copy()
        moved[:, :3, 3] *= unit
        observed = replace(observed, camera_from_world=moved)
    fit = fit_studio(observed, progress=fitted)
    return _body_of(fit, tuple(kept), unit, len(chosen), len(wanted))


def rig_picture(capture: Capture, reader: SourceReader, view: CaptureView, moment: int) -> RigPicture:
    """A picture of the capture as it is seen, with its camera."""
    treatment = capture.cameras[view.camera].treatment
    return replace(
        _without_pixels(capture, view, moment),
        image=reader.image(view.image, treatment),
        mask=None if view.mask is None else reader.mask(view.mask, treatment),
    )


def _without_pixels(capture: Capture, view: CaptureView, moment: int) -> RigPicture:
    camera = capture.cameras[view.camera]
    dark = capture.lights is not None and view.light_pattern >= 0
    dark = dark and not capture.lights.patterns[view.light_pattern].fully_lit  # type: ignore[union-attr]
    return RigPicture(
        moment=moment,
        time=moment / capture.rate,
        camera=view.camera,
        image=np.zeros((0, 0, 3), np.uint8),
        mask=None,
        intrinsics=camera.intrinsics,
        camera_from_world=camera.camera_from_world,
        dark=dark,
    )


def mask_path(folder: Path, view: CaptureView) -> Path:
    """Where a detector's mask of a view is kept."""
    return folder / f"{view.frame:06d}_{view.camera}.png"


def unit_of(points: list[Float[np.ndarray, "33 3"]]) -> float:
    """Metres in a unit of the capture, from triangulated people; 1 where that is plausible already.

    Raises:
        UserError: too little of the body was seen.
    """
    lengths = []
    for p in points:
        shoulders, hips = p[11:13].mean(axis=0), p[23:25].mean(axis=0)
        legs = [np.linalg.norm(p[23 + s] - p[25 + s]) + np.linalg.norm(p[25 + s] - p[27 + s]) for s in (0, 1)]
        lengths.append(np.linalg.norm(shoulders - hips) + np.nanmean(legs) if np.isfinite(legs).any() else np.nan)
    known = np.array(lengths)[np.isfinite(lengths)]
    if not len(known):
        raise UserError(
            "No two cameras saw a whole person, so the capture's unit of length is not known. Choose "
            "cameras that see shoulders to feet, or import without a body (--body none)."
        )
    factor = USUAL_TRUNK_AND_LEGS / float(np.median(known))
    return 1.0 if UNIT_RANGE[0] < factor < UNIT_RANGE[1] else factor


def _keep(path: Path, mask: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), mask)


def _body_of(fit: StudioFit, frames: tuple[int, ...], unit: float, cameras: int, looked: int) -> CaptureBody:
    swapped = int(sum(one.swapped.sum() for one in fit.found))
    report = {
        "body": "fitted",
        "fitted_cameras": cameras,
        "detected_pictures": looked,
        "swapped_views": swapped,
        "metres_per_unit": unit,
    }
    return CaptureBody(
        fit.shape,
        frames,
        fit.pose,
        fit.expression,
        fit.joint_confidence,
        fit.face_confidence,
        fit.hand_confidence,
        True,
        unit,
        report=report,
    )
