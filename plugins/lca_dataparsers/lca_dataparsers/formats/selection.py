"""Which cameras and moments of a capture are taken, and at what size."""

from dataclasses import replace

import numpy as np

from lca_dataparsers.formats.capture import Capture, CaptureCamera
from lca_dataparsers.formats.rig_centre import depth_of_middle
from lca_shared.errors import UserError
from lca_shared.tensors import Float


def selected(
    capture: Capture,
    cameras: tuple[str, ...] | None,
    most_cameras: int | None,
    first: int | None,
    last: int | None,
    step: int,
    most_frames: int | None,
) -> Capture:
    """The capture with some of its cameras and moments.

    Raises:
        UserError: there are no such cameras, or nothing is left.
    """
    names = list(capture.cameras)
    if cameras is not None:
        unknown = [name for name in cameras if name not in capture.cameras]
        if unknown:
            raise UserError(f"{capture.name} has no camera {', '.join(unknown)}; it has {', '.join(names[:40])}.")
        names = list(cameras)
    if most_cameras is not None and not capture.moving and len(names) > most_cameras:
        names = spread(capture, names, most_cameras)
    frames = [f for f in capture.frames() if (first is None or f >= first) and (last is None or f <= last)][::step]
    frames = frames[:most_frames]
    kept_frames, kept_names = set(frames), set(names)
    views = tuple(v for v in capture.views if v.frame in kept_frames and v.camera in kept_names)
    if not views:
        raise UserError(
            f"{capture.name}: no pictures are left. Its moments are {capture.views[0].frame} to "
            f"{capture.views[-1].frame}."
        )
    used = {view.camera for view in views}
    return replace(
        capture,
        views=views,
        cameras={name: camera for name, camera in capture.cameras.items() if name in used},
        frame_splits={frame: split for frame, split in capture.frame_splits.items() if frame in kept_frames},
        backgrounds={name: source for name, source in capture.backgrounds.items() if name in used},
        person_depth=depth_of_middle(capture.cameras, min(used)) if len(used) == 1 and not capture.moving else None,
    )


def spread(capture: Capture, names: list[str], count: int) -> list[str]:
    """``count`` cameras that look at the person from directions as different as can be, in the order of ``names``.

    One after another, the camera farthest from those chosen already. Cameras with more pictures come first.
    """
    pictures = {name: 0 for name in names}
    for view in capture.views:
        if view.camera in pictures:
            pictures[view.camera] += 1
    middle = focus([capture.cameras[name] for name in names])
    toward = np.stack([capture.cameras[name].centre() - middle for name in names])
    toward /= np.linalg.norm(toward, axis=1, keepdims=True).clip(1e-9)
    share = np.array([pictures[name] for name in names]) / max(1, max(pictures.values()))
    chosen = [int(share.argmax())]
    while len(chosen) < min(count, len(names)):
        apart = np.arccos((toward @ toward[chosen].T).clip(-1, 1)).min(axis=1) * (share + 1e-3)
        apart[chosen] = -1.0
        chosen.append(int(apart.argmax()))
    return [names[i] for i in sorted(chosen)]


def focus(cameras: list[CaptureCamera]) -> Float[np.ndarray, "3"]:
    """The point nearest to all cameras' optical axes."""
    normal, right = 1e-6 * np.eye(3), np.zeros(3)
    for camera in cameras:
        axis = camera.camera_from_world[2, :3]
        across = np.eye(3) - np.outer(axis, axis)
        normal += across
        right += across @ camera.centre()
    return np.linalg.solve(normal, right)


def resized(capture: Capture, long_side: int | None) -> Capture:
    """The capture with pictures of at most ``long_side`` pixels; cameras follow."""
    if long_side is None:
        return capture
    return replace(capture, cameras={name: _resized(camera, long_side) for name, camera in capture.cameras.items()})


def _resized(camera: CaptureCamera, long_side: int) -> CaptureCamera:
    factor = min(1.0, long_side / max(camera.width, camera.height))
    if factor == 1.0:
        return camera
    width, height = max(1, round(camera.width * factor)), max(1, round(camera.height * factor))
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2] *= np.array([[width / camera.width], [height / camera.height]])
    treatment = replace(camera.treatment, size=(width, height))
    return replace(camera, intrinsics=intrinsics, width=width, height=height, treatment=treatment)
