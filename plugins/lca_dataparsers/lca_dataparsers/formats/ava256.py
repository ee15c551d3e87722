"""Ava-256 (facebookresearch/ava-256): heads, in Goliath's layout with a few differences."""

from pathlib import Path

from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView
from lca_dataparsers.formats.goliath import backgrounds, find_root, krt_camera, person_of
from lca_dataparsers.formats.krt import StoredCamera, read_krt
from lca_dataparsers.formats.listing import archived, read_table, whole
from lca_shared.errors import UserError

FULL_SIZE = (2668, 4096)
"""Width and height that the calibration is for."""
LICENCE = "CC-BY-NC-4.0"


def open_ava256(source: Path) -> Capture:
    """Read ``{yyyymmdd}--{hhmm}--{SID}/decoder`` (see ``formats.capture.Importer``).

    The calibration is Goliath's with four coefficients of distortion, for pictures of 2668 x 4096. Light is uniform.
    Frames come from ``frame_list.csv``; the registration is a head in a topology of its own and is not used.
    """
    root = find_root(source)
    listed = _frame_list(root)
    cameras: dict[str, CaptureCamera] = {}
    views = []
    for name, stored in read_krt(root / "camera_calibration.json").items():
        pictures = archived(root, "image", name)
        if not pictures:
            continue
        full = StoredCamera(
            stored.intrinsics, stored.camera_from_world, stored.full_size or FULL_SIZE, stored.distortion
        )
        cameras[name] = krt_camera(root, name, full, pictures, head=False)
        masks = archived(root, "segmentation_parts", name) or archived(root, "segmentation_fgbg", name)
        views += [
            CaptureView(frame, name, image, masks.get(frame))
            for frame, image in pictures.items()
            if not listed or frame in listed
        ]
    if not cameras:
        raise UserError(
            f"{root / 'image'} has no cam*.zip of a camera in camera_calibration.json. Download the images."
        )
    return Capture(
        name=root.parent.name if root.name == "decoder" else root.name,
        person=person_of(root.parent.name if root.name == "decoder" else root.name),
        root=root,
        cameras=cameras,
        views=tuple(sorted(views, key=lambda view: (view.frame, view.camera))),
        rate=7.5,
        licence=LICENCE,
        backgrounds=backgrounds(root, cameras),
        notes=("the registration of the head is in a topology of its own and was not used",),
    )


def _frame_list(root: Path) -> set[int]:
    path = root / "frame_list.csv"
    if not path.is_file():
        return set()
    rows = read_table(path, "the list of segments and frames", ("seg_id", "frame_id"))
    return {whole(row["frame_id"], path, "a frame") for row in rows}
