"""The body of a capture with one camera: fitted as ``lca-data process`` fits a clip, with the capture's focal length
and masks. One camera does not triangulate.

Nothing tells the unit of a moving camera's path. So poses are found relative to the camera of each picture, and the
rows keep that camera standing still: what training sees is the same. Where one camera of a rig was chosen, it stays
where the rig has it, and the person is put into the rig's world.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from lca_dataparsers.dataset.sources import SourceReader
from lca_dataparsers.formats.bodies import CaptureBody, rig_picture
from lca_dataparsers.formats.capture import Capture
from lca_dataparsers.formats.rig_centre import scaled_shape
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.processing.fitting import ClipFit, FitConfig, fit_clip
from lca_dataparsers.processing.fitting.targets import ADULT_HEIGHT
from lca_dataparsers.processing.observations import ClipObservations, concatenate
from lca_dataparsers.processing.one_camera import Placement
from lca_dataparsers.studio_fit.observe import observe
from lca_dataparsers.studio_fit.targets import JUMP_SPEED
from lca_shared.body import BodyPose, get_body_model
from lca_shared.errors import UserError
from lca_shared.rotations import matrix_to_rotation_vector, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

KNOWN_FOCAL_SIGMA = 1e-3
"""Of the logarithm of a focal length that the capture tells: it is kept."""


def fitted_moving_body(
    capture: Capture,
    reader: SourceReader,
    estimator: PersonEstimator,
    seen: Callable[[int], None] = lambda pictures: None,
    fitted: Callable[[float], None] = lambda share: None,
) -> tuple[CaptureBody, Capture]:
    """Fit the body; also the capture with cameras that stand still, each where it sees the person as its picture does.

    Raises:
        UserError: a picture has no mask, or nobody was seen.
    """
    fit, place_of = _fitted(capture, reader, estimator, FitConfig(), seen, fitted)
    cameras = {}
    for row, view in enumerate(capture.views):
        camera = capture.cameras[view.camera]
        cameras[view.camera] = replace(
            camera,
            intrinsics=place_of(view.camera).own_intrinsics(fit.cameras.intrinsics[row].double().numpy()),
            camera_from_world=fit.cameras.camera_from_world[row].double().numpy(),
        )
    return _body_of(fit, capture, fit.pose, "fitted to one moving camera, relative to it"), replace(
        capture, cameras=cameras
    )


def fitted_one_camera_body(
    capture: Capture,
    reader: SourceReader,
    estimator: PersonEstimator,
    seen: Callable[[int], None] = lambda pictures: None,
    fitted: Callable[[float], None] = lambda share: None,
) -> CaptureBody:
    """Fit the body to one camera of a rig, in the rig's world.

    One camera does not tell how far away the person stands. It is taken to be where the axes of all the rig's cameras
    meet, and the person is as tall as that makes them; if they do not meet, the person is a usual adult.

    Raises:
        UserError: a picture has no mask, nobody was seen, or the capture's unit is not the metre.
    """
    if not capture.metric:
        raise UserError(f"{capture.name}: one camera does not tell the capture's unit of length. Choose more cameras.")
    config = FitConfig(metadata_focal_sigma=KNOWN_FOCAL_SIGMA)
    fit, _ = _fitted(capture, reader, estimator, config, seen, fitted)
    body = get_body_model("anny")
    own = np.stack([capture.cameras[view.camera].camera_from_world for view in capture.views])
    rest_root = body.shaped(fit.shape).joints[0]
    pose = in_other_world(fit.pose, rest_root, fit.cameras.camera_from_world)
    depth = float((rest_root + pose.root_translation)[torch.from_numpy(fit.usable), 2].median())
    if capture.person_depth is not None and fit.usable.any():
        shape, factor = scaled_shape(body, fit.shape, capture.person_depth / depth)
        larger = body.shaped(shape).joints[0]
        pose = replace(pose, root_translation=factor * (rest_root + pose.root_translation) - larger)
        fit, rest_root = replace(fit, shape=shape), larger
    pose = in_other_world(pose, rest_root, torch.from_numpy(np.linalg.inv(own)).float())
    return _body_of(fit, capture, pose, "fitted to one camera of the rig")


def in_other_world(
    pose: BodyPose, rest_root: Float[Tensor, "3"], other_from_world: Float[Tensor, "moments 4 4"]
) -> BodyPose:
    """``pose`` after a rigid motion of the world at each moment; ``rest_root`` is the root joint of the shaped body."""
    turn, shift = other_from_world[:, :3, :3], other_from_world[:, :3, 3]
    root = rest_root + pose.root_translation
    return replace(
        pose,
        root_rotation=matrix_to_rotation_vector(turn @ rotation_vector_to_matrix(pose.root_rotation)),
        root_translation=(turn @ root[..., None])[..., 0] + shift - rest_root,
    )


def _fitted(
    capture: Capture,
    reader: SourceReader,
    estimator: PersonEstimator,
    config: FitConfig,
    seen: Callable[[int], None],
    fitted: Callable[[float], None],
) -> tuple[ClipFit, Callable[[str], Placement]]:
    """The clip's fit in one picture shared by all views, and where a camera's own picture lies in it."""
    if any(view.mask is None for view in capture.views):
        raise UserError(f"{capture.name}: pictures of one camera need masks. Use `lca-data process` on its pictures.")
    size, focal = _shared_picture(capture)
    rows: list[ClipObservations] = []
    for moment, view in enumerate(capture.views):
        picture = rig_picture(capture, reader, view, moment)
        found = observe(replace(picture, camera_from_world=np.eye(4)[[0, 2, 1, 3]] * [[1], [-1], [1], [1]]), estimator)
        place = _placement(capture, view.camera, size, focal)
        rows.append(
            _in_shared_picture(
                None if found is None else (found.observation, found.intrinsics),
                picture.time,
                capture,
                view.camera,
                place,
                size,
            )
        )
        seen(1)
    observations = replace(concatenate(rows), focal_prior=focal)
    if not observations.seen.any():
        raise UserError(f"{capture.name}: the detectors saw nobody. Look at the pictures, or import with --body none.")
    config = replace(config, independent_frames=chosen_poses(observations))
    return fit_clip(observations, config, fitted), lambda name: _placement(capture, name, size, focal)


def chosen_poses(observations: ClipObservations) -> bool:
    """Whether the moments are poses that have nothing to do with each other, rather than a motion: at most steps the
    body went faster than people move."""
    points, times = observations.body_points[observations.seen], observations.times[observations.seen]
    if len(points) < 2:
        return False
    height = np.ptp(points[..., 1], axis=1)[1:, None]
    metres = ADULT_HEIGHT * np.linalg.norm(np.diff(points, axis=0), axis=-1) / height
    speed = np.quantile(metres, 0.75, axis=1) / np.diff(times)
    return bool((speed > JUMP_SPEED).mean() > 0.5)


def _body_of(fit: ClipFit, capture: Capture, pose: BodyPose, how: str) -> CaptureBody:
    """The moments that fit well enough."""
    usable = np.flatnonzero(fit.usable)
    if not len(usable):
        raise UserError(f"{capture.name}: no picture fits a body well enough ({fit.reasons[0]}). Look at the pictures.")
    kept = tuple(capture.views[row].frame for row in usable)
    return CaptureBody(
        fit.shape,
        kept,
        pose[usable.tolist()],
        fit.expression[usable.tolist()],
        fit.joint_confidence[usable.tolist()],
        fit.face_confidence[usable.tolist()],
        fit.hand_confidence[usable.tolist()],
        True,
        report={"body": how, "left_out": len(capture.views) - len(usable)},
    )


def _shared_picture(capture: Capture) -> tuple[tuple[int, int], float]:
    """Size and focal length of one camera's picture, its principal point in the middle, that holds all pictures."""
    cameras = list(capture.cameras.values())
    focal = float(np.median([camera.intrinsics[0, 0] for camera in cameras]))
    halves = []
    for camera in cameras:
        scale = focal / camera.intrinsics[0, 0]
        cx, cy = camera.intrinsics[0, 2], camera.intrinsics[1, 2]
        halves.append([scale * max(cx, camera.width - cx), scale * max(cy, camera.height - cy)])
    width, height = np.ceil(2 * np.max(halves, axis=0)).astype(int)
    return (int(width), int(height)), focal


