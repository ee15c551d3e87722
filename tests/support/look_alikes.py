"""Tiny captures in the layouts of public data sets, with every quirk that their loaders document.

All of them see the same scene: a box-shaped person in front of a few cameras, whose cameras are known exactly. Each
picture shows a small bright square where the mark (a point in the world) is, so that a test can tell by the pixels
whether a camera was understood.
"""

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

MARK = np.array([0.15, -0.1, 1.3])
"""World, metres, Z up."""


@dataclass(frozen=True)
class MadeCamera:
    """Truth: OpenCV axes, metres, pixel centres at +0.5."""

    name: str
    intrinsics: np.ndarray
    camera_from_world: np.ndarray
    width: int
    height: int

    def pixel(self, point: np.ndarray = MARK) -> np.ndarray:
        """Where a point of the world is seen."""
        x = self.intrinsics @ (self.camera_from_world[:3, :3] @ point + self.camera_from_world[:3, 3])
        return x[:2] / x[2]


def made_cameras(count: int = 3, width: int = 48, height: int = 64, digits: int = 6) -> list[MadeCamera]:
    """Cameras on a ring, looking at the middle of a person; principal points off the middle."""
    cameras = []
    for i in range(count):
        angle = 2 * np.pi * i / count + 0.3
        eye = np.array([3 * np.sin(angle), -3 * np.cos(angle), 1.2 + 0.2 * i])
        forward = np.array([0, 0, 1.0]) - eye
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1.0])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward])
        pose[:3, 3] = -pose[:3, :3] @ eye
        k = np.array([[70.0 + i, 0, width / 2 + 1.3 + i], [0, 72.0, height / 2 - 0.7], [0, 0, 1]])
        cameras.append(MadeCamera(f"{400100 + i:0{digits}d}", k, pose, width, height))
    return cameras


def picture(camera: MadeCamera, brightness: int = 60) -> np.ndarray:
    """uint8 [h, w, 3] RGB: grey, with a square at the mark."""
    image = np.full((camera.height, camera.width, 3), brightness, np.uint8)
    x, y = np.floor(camera.pixel()).astype(int)
    image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = (230, 120, 40)
    return image


def person_mask(camera: MadeCamera) -> np.ndarray:
    """uint8 [h, w], 255 = person: a rectangle that holds the mark."""
    mask = np.zeros((camera.height, camera.width), np.uint8)
    mask[4:-4, 10:-8] = 255
    return mask


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    options = {"avif": {"quality": 95, "subsampling": "4:4:4"}, "jpg": {"quality": 97, "subsampling": 0}, "png": {}}
    Image.fromarray(image).save(buffer, {"avif": "AVIF", "jpg": "JPEG", "png": "PNG"}[suffix], **options[suffix])
    return buffer.getvalue()


def mark_of(image: np.ndarray) -> np.ndarray:
    """Middle of the square in a picture, pixels (centres at +0.5)."""
    strength = np.clip(image[..., 0].astype(float) - image[..., 2] - 60, 0, None)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] + 0.5
    return np.array([(x * strength).sum(), (y * strength).sum()]) / strength.sum()


