"""Goliath (facebookresearch/goliath): pictures in one zip archive a camera, as AVIF."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lca_dataparsers.dataset.lights import LightPattern, LightRig
from lca_dataparsers.dataset.sources import PictureSource
from lca_dataparsers.dataset.treatment import Treatment
from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView
from lca_dataparsers.formats.krt import StoredCamera, read_krt, scaled_intrinsics
from lca_dataparsers.formats.listing import (
    archived,
    matrix,
    number,
    read_json,
    read_table,
    read_text,
    require,
    stored_size,
    whole,
    zip_members,
)
from lca_shared.errors import UserError
from lca_shared.tensors import Float

FULL_DURATION = 5555.0
"""Of a light's flash at intensity 1, as the release's loader divides."""
HEAD_BLACK, HEAD_GAIN = (2.0, 1.0, 2.0), (1.4, 1.1, 1.6)
"""Black level and white balance of head pictures, as the release's models apply them."""
LICENCE = "CC-BY-NC-4.0"


def open_goliath(source: Path) -> Capture:
    """Read a capture of the Goliath release (see ``formats.capture.Importer``).

    K and T are stored transposed, K for a multiple of the pictures' size, in millimetres, with the first pixel centre
    at 0. A capture whose name says Body is fully lit by definition; if it has lights all the same, they are read.
    """
    root = find_root(source)
    calibration = read_krt(root / "camera_calibration.json")
    head = "Head" in root.name
    cameras, images, masks = {}, {}, {}
    for name, stored in calibration.items():
        pictures = archived(root, "image", name)
        if not pictures:
            continue  # the release has archives of some cameras only
        images[name] = pictures
        masks[name] = archived(root, "segmentation_fgbg", name) or archived(root, "segmentation_parts", name)
        cameras[name] = krt_camera(root, name, stored, pictures, head)
    if not cameras:
        raise UserError(
            f"{root / 'image'} has no cam*.zip of a camera in camera_calibration.json. Download the images."
        )
    patterns = _light_patterns(root)
    views = tuple(
        CaptureView(frame, name, image, masks[name].get(frame), patterns.get(frame, -1))
        for name, pictures in images.items()
        for frame, image in pictures.items()
    )
    return Capture(
        name=root.name,
        person=person_of(root.name),
        root=root,
        cameras=cameras,
        views=tuple(sorted(views, key=lambda view: (view.frame, view.camera))),
        rate=30.0,
        licence=LICENCE,
        frame_splits=_splits(root),
        lights=_lights(root) if patterns else None,
        backgrounds=backgrounds(root, cameras),
        world_from_capture=_floor(root),
        notes=_left_out(root),
    )


def find_root(source: Path) -> Path:
    """The folder with ``camera_calibration.json``: ``source`` itself, its ``decoder``, or its only such sub-folder.

    Raises:
        UserError: there is none, or several.
    """
    require(source, "the folder of a capture", folder=True)
    for folder in (source, source / "decoder"):
        if (folder / "camera_calibration.json").is_file():
            return folder
    found = [path.parent for path in sorted(source.glob("*/camera_calibration.json"))]
    if len(found) != 1:
        raise UserError(
            f"{source} has no camera_calibration.json"
            + (f"; choose one of {', '.join(p.name for p in found)}." if found else ". Name the capture's own folder.")
        )
    return found[0]


def person_of(name: str) -> str:
    """The subject's code in a capture's name (``s--20230101--1234--ABC123--...`` or ``20230101--1234--ABC123``)."""
    parts = [part for part in name.split("--") if part]
    coded = [part for part in parts if not part.isdigit() and len(part) > 1]
    return coded[0] if coded else name


