"""Captures with truth for ``studio_truth``: a person of ``lca-data synth --kind studio`` in a public layout.

``python -m benchmarks.studio_captures --dataset D --subject person_0000 --layout goliath --output-dir C`` writes the
pictures, masks and cameras as the Goliath release has them (AVIF and PNG in zip archives, K and T transposed,
millimetres) or as ActorsHQ has them (JPEG, world-from-camera as axis and angle, intrinsics over the picture's size),
and ``ground_truth`` beside them. Then ``python -m benchmarks.studio_truth --capture C``.
"""

import csv
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from PIL import Image
from scipy.spatial.transform import Rotation


@dataclass(frozen=True)
class Config:
    """What to write."""

    dataset: Path
    """Of ``lca-data synth --kind studio``."""
    subject: str
    layout: Literal["goliath", "actorshq"]
    output_dir: Path


@dataclass(frozen=True)
class Picture:
    """One row of the dataset."""

    frame: int
    camera: str
    image: np.ndarray
    """uint8 [h, w, 3] RGB."""
    mask: np.ndarray
    """uint8 [h, w], 255 = person."""
    intrinsics: np.ndarray
    """Pixel centres at +0.5."""
    camera_from_world: np.ndarray


def main(config: Config) -> None:
    """Write the capture."""
    from lca_dataparsers.dataset.reader import AvatarDataset

    person = AvatarDataset.open(config.dataset).subjects[config.subject]
    table = person.frames
    pictures = []
    for row in range(len(person)):
        frame = person.load(row)
        image = (frame.image.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)
        mask = np.where(frame.mask[0].numpy() > 0.5, 255, 0).astype(np.uint8)
        k, pose = table["intrinsics"][row].astype(float), table["camera_from_world"][row].astype(float)
        name = f"4001{int(table['camera'][row]):02d}"
        pictures.append(Picture(int(table["frame"][row]) + 1, name, image, mask, k, pose))
    {"goliath": write_goliath, "actorshq": write_actorshq}[config.layout](config.output_dir, pictures)
    write_truth(config.output_dir / "ground_truth", person, pictures)
    print(f"{config.output_dir}: {len(pictures)} pictures; {', '.join(person.info.report.get('outfit', []))}")


def write_goliath(root: Path, pictures: list[Picture]) -> None:
    """K for twice the pictures' size with the first pixel centre at 0; everything transposed; millimetres."""
    folder = root / "s--20260101--0001--SYNTH--pilot--ClothedBody"
    rows = []
    for name, views in by_camera(pictures).items():
        height, width = views[0].mask.shape
        k, pose = views[0].intrinsics.copy(), views[0].camera_from_world.copy()
        k[:2] *= 2
        k[:2, 2] -= 0.5
        pose[:3, 3] *= 1000
        rows.append(
            {"cameraId": name, "K": k.T.tolist(), "T": pose.T.tolist(), "width": 2 * width, "height": 2 * height}
        )
        for kind, suffix in (("image", "avif"), ("segmentation_fgbg", "png")):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(folder / kind / f"cam{name}.zip", "w") as archive:
                for view in views:
                    content = encoded(view.image if kind == "image" else view.mask, suffix)
                    archive.writestr(f"cam{name}/{view.frame:06d}.{suffix}", content)
    (folder / "camera_calibration.json").write_text(json.dumps({"KRT": rows}))


def write_actorshq(root: Path, pictures: list[Picture]) -> None:
    """Sizes of four times the pictures' (the release's 4x), intrinsics over the picture's size."""
    folder = root / "Actor01" / "Sequence1" / "4x"
    rows = []
    for name, views in by_camera(pictures).items():
        height, width = views[0].mask.shape
        k, world = views[0].intrinsics, np.linalg.inv(views[0].camera_from_world)
        turn = Rotation.from_matrix(world[:3, :3]).as_rotvec()
        lens = [k[0, 0] / width, k[1, 1] / height, k[0, 2] / width, k[1, 2] / height]
        rows.append([name, 4 * width, 4 * height, *turn, *world[:3, 3], *lens])
        for kind, suffix in (("rgb", "jpg"), ("mask", "png")):
            (folder / f"{kind}s" / name).mkdir(parents=True)
            for view in views:
                path = folder / f"{kind}s" / name / f"{name}_{kind}{view.frame:06d}.{suffix}"
                path.write_bytes(encoded(view.image if kind == "rgb" else view.mask, suffix))
    with (folder / "calibration.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["name", "w", "h", *"rx ry rz tx ty tz fx fy px py".split()], *rows])


def write_truth(folder: Path, person, pictures: list[Picture]) -> None:
    """``frames.json``, ``cameras.json`` and ``body_vertices.npz`` as ``studio_truth`` reads them."""
    from lca_shared.body import get_body_model

    body, frames, vertices = get_body_model("anny"), [], {}
    rows = {int(frame): row for row, frame in reversed(list(enumerate(person.frames["frame"])))}
    for number, row in sorted(rows.items()):
        pose = person.frames.poses([row])
        shaped = body.shaped(person.shape, person.frames.expressions([row]))
        joints = np.tile(np.eye(4), (len(body.joint_names), 1, 1))
        joints[:, :3, 3] = body.posed(shaped.joints, pose).joints[0].numpy()
        frames.append({"frame": number + 1, "light": {"pattern": 0}, "joint_world_4x4": joints.tolist()})
        vertices[f"{number + 1:06d}"] = body.skinned(shaped, pose)[0].numpy()
    cameras = [
        {
            "id": name,
            "world_to_camera_3x4_m": views[0].camera_from_world[:3].tolist(),
            "K_edge0": views[0].intrinsics.tolist(),
            "width": views[0].mask.shape[1],
            "height": views[0].mask.shape[0],
        }
        for name, views in by_camera(pictures).items()
    ]
    folder.mkdir(parents=True)
    (folder / "frames.json").write_text(json.dumps({"joint_names": list(body.joint_names), "frames": frames}))
    (folder / "cameras.json").write_text(json.dumps(cameras))
    np.savez(folder / "body_vertices.npz", **vertices)


def by_camera(pictures: list[Picture]) -> dict[str, list[Picture]]:
    """The pictures of each camera."""
    found: dict[str, list[Picture]] = {}
    for picture in pictures:
        found.setdefault(picture.camera, []).append(picture)
    return found


def encoded(image: np.ndarray, suffix: str) -> bytes:
    """A picture as the bytes of a file."""
    buffer = io.BytesIO()
    options = {"avif": {"quality": 80, "subsampling": "4:4:4"}, "jpg": {"quality": 95}, "png": {}}[suffix]
    Image.fromarray(image).save(buffer, {"avif": "AVIF", "jpg": "JPEG", "png": "PNG"}[suffix], **options)
    return buffer.getvalue()


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
