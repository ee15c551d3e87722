"""NeuMan (apple/ml-neuman): one moving camera, calibrated by COLMAP."""

import re
from pathlib import Path

import numpy as np

from lca_dataparsers.dataset.sources import PictureSource
from lca_dataparsers.dataset.treatment import Treatment
from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView
from lca_dataparsers.formats.listing import number, read_text, require, stored_size, whole
from lca_shared.errors import UserError
from lca_shared.tensors import Float

MODELS = {
    "SIMPLE_PINHOLE": ("f", "cx", "cy"),
    "PINHOLE": ("fx", "fy", "cx", "cy"),
    "SIMPLE_RADIAL": ("f", "cx", "cy", "k1"),
    "RADIAL": ("f", "cx", "cy", "k1", "k2"),
    "OPENCV": ("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"),
}
"""COLMAP's camera models and their parameters; the first pixel centre is at 0.5."""
LICENCE = "ml-neuman licence (research)"


def open_neuman(source: Path) -> Capture:
    """Read a sequence with ``images/``, ``sparse/`` and ``segmentations/`` (see ``formats.capture.Importer``).

    COLMAP's poses are camera-from-world; their unit is unknown, so that the person's size tells it. Masks are inverted:
    255 is background. They are pictures or ``.npy`` arrays.
    """
    require(source, "the folder of a sequence", folder=True)
    sparse = next((p for p in (source / "sparse", source / "sparse" / "0") if (p / "cameras.txt").is_file()), None)
    if sparse is None:
        raise UserError(
            f"{source / 'sparse'} has no cameras.txt. Convert COLMAP's model with `colmap model_converter`."
        )
    models = _cameras(sparse / "cameras.txt")
    cameras, views = {}, []
    for frame, (name, camera, pose) in enumerate(_poses(sparse / "images.txt")):
        if camera not in models:
            raise UserError(f"{sparse / 'images.txt'} names camera {camera}, which cameras.txt has not. Restore them.")
        image = PictureSource(f"images/{name}")
        require(source / image.file, "a picture of the sequence")
        model = models[camera]
        size = stored_size(source, image)
        if size != (model[2], model[3]):
            raise UserError(
                f"{source / image.file} is {size[0]} x {size[1]}, not {model[2]} x {model[3]} as COLMAP says."
            )
        key = f"{frame:06d}"
        cameras[key] = CaptureCamera(key, model[0], pose, model[2], model[3], model[1])
        mask = next((m for m in (f"{name}.npy", name) if (source / "segmentations" / m).is_file()), None)
        views.append(
            CaptureView(frame, key, image, PictureSource(f"segmentations/{mask}") if mask is not None else None)
        )
    splits = {}
    numbers = {view.image.file.removeprefix("images/"): view.frame for view in views}
    for split in ("train", "val", "test"):
        path = source / f"{split}_split.txt"
        for line in read_text(path, "a split").split() if path.is_file() else ():
            if line in numbers:
                splits[numbers[line]] = split
    return Capture(
        name=source.resolve().name,
        person=source.resolve().name,
        root=source,
        cameras=cameras,
        views=tuple(views),
        rate=10.0,
        licence=LICENCE,
        moving=True,
        metric=False,
        frame_splits=splits,
    )


def _rows(path: Path, what: str) -> list[list[str]]:
    lines = read_text(path, what).splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def _cameras(path: Path) -> dict[int, tuple[Float[np.ndarray, "3 3"], Treatment, int, int]]:
    found = {}
    for row in _rows(path, "COLMAP's cameras"):
        if len(row) < 5 or row[1] not in MODELS or len(row) != 4 + len(MODELS[row[1]]):
            raise UserError(f"{path}: {' '.join(row)[:60]!r} is no camera of {', '.join(MODELS)}. Restore the file.")
        values = dict(zip(MODELS[row[1]], (number(value, path, "a parameter") for value in row[4:])))
        fx, fy = values.get("fx", values.get("f", 0.0)), values.get("fy", values.get("f", 0.0))
        k = np.array([[fx, 0, values["cx"]], [0, fy, values["cy"]], [0, 0, 1]])
        fisheye = row[1] == "OPENCV_FISHEYE"
        names = ("k1", "k2", "k3", "k4") if fisheye else ("k1", "k2", "p1", "p2")
        distortion = tuple(values.get(name, 0.0) for name in names)
        treatment = Treatment(
            intrinsics=(fx, fy, values["cx"], values["cy"]),
            distortion=distortion if any(distortion) else (),
            fisheye=fisheye,
            mask="inverted",
        )
        width, height = whole(row[2], path, "a width"), whole(row[3], path, "a height")
        found[whole(row[0], path, "a camera")] = (k, treatment, width, height)
    return found


def _poses(path: Path) -> list[tuple[str, int, Float[np.ndarray, "4 4"]]]:
    """Name, camera and camera-from-world of each picture, in order of their names' numbers.

    The file alternates lines of pictures with lines of points, which may be empty.
    """
    lines = [line for line in read_text(path, "COLMAP's pictures").splitlines() if not line.startswith("#")]
    found = []
    for line in lines[::2]:
        row = line.split()
        if not row:
            continue
        if len(row) != 10:
            raise UserError(f"{path}: {line[:60]!r} is no line of a picture. Restore the file.")
        w, x, y, z, tx, ty, tz = (number(value, path, "a pose") for value in row[1:8])
        name = row[9]
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"{path}: {name!r} leads out of the capture. Nothing was read from there.")
        length = (w * w + x * x + y * y + z * z) ** 0.5
        if length < 1e-6:
            raise UserError(f"{path}: the rotation of {name} is zero. Restore the file.")
        w, x, y, z = w / length, x / length, y / length, z / length
        pose = np.eye(4)
        pose[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
        pose[:3, 3] = tx, ty, tz
        found.append((name, whole(row[8], path, "a camera"), pose))
    if not found:
        raise UserError(f"{path} lists no pictures. Restore the file.")

    def order(entry: tuple) -> tuple[int, str]:
        digits = re.findall(r"\d+", entry[0])
        return (int(digits[-1]) if digits else 0, entry[0])

    return sorted(found, key=order)