def write_goliath(
    root: Path, cameras: list[MadeCamera], frames: tuple[int, ...] = (1, 2, 5), *, full_size: bool = True
) -> Path:
    """Goliath: K and T transposed, millimetres, K for twice the pictures' size with the first pixel centre at 0."""
    folder = root / "s--20260101--0001--ABC123--pilot--ClothedHands"
    rows = []
    for camera in cameras:
        k = camera.intrinsics.copy()
        k[:2, 2] -= 0.5  # first pixel centre at 0
        k[:2, :2] *= 2
        k[:2, 2] = (k[:2, 2] + 0.5) * 2 - 0.5
        t = camera.camera_from_world.copy()
        t[:3, 3] *= 1000
        row = {"cameraId": camera.name, "K": k.T.tolist(), "T": t.T.tolist()}
        rows.append(row | ({"width": 2 * camera.width, "height": 2 * camera.height} if full_size else {}))
        for kind, suffix, content in (
            ("image", "avif", picture(camera)),
            ("segmentation_fgbg", "png", (person_mask(camera) // 255)),  # any value but 0 is the person
        ):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(folder / kind / f"cam{camera.name}.zip", "w") as archive:
                for frame in frames:
                    archive.writestr(f"cam{camera.name}/{frame:06d}.{suffix}", encoded(content, suffix))
    rows.append({**rows[0], "cameraId": "499999"})  # calibrated, but without pictures
    (folder / "camera_calibration.json").write_text(json.dumps({"KRT": rows}))
    (folder / "frame_splits_list.csv").write_text("frame,split\n" + "".join(f"{f},train\n" for f in frames))
    (folder / "lights").mkdir()
    (folder / "lights/light_pattern_per_frame.json").write_text(json.dumps([[f, int(f > 2)] for f in frames]))
    pattern = {"light_index_durations": [[0, 5555], [2, 1111]]}
    lights = {
        "light_positions": [[1000, 0, 2000], [0, 1000, 2000], [-1500, 0, 500]],
        "light_patterns": [{"light_index_durations": [[0, 1389], [1, 1389], [2, 1389]]}, pattern],
    }
    (folder / "lights/light_pattern_metadata.json").write_text(json.dumps(lights))
    (folder / "per_view_background").mkdir()
    with zipfile.ZipFile(folder / "per_view_background/per_view_background.zip", "w") as archive:
        for camera in cameras:
            archive.writestr(
                f"{camera.name}.png", encoded(np.full((camera.height, camera.width, 3), 60, np.uint8), "png")
            )
    return folder


def distorted(camera: MadeCamera, coefficients: tuple[float, ...]) -> np.ndarray:
    """The camera's picture through a lens that bends: what stands where the lens puts it."""
    image = np.full((camera.height, camera.width, 3), 60, np.uint8)
    k = camera.intrinsics.copy()
    k[:2, 2] -= 0.5
    point = camera.camera_from_world[:3, :3] @ MARK + camera.camera_from_world[:3, 3]
    seen = cv2.projectPoints(point[None], np.zeros(3), np.zeros(3), k, np.array(coefficients))[0].ravel()
    x, y = np.round(seen).astype(int)
    image[y - 1 : y + 2, x - 1 : x + 2] = (230, 120, 40)
    return image


def write_ava256(root: Path, cameras: list[MadeCamera], coefficients: tuple[float, ...]) -> Path:
    """Ava-256: Goliath's calibration for 2668 x 4096, four coefficients of distortion, a list of frames."""
    folder = root / "20230101--1234--ABC123" / "decoder"
    rows = []
    for camera in cameras:
        factor = 2668 // camera.width
        k = camera.intrinsics.copy()
        k[:2] *= factor
        k[:2, 2] -= 0.5
        t = camera.camera_from_world.copy()
        t[:3, 3] *= 1000
        model = {"distortionModel": "radial-tangential", "distortion": list(coefficients)}
        rows.append({"cameraId": camera.name, "K": k.T.tolist(), "T": t.T.tolist(), **model})
        (folder / "image").mkdir(parents=True, exist_ok=True)
        (folder / "segmentation_parts").mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(folder / "image" / f"cam{camera.name}.zip", "w") as archive:
            for frame in (7, 8, 9):
                archive.writestr(f"cam{camera.name}/{frame:06d}.avif", encoded(distorted(camera, coefficients), "avif"))
        with zipfile.ZipFile(folder / "segmentation_parts" / f"cam{camera.name}.zip", "w") as archive:
            for frame in (7, 8, 9):
                archive.writestr(f"cam{camera.name}/{frame:06d}.png", encoded(person_mask(camera) // 51, "png"))
    (folder / "camera_calibration.json").write_text(json.dumps({"KRT": rows}))
    (folder / "frame_list.csv").write_text("seg_id,frame_id\nEXP_neutral_peak,7\nEXP_smile,9\n")
    return folder.parent


def write_actorshq(root: Path, cameras: list[MadeCamera], frames: tuple[int, ...] = (0, 1)) -> Path:
    """ActorsHQ: world-from-camera as axis and angle, intrinsics over the picture's size, sizes of another scale."""
    folder = root / "Actor01" / "Sequence1" / "4x"
    rows = []
    for camera in cameras:
        world = np.linalg.inv(camera.camera_from_world)
        turn = Rotation.from_matrix(world[:3, :3]).as_rotvec()
        k = camera.intrinsics
        focal = [k[0, 0] / camera.width, k[1, 1] / camera.height]
        middle = [k[0, 2] / camera.width, k[1, 2] / camera.height]
        rows.append([camera.name, 4 * camera.width, 4 * camera.height, *turn, *world[:3, 3], *focal, *middle])
        for kind in ("rgbs", "masks"):
            (folder / kind / camera.name).mkdir(parents=True)
        for frame in frames:
            name = f"{camera.name}_rgb{frame:06d}.jpg"
            (folder / "rgbs" / camera.name / name).write_bytes(encoded(picture(camera), "jpg"))
            name = f"{camera.name}_mask{frame:06d}.png"
            (folder / "masks" / camera.name / name).write_bytes(encoded(person_mask(camera), "png"))
    with (folder / "calibration.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "w", "h", "rx", "ry", "rz", "tx", "ty", "tz", "fx", "fy", "px", "py"])
        writer.writerows(rows)
    return folder


def write_dna_rendering(root: Path, cameras: list[MadeCamera], coefficients: tuple[float, ...]) -> Path:
    """DNA-Rendering: two HDF5 files, RT world-from-camera, colours as polynomials of blue, green, red."""
    import h5py

    main = root / "main" / "0165_08.smc"
    annotations = root / "annotations" / "0165_08_annots.smc"
    for path in (main, annotations):
        path.parent.mkdir(parents=True)
    with h5py.File(main, "w") as pictures, h5py.File(annotations, "w") as known:
        for i, camera in enumerate(cameras):
            group = "Camera_5mp" if i < len(cameras) - 1 else "Camera_12mp"
            for frame in range(2):
                image = distorted(camera, coefficients)
                half = (image.astype(float) / 2).astype(np.uint8)  # the colour calibration doubles it
                data = np.frombuffer(encoded(half, "png"), np.uint8)
                pictures[f"{group}/{i}/color/{frame}"] = data
                three = np.repeat(person_mask(camera)[..., None], 3, axis=2)
                known[f"Mask/{i}/mask/{frame}"] = np.frombuffer(encoded(three, "png"), np.uint8)
            place = f"Camera_Parameter/{i:02d}"
            k = camera.intrinsics.copy()
            k[:2, 2] -= 0.5
            known[f"{place}/K"], known[f"{place}/D"] = k, np.array(coefficients)
            known[f"{place}/RT"] = np.linalg.inv(camera.camera_from_world)
            known[f"{place}/Color_Calibration"] = np.array([[0, 2.0, 1.0], [0, 2.0, 0.0], [0.001, 2.0, 0.0]])
        known["SMPLx/betas"], known["SMPLx/expression"] = np.zeros((2, 10)), np.zeros((2, 10))
        known["SMPLx/fullpose"], known["SMPLx/transl"] = np.zeros((2, 55, 3)), np.zeros((2, 3))
        known["SMPLx/scale"] = 1.0
    return root


def write_neuman(root: Path, cameras: list[MadeCamera], *, arrays: bool = False) -> Path:
    """NeuMan: COLMAP's text files, masks inverted (255 = background)."""
    folder = root / "seq"
    for name in ("images", "sparse", "segmentations"):
        (folder / name).mkdir(parents=True)
    k = cameras[0].intrinsics
    numbers = f"{k[0, 0]} {k[1, 1]} {k[0, 2]} {k[1, 2]}"
    (folder / "sparse/cameras.txt").write_text(
        f"# Camera list\n1 OPENCV {cameras[0].width} {cameras[0].height} {numbers} 0 0 0 0\n"
    )
    lines = ["# Image list", "# IMAGE_ID, QW, ..."]
    for i, camera in reversed(list(enumerate(cameras))):
        x, y, z, w = Rotation.from_matrix(camera.camera_from_world[:3, :3]).as_quat()
        t = camera.camera_from_world[:3, 3]
        lines += [
            f"{i + 1} {w} {x} {y} {z} {t[0]} {t[1]} {t[2]} 1 {i:05d}.png",
            "1.0 2.0 -1 3.0 4.0 17" if i % 2 else "",
        ]
        seen = MadeCamera(camera.name, k, camera.camera_from_world, camera.width, camera.height)
        (folder / f"images/{i:05d}.png").write_bytes(encoded(picture(seen), "png"))
        inverted = 255 - person_mask(camera)
        if arrays:
            np.save(folder / f"segmentations/{i:05d}.png.npy", inverted)
        else:
            (folder / f"segmentations/{i:05d}.png").write_bytes(encoded(inverted, "png"))
    (folder / "sparse/images.txt").write_text("\n".join(lines) + "\n")
    (folder / "train_split.txt").write_text("00000.png\n00002.png\n")
    (folder / "test_split.txt").write_text("00001.png\n")
    return folder


def write_transforms(root: Path, cameras: list[MadeCamera], *, shared: bool = False) -> Path:
    """nerfstudio: world-from-camera with OpenGL axes; intrinsics of twice the pictures' size."""
    folder = root / "scene"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    rows = []
    for camera in cameras:
        (folder / f"images/{camera.name}.png").write_bytes(encoded(picture(camera), "png"))
        (folder / f"masks/{camera.name}.png").write_bytes(encoded(person_mask(camera), "png"))
        k = 2 * camera.intrinsics
        numbers = {"fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}
        numbers |= {"w": 2 * camera.width, "h": 2 * camera.height}
        pose = np.linalg.inv(camera.camera_from_world) @ np.diag([1.0, -1, -1, 1])
        rows.append(
            {
                "file_path": f"./images/{camera.name}.png",
                "mask_path": f"masks/{camera.name}.png",
                "transform_matrix": pose.tolist(),
                "my_extra_key": 3,
                **numbers,
            }
        )
    top = {}
    if shared:
        top = {key: rows[0].pop(key) for key in ("fl_x", "fl_y", "cx", "cy", "w", "h")}
    (folder / "transforms.json").write_text(json.dumps({"camera_model": "OPENCV", **top, "frames": rows}))
    return folder
