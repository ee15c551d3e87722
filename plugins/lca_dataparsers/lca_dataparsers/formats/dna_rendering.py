"""DNA-Rendering: HDF5 files, pictures in ``NAME.smc`` and what is known about them in ``NAME_annots.smc``."""

from pathlib import Path
from typing import Any

import numpy as np

from lca_dataparsers.dataset.sources import PictureSource, picture_size
from lca_dataparsers.dataset.treatment import Treatment
from lca_dataparsers.formats.capture import Capture, CaptureCamera, CaptureView, Registration
from lca_dataparsers.formats.listing import matrix, require
from lca_shared.errors import UserError

GROUPS = ("Camera_5mp", "Camera_12mp")
ANNOTATIONS = "_annots"
SMPLX_ARRAYS = ("betas", "expression", "fullpose", "transl")
LICENCE = "DNA-Rendering licence (non-commercial)"


def open_dna_rendering(source: Path) -> Capture:
    """Read a performance, given as its ``.smc`` file or the folder it is in (see ``formats.capture.Importer``).

    ``RT`` is world-from-camera, metres. ``K`` and ``D`` (k1, k2, p1, p2, k3) are OpenCV's, so the first pixel centre
    is at 0. ``Color_Calibration`` holds, for blue, green and red, the polynomial a v^2 + b v + c that brings the
    camera's values to the rig's common colours.
    """
    main, annotations = _files(source)
    try:
        return _read(main, annotations)
    except (RuntimeError, OSError, KeyError, TypeError, AttributeError, ValueError) as error:  # what h5py raises
        raise UserError(f"{main} or {annotations} is damaged ({error}). Download them again.") from error


def _read(main: Path, annotations: Path) -> Capture:
    root = _common_folder(main, annotations)
    with _opened(main) as pictures, _opened(annotations) as known:
        if "Camera_Parameter" not in known:
            raise UserError(
                f"{annotations} has no Camera_Parameter. Put the {ANNOTATIONS}.smc file beside {main.name}."
            )
        cameras, views = {}, []
        for group in GROUPS:
            for number in sorted(pictures.get(group, {}), key=_order):
                found = _frames(pictures, f"{group}/{number}/color")
                if not found or not str(number).isdigit():
                    continue
                name = f"{int(number):02d}"
                cameras[name] = _camera(known, annotations, name, pictures, main, found[min(found)])
                masks = _frames(known, f"Mask/{number}/mask")
                views += [
                    CaptureView(
                        frame,
                        name,
                        PictureSource(str(main.relative_to(root)), member),
                        PictureSource(str(annotations.relative_to(root)), masks[frame]) if frame in masks else None,
                    )
                    for frame, member in found.items()
                ]
        if not cameras:
            raise UserError(f"{main} has no pictures in {' or '.join(GROUPS)}. Download the file again.")
        registration = _registration(known, annotations)
    return Capture(
        name=main.stem,
        person=main.stem.split("_")[0],
        root=root,
        cameras=cameras,
        views=tuple(sorted(views, key=lambda view: (view.frame, view.camera))),
        rate=15.0,
        licence=LICENCE,
        registration=registration,
    )


def _files(source: Path) -> tuple[Path, Path]:
    if source.is_dir():
        found = [p for p in sorted(source.rglob("*.smc")) if not p.stem.endswith(ANNOTATIONS)]
        if len(found) != 1:
            names = ", ".join(p.name for p in found[:8])
            raise UserError(
                f"{source} holds {len(found)} performances; name one .smc file" + (f": {names}." if names else ".")
            )
        source = found[0]
    require(source, "a performance (.smc)")
    name = f"{source.stem}{ANNOTATIONS}.smc"
    places = [source.with_name(name), *source.parent.parent.glob(f"*annot*/{name}"), *source.parent.glob(f"*/{name}")]
    return source, next((place for place in places if place.is_file()), source)


