"""ActorsHQ (synthesiaresearch/humanrf): loose pictures, one table of cameras."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from lca_dataparsers.dataset.sources import PictureSource
from lca_dataparsers.dataset.treatment import Treatment
from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView
from lca_dataparsers.formats.listing import number, numbered, read_table, require, stored_size, whole
from lca_shared.errors import UserError

COLUMNS = ("name", "w", "h", "rx", "ry", "rz", "tx", "ty", "tz", "fx", "fy", "px", "py")
LICENCE = "ActorsHQ licence (non-commercial)"


def open_actorshq(source: Path) -> Capture:
    """Read ``ActorXX/SequenceY/{N}x`` (see ``formats.capture.Importer``).

    Extrinsics are world-from-camera as axis and angle, metres. Focal lengths and principal points are divided by the
    picture's width and height, so they hold at any size, and count from the corner of the picture: the first pixel's
    centre is at 0.5.
    """
    root = _find_root(source)
    table = root / "calibration.csv"
    cameras, views = {}, []
    for row in read_table(table, "the cameras of the capture", COLUMNS):
        name = row["name"].strip()
        pictures = _pictures(root, "rgbs", name)
        if not pictures:
            continue
        masks = _pictures(root, "masks", name)
        cameras[name] = _camera(root, table, row, name, pictures[min(pictures)])
        views += [CaptureView(frame, name, image, masks.get(frame)) for frame, image in pictures.items()]
    if not cameras:
        raise UserError(f"{root / 'rgbs'} has no pictures of a camera in {table.name}. Download the images.")
    parts = [part for part in (root.parents[1].name, root.parent.name) if part]
    return Capture(
        name="_".join((*parts, root.name)),
        person=next((part for part in parts if part.lower().startswith("actor")), parts[0] if parts else root.name),
        root=root,
        cameras=cameras,
        views=tuple(sorted(views, key=lambda view: (view.frame, view.camera))),
        rate=25.0,
        licence=LICENCE,
    )


def _find_root(source: Path) -> Path:
    require(source, "the folder of a capture", folder=True)
    if (source / "calibration.csv").is_file():
        return source
    found = sorted({path.parent for depth in (1, 2, 3) for path in source.glob("*/" * depth + "calibration.csv")})
    if len(found) != 1:
        names = ", ".join(str(path.relative_to(source)) for path in found[:8])
        raise UserError(
            f"{source} has no calibration.csv"
            + (f"; choose one of {names}." if found else ". Name the folder it is in.")
        )
    return found[0]


def _pictures(root: Path, kind: str, camera: str) -> dict[int, PictureSource]:
    if camera != Path(camera).name or camera in ("", ".", ".."):
        raise UserError(f"{root / 'calibration.csv'}: {camera!r} is no name of a camera. Restore the file.")
    folder = root / kind / camera
    if not folder.is_dir():
        return {}
    names = numbered([path.name for path in folder.iterdir()])
    return {frame: PictureSource(f"{kind}/{camera}/{name}") for frame, name in names.items()}


def _camera(root: Path, table: Path, row: dict[str, str], name: str, first: PictureSource) -> CaptureCamera:
    values = {column: number(row[column], table, f"{column} of camera {name}") for column in COLUMNS[3:]}
    listed = whole(row["w"], table, f"w of camera {name}"), whole(row["h"], table, f"h of camera {name}")
    width, height = stored_size(root, first)
    if listed[0] and listed[1] and abs(listed[0] * height - listed[1] * width) > 0.02 * listed[0] * height:
        raise UserError(
            f"{first.name(root)} is {width} x {height} pixels, but {table} says {listed[0]} x {listed[1]} for camera "
            f"{name}: they do not belong together."
        )
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = Rotation.from_rotvec([values["rx"], values["ry"], values["rz"]]).as_matrix()
    world_from_camera[:3, 3] = values["tx"], values["ty"], values["tz"]
    fx, fy, cx, cy = (
        values["fx"] * width,
        values["fy"] * height,
        values["px"] * width,
        values["py"] * height,
    )
    intrinsics = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    treatment = Treatment(intrinsics=(fx, fy, cx, cy), mask="over_127")
    return CaptureCamera(name, intrinsics, np.linalg.inv(world_from_camera), width, height, treatment)