def krt_camera(
    root: Path, name: str, stored: StoredCamera, pictures: Mapping[int, PictureSource], head: bool
) -> CaptureCamera:
    """A camera of the size that its pictures have."""
    first = pictures[min(pictures)]
    width, height = stored_size(root, first)
    k = scaled_intrinsics(stored, (width, height), root / "camera_calibration.json", name)
    treatment = Treatment(
        black=HEAD_BLACK if head else (0.0, 0.0, 0.0),
        gain=HEAD_GAIN if head else (1.0, 1.0, 1.0),
        intrinsics=(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
        distortion=stored.distortion,
        mask="nonzero",
    )
    return CaptureCamera(name, k, stored.camera_from_world, width, height, treatment)


def backgrounds(root: Path, cameras: Mapping[str, CaptureCamera]) -> dict[str, PictureSource]:
    """Pictures of the empty rig, ``{camera}.png`` in ``per_view_background.zip``."""
    archive = root / "per_view_background" / "per_view_background.zip"
    if not archive.is_file():
        return {}
    names = {Path(name).stem: name for name in zip_members(archive)}
    inside = f"per_view_background/{archive.name}"
    return {camera: PictureSource(inside, names[camera]) for camera in cameras if camera in names}


def _splits(root: Path) -> dict[int, str]:
    path = root / "frame_splits_list.csv"
    if not path.is_file():
        return {}
    rows = read_table(path, "the list of frames and splits", ("frame", "split"))
    return {whole(row["frame"], path, "a frame"): row["split"].strip() for row in rows}


def _light_patterns(root: Path) -> dict[int, int]:
    path = root / "lights" / "light_pattern_per_frame.json"
    if not path.is_file():
        return {}
    rows = read_json(path, "the light pattern of each frame")
    if not isinstance(rows, list) or any(not isinstance(row, list) or len(row) != 2 for row in rows):
        raise UserError(f"{path} is not a list of pairs (frame, pattern). Restore it.")
    return {whole(frame, path, "a frame"): whole(pattern, path, "a pattern") for frame, pattern in rows}


def _lights(root: Path) -> LightRig:
    """Lights in metres; pattern 0 is fully lit, whatever it lists."""
    path = root / "lights" / "light_pattern_metadata.json"
    content = read_json(path, "the lights and patterns")
    if not isinstance(content, dict) or not isinstance(content.get("light_patterns"), list):
        raise UserError(f"{path} has no light_patterns. Restore it.")
    positions = content.get("light_positions")
    count = len(positions) if isinstance(positions, list) else 0
    patterns = []
    for index, pattern in enumerate(content["light_patterns"]):
        pairs = pattern.get("light_index_durations") if isinstance(pattern, dict) else None
        if not isinstance(pairs, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in pairs):
            raise UserError(f"{path}: pattern {index} has no light_index_durations. Restore it.")
        lights = tuple(whole(light, path, f"a light of pattern {index}") for light, _ in pairs)
        shares = tuple(number(value, path, f"a duration of pattern {index}") / FULL_DURATION for _, value in pairs)
        patterns.append(LightPattern(lights, shares, fully_lit=index == 0))
    rig = LightRig(matrix(positions, (count, 3), path, "light_positions") / 1000.0, tuple(patterns))
    used = max(_light_patterns(root).values(), default=0)
    if used >= len(patterns):
        raise UserError(f"{path} has {len(patterns)} patterns, but a frame has pattern {used}. Restore it.")
    return rig


def _floor(root: Path) -> Float[np.ndarray, "4 4"] | None:
    """``floor_transformation.txt``: camera-from-floor, 3 x 4, millimetres; the floor's plane is z = 0."""
    path = root / "floor_transformation.txt"
    if not path.is_file():
        return None
    try:
        rows = [[float(value) for value in line.split()] for line in read_text(path, "the floor").splitlines() if line]
    except ValueError as error:
        raise UserError(f"{path} is not a table of numbers ({error}). Restore it.") from error
    capture_from_floor = np.eye(4)
    capture_from_floor[:3] = matrix(rows, (3, 4), path, "the floor's transformation")
    capture_from_floor[:3, 3] /= 1000.0
    return np.linalg.inv(capture_from_floor)


def _left_out(root: Path) -> tuple[str, ...]:
    if not (root / "kinematic_tracking").is_dir():
        return ()
    return ("kinematic_tracking is of a body model that the release does not define: the body is fitted instead",)