def _common_folder(first: Path, second: Path) -> Path:
    folder = first.resolve().parent
    while not second.resolve().is_relative_to(folder):
        folder = folder.parent
    if first.resolve().parent != first.parent.absolute() or second.resolve().parent != second.parent.absolute():
        raise UserError(f"{first} or {second} is reached through a link. Name the file where it really is.")
    return (
        folder
        if first.is_absolute()
        else Path(*first.parts[: len(first.parts) - len(first.resolve().relative_to(folder).parts)])
    )


def _opened(path: Path) -> Any:
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} is not a readable HDF5 file ({error}). Download it again.") from error


def _order(name: str) -> tuple[bool, int]:
    return (not name.isdigit(), int(name) if name.isdigit() else 0)


def _frames(file: Any, group: str) -> dict[int, str]:
    """Members of a group by frame."""
    try:
        names = list(file[group]) if group in file else []
    except (KeyError, RuntimeError, TypeError, OSError) as error:
        raise UserError(f"{file.filename}: {group} is damaged ({error}). Download the file again.") from error
    return {int(name): f"{group}/{name}" for name in names if name.isdigit()}


def _values(file: Any, path: Path, name: str) -> np.ndarray:
    try:
        return np.asarray(file[name][()], float)
    except (KeyError, OSError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{path} has no readable {name}. Download the file again.") from error


def _camera(known: Any, annotations: Path, name: str, pictures: Any, main: Path, member: str) -> CaptureCamera:
    place = f"Camera_Parameter/{name}"
    k = matrix(_values(known, annotations, f"{place}/K"), (3, 3), annotations, f"{place}/K")
    world_from_camera = matrix(_values(known, annotations, f"{place}/RT"), (4, 4), annotations, f"{place}/RT")
    distortion = _values(known, annotations, f"{place}/D").ravel()
    if distortion.size not in (0, 4, 5, 8) or not np.isfinite(distortion).all():
        raise UserError(f"{annotations}: {place}/D is not 4, 5 or 8 finite numbers. Download the file again.")
    polynomials: tuple[float, ...] = ()
    if f"{place}/Color_Calibration" in known:
        colors = matrix(_values(known, annotations, f"{place}/Color_Calibration"), (3, 3), annotations, "the colours")
        polynomials = tuple(colors[::-1].ravel().tolist())  # stored blue first
    try:
        encoded = np.asarray(pictures[member][()], np.uint8).tobytes()
    except (OSError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise UserError(f"{main} ({member}) cannot be read ({error}). Download the file again.") from error
    width, height = picture_size(encoded, f"{main} ({member})")
    k[:2, 2] += 0.5
    treatment = Treatment(
        polynomials=polynomials,
        intrinsics=(float(k[0, 0]), float(k[1, 1]), float(k[0, 2]), float(k[1, 2])),
        distortion=tuple(distortion.tolist()) if distortion.any() else (),
    )
    if abs(np.linalg.det(world_from_camera)) < 1e-6:
        raise UserError(f"{annotations}: {place}/RT is no rigid motion. Download the file again.")
    return CaptureCamera(name, k, np.linalg.inv(world_from_camera), width, height, treatment)


def _registration(known: Any, annotations: Path) -> Registration | None:
    if "SMPLx" not in known:
        return None
    parameters = {name: _values(known, annotations, f"SMPLx/{name}") for name in SMPLX_ARRAYS}
    rows = len(parameters["fullpose"])
    if parameters["fullpose"].shape[1:] not in ((55, 3), (165,)) or len(parameters["transl"]) != rows:
        raise UserError(f"{annotations}: SMPLx/fullpose is not frames x 55 x 3. Download the file again.")
    parameters["fullpose"] = parameters["fullpose"].reshape(rows, 55, 3)
    parameters["scale"] = _values(known, annotations, "SMPLx/scale") if "SMPLx/scale" in known else np.ones(1)
    return Registration("smplx", parameters, tuple(range(rows)))