def _placement(capture: Capture, name: str, size: tuple[int, int], focal: float) -> Placement:
    camera = capture.cameras[name]
    scale = focal / float(camera.intrinsics[0, 0])
    middle = scale * camera.intrinsics[:2, 2]
    return Placement(scale, (size[0] / 2 - float(middle[0]), size[1] / 2 - float(middle[1])))


def _in_shared_picture(
    found: tuple[ClipObservations, Float[np.ndarray, "3 3"]] | None,
    time: float,
    capture: Capture,
    name: str,
    place: Placement,
    size: tuple[int, int],
) -> ClipObservations:
    """One picture's observations, from its square cut to the shared picture."""
    import cv2

    from lca_dataparsers.processing.observations import empty_observations

    row = empty_observations(np.array([time]), size)
    if found is None:
        return row
    seen, cut = found
    own = capture.cameras[name].intrinsics
    scale = place.scale * own[0, 0] / cut[0, 0]  # shared pixels per pixel of the cut
    corner = np.array([own[0, 2], own[1, 2]]) - cut[:2, 2] * own[0, 0] / cut[0, 0]
    offset = place.scale * corner + np.array(place.offset)
    for field in ("body_points", "face_points", "hand_points"):
        getattr(row, field)[:] = getattr(seen, field) * scale + offset
    for field in ("body_visibility", "body_points_world", "blendshapes", "head_from_canonical", "hand_scores"):
        getattr(row, field)[:] = getattr(seen, field)
    row.person_boxes[:] = seen.person_boxes * scale + np.tile(offset, 2)
    factor = scale * row.mask_scale / seen.mask_scale
    shift = offset * row.mask_scale + 0.5 * factor - 0.5
    matrix = np.array([[factor, 0, shift[0]], [0, factor, shift[1]]], np.float32)
    masks = row.masks
    assert isinstance(masks, np.ndarray)
    masks[0] = cv2.warpAffine(np.asarray(seen.masks)[0], matrix, (masks.shape[2], masks.shape[1]))
    return row
