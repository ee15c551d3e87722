"""Make ``processing/correspondences/anny_mediapipe.json``: where the detector's landmarks lie on the body model.

    python scripts/make_correspondences.py --model-dir MODELS        # about five minutes

Draws random people with painted skin, hair, brows, lips and clothes, lets the detectors find their landmarks, and
solves for the places on the body that explain them: body landmarks as joint plus offset, face landmarks as points of
the surface. No real person is involved. The result is committed; run it again when template or detectors change.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import mediapipe as mp
import numpy as np
import open3d as o3d
import torch
import tyro
from mediapipe.tasks.python import BaseOptions, vision
from tqdm import tqdm

from lca_dataparsers.processing.correspondences import BodyPoint, Correspondences, FacePoint, mirrored_name
from lca_dataparsers.processing.correspondences.table import TABLE_PATH
from lca_dataparsers.synthetic.motion import random_motion
from lca_shared.body import get_body_model
from lca_shared.body.compact_body import CompactBody
from lca_shared.weights import find_weight

BODY_JOINTS = {
    **{0: "head", 2: "head", 7: "head", 9: "head", 11: "upperarm01.L", 13: "lowerarm01.L", 15: "wrist.L"},
    **{17: "finger5-1.L", 19: "finger2-1.L", 21: "finger1-2.L", 23: "upperleg01.L", 25: "lowerleg01.L"},
    **{27: "foot.L", 29: "foot.L", 31: "toe2-1.L"},
}
"""Joint that each of MediaPipe's body landmarks hangs on: the nose, and the left side of the others."""
MIRRORED = {2: 5, 7: 8, 9: 10, **{k: k + 1 for k in range(11, 33, 2)}}
FACE_LANDMARKS = 478
LEAST_HITS = 8
LEAST_VISIBILITY = 0.6
ROBUST_METRES = 0.03


@dataclass(frozen=True)
class MakeConfig:
    """How much to draw."""

    model_dir: Path | None = None
    """Where the detectors' files are looked for first."""
    output: Path = TABLE_PATH
    bodies: int = 240
    faces: int = 90
    samples: Path | None = None
    """Folder for a few of the pictures, to look at."""
    seed: int = 0


@dataclass(frozen=True)
class Picture:
    """A picture and what each pixel shows."""

    image: np.ndarray
    """[size, size, 3] uint8 RGB."""
    triangle: np.ndarray
    """[size, size]; -1 = background."""
    barycentric: np.ndarray
    """[size, size, 3]"""


def paint(body: CompactBody, random: np.random.Generator) -> np.ndarray:
    """[vertices, 3] linear colours of a person: skin, scalp, brows, lips, eyes, shirt, trousers, shoes."""
    rest = body.template_vertices.numpy()
    joints = dict(zip(body.joint_names, body.template_joints.numpy()))
    regions = {name: mask.numpy() for name, mask in body.regions.items()}
    dominant = np.array(body.joint_names)[body.skinning_weights.argmax(dim=1).numpy()]

    def on(*starts: str) -> np.ndarray:
        return np.array([name.startswith(starts) for name in dominant]) & ~regions["head"]

    skin = random.choice([[0.80, 0.60, 0.50], [0.62, 0.42, 0.32], [0.40, 0.25, 0.18], [0.86, 0.70, 0.62]])
    hair = random.choice([[0.05, 0.04, 0.03], [0.20, 0.12, 0.07], [0.45, 0.33, 0.18]])
    colours = np.tile(skin, (len(rest), 1))
    colours[on("spine", "clavicle", "shoulder", "upperarm", "breast")] = random.uniform(0.1, 0.9, 3)
    colours[on("pelvis", "upperleg", "lowerleg", "root")] = random.uniform(0.05, 0.6, 3)
    colours[on("foot", "toe")] = random.uniform(0.05, 0.4)
    top, front = rest[regions["head"], 2].max(), rest[regions["head"], 1].min()
    scalp = (rest[:, 2] > top - 0.055) | ((rest[:, 1] > front + 0.13) & (rest[:, 2] > top - 0.2))
    colours[regions["head"] & scalp] = hair
    lips = [i for i, name in enumerate(body.expression_names) if name.startswith("mouthRoll")]
    moved = body.expression_vertices[lips].sum(dim=0).norm(dim=1).numpy()
    colours[body.expression_index.numpy()[moved > 0.5 * moved.max()]] = skin * np.array([0.9, 0.6, 0.65])
    for side in "LR":
        eye = joints[f"eye.{side}"]
        offset = rest - eye
        brow = (np.abs(offset[:, 2] - 0.024) < 0.0045) & (np.abs(offset[:, 0]) < 0.024) & (offset[:, 1] < 0)
        colours[regions["head"] & brow] = hair
        iris = (np.hypot(offset[:, 0], offset[:, 2]) < 0.0065) & (offset[:, 1] < 0)
        colours[regions["eyes"] & (np.sign(rest[:, 0]) == np.sign(eye[0]))] = 0.95
        colours[regions["eyes"] & iris] = [0.12, 0.08, 0.05]
    colours[regions["mouth_interior"]] = [0.3, 0.05, 0.05]
    return colours


def draw(
    vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray, focal: float, size: int, random: np.random.Generator
) -> Picture:
    """Ray-cast vertices given in the camera's axes, with a soft light from above."""
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(vertices.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    v, u = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5, indexing="ij")
    rays = np.stack([(u - size / 2) / focal, (v - size / 2) / focal, np.ones_like(u)], axis=-1).astype(np.float32)
    hits = scene.cast_rays(o3d.core.Tensor(np.concatenate([np.zeros_like(rays), rays], axis=-1)))
    found = np.isfinite(hits["t_hit"].numpy())
    triangle = np.where(found, hits["primitive_ids"].numpy().astype(np.int64), -1)
    uv = hits["primitive_uvs"].numpy()
    barycentric = np.stack([1.0 - uv.sum(axis=-1), uv[..., 0], uv[..., 1]], axis=-1)
    corners = vertices[faces]
    weighted = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    np.add.at(normals, faces.ravel(), np.repeat(weighted, 3, axis=0))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12

    def read(values: np.ndarray) -> np.ndarray:
        return (values[faces[triangle]] * barycentric[..., None]).sum(axis=-2)

    light = np.array([random.uniform(-0.6, 0.6), -0.6, -0.8])
    shade = 0.4 + 0.6 * np.clip(read(normals) @ (light / np.linalg.norm(light)), 0.0, 1.0)
    linear = np.where(found[..., None], read(colours) * shade[..., None], random.uniform(0.2, 0.8, 3))
    return Picture((np.clip(linear, 0, 1) ** 0.75 * 255).astype(np.uint8), triangle, barycentric)


def view_rotation(yaw: float, pitch: float) -> np.ndarray:
    """Camera axes (rows) of a camera that looks along +Y, turned about the person by yaw and pitch."""
    level = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])
    turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    return nod @ level @ turn


def random_shape(body: CompactBody, random: np.random.Generator) -> torch.Tensor:
    return torch.from_numpy(random.normal(0.0, 0.8, len(body.shape_names))).float()


def body_points(body: CompactBody, config: MakeConfig, random: np.random.Generator) -> list[BodyPoint]:
    """Offsets that explain the body landmarks of random people in random poses, seen from all sides."""
    options = vision.PoseLandmarkerOptions(
        BaseOptions(model_asset_path=str(find_weight("mediapipe-pose", config.model_dir)))
    )
    detector = vision.PoseLandmarker.create_from_options(options)
    index = {k: body.joint_names.index(joint) for k, joint in BODY_JOINTS.items()}
    sided = {k: (k, False) for k in BODY_JOINTS} | {r: (k, True) for k, r in MIRRORED.items()}
    rows: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {k: [] for k in BODY_JOINTS}
    faces, size = body.faces.numpy(), 512
    mirror = np.array([-1.0, 1.0, 1.0])
    for number in tqdm(range(config.bodies), desc="bodies"):
        shaped = body.shaped(random_shape(body, random))
        pose = random_motion(random, body, np.linspace(0.0, 3.0, 4)).pose[int(random.integers(4))]
        yaw = random.uniform(-np.pi, np.pi) if number % 2 else random.uniform(-0.8, 0.8)
        pose = type(pose)(pose.joint_rotations, torch.zeros(3), torch.zeros(3), pose.gaze)
        rotation = view_rotation(yaw, random.uniform(-0.2, 0.15))
        vertices = body.skinned(shaped, pose).numpy() @ rotation.T
        depth = random.uniform(2.6, 4.0)
        moved = np.array([0.0, 0.0, depth]) - np.append((vertices.max(0) + vertices.min(0))[:2] / 2, 0.0)
        extent = np.ptp(vertices, axis=0)
        focal = size * 0.8 * depth / max(extent[0], extent[1])
        picture = draw(vertices + moved, faces, paint(body, random), focal, size, random)
        if config.samples and number < 8:
            cv2.imwrite(str(config.samples / f"body_{number}.png"), picture.image[..., ::-1])
        found = detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture.image)).pose_landmarks
        if not found:
            continue
        transforms = body.posed(shaped.joints, pose).posed_from_rest.numpy()
        for k, (left, flipped) in sided.items():
            if found[0][k].visibility < LEAST_VISIBILITY:
                continue
            joint = index[left]
            if flipped:
                joint = body.joint_names.index(mirrored_name(BODY_JOINTS[left]))
            turned = rotation @ transforms[joint, :3, :3]
            rest = shaped.joints[joint].numpy()
            at = rotation @ (transforms[joint, :3, :3] @ rest + transforms[joint, :3, 3]) + moved
            if flipped:
                turned = turned * mirror
            ray = (np.array([found[0][k].x, found[0][k].y]) * size - size / 2) / focal
            # (at + turned o) projects to ray: two rows in metres at the joint's depth.
            rows[left].append((turned[:2] - ray[:, None] * turned[2], ray * at[2] - at[:2]))
    return [point for k, joint in BODY_JOINTS.items() for point in _solved(k, joint, rows[k])]


def _solved(landmark: int, joint: str, rows: list[tuple[np.ndarray, np.ndarray]]) -> list[BodyPoint]:
    """Robust least squares for one offset; the point and its mirror image."""
    left, right = np.array([a for a, _ in rows]), np.array([b for _, b in rows])
    weight, offset, error = np.ones(len(left)), np.zeros(3), np.zeros(len(left))
    for _ in range(20):
        scaled = left * weight[:, None, None]
        offset = np.linalg.lstsq(scaled.reshape(-1, 3), (right * weight[:, None]).reshape(-1), rcond=None)[0]
        error = np.linalg.norm(left @ offset - right, axis=1)
        weight = 1.0 / np.sqrt(1.0 + (error / ROBUST_METRES) ** 2)
    if landmark not in MIRRORED:
        offset[0] = 0.0
    spread = round(float(np.median(error)), 4)
    gain = np.median(np.linalg.norm(right, axis=1))
    print(f"{landmark:3d} {joint:14s} offset mm {(1e3 * offset).round(0)} spread {1e3 * spread:.0f} ({1e3 * gain:.0f})")
    x, y, z = (round(float(value), 4) for value in offset)
    points = [BodyPoint(landmark, joint, (x, y, z), spread)]
    if landmark in MIRRORED:
        points.append(BodyPoint(MIRRORED[landmark], mirrored_name(joint), (-x, y, z), spread))
    return points


def face_points(body: CompactBody, config: MakeConfig, random: np.random.Generator) -> list[FacePoint]:
    """Points of the surface under the face landmarks of random people with random expressions."""
    options = vision.FaceLandmarkerOptions(
        BaseOptions(model_asset_path=str(find_weight("mediapipe-face", config.model_dir))),
        min_face_detection_confidence=0.2,
        min_face_presence_confidence=0.2,
    )
    detector = vision.FaceLandmarker.create_from_options(options)
    faces, rest, size = body.faces.numpy(), body.template_vertices.numpy(), 448
    eyes = [body.joint_names.index(f"eye.{side}") for side in "LR"]
    hits: list[list[np.ndarray]] = [[] for _ in range(FACE_LANDMARKS)]
    for number in tqdm(range(config.faces), desc="faces"):
        expression = torch.zeros(len(body.expression_names))
        if number % 2:
            chosen = random.choice(len(body.expression_names), 3)
            expression[chosen] = torch.from_numpy(random.uniform(0.0, 0.5, 3)).float()
        expression[body.expression_names.index("tongueOut")] = 0.0
        shaped = body.shaped(random_shape(body, random), expression)
        rotation = view_rotation(random.uniform(-0.45, 0.45), random.uniform(-0.25, 0.25))
        middle = shaped.joints[eyes].mean(dim=0).numpy() + np.array([0.0, 0.02, -0.03])
        vertices = (shaped.vertices.numpy() - middle) @ rotation.T + np.array([0.0, 0.0, 1.2])
        picture = draw(vertices, faces, paint(body, random), size * 1.2 / 0.38, size, random)
        if config.samples and number < 8:
            cv2.imwrite(str(config.samples / f"face_{number}.png"), picture.image[..., ::-1])
        found = detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture.image)).face_landmarks
        if not found:
            continue
        for k, landmark in enumerate(found[0]):
            column, row = (int(np.clip(value * size, 0, size - 1)) for value in (landmark.x, landmark.y))
            triangle = picture.triangle[row, column]
            if triangle >= 0:
                hits[k].append((rest[faces[triangle]] * picture.barycentric[row, column, :, None]).sum(axis=0))
    return _on_surface(hits, rest, faces)


def _on_surface(hits: list[list[np.ndarray]], rest: np.ndarray, faces: np.ndarray) -> list[FacePoint]:
    """Medians of the hits, made symmetric, brought back to the surface."""
    known = [k for k in range(FACE_LANDMARKS) if len(hits[k]) >= LEAST_HITS]
    middle = np.stack([np.median(hits[k], axis=0) for k in known])
    spread = np.array([np.median(np.linalg.norm(hits[k] - m, axis=1)) for k, m in zip(known, middle)])
    flipped = middle * [-1.0, 1.0, 1.0]
    distance = np.linalg.norm(middle[:, None] - flipped[None], axis=-1)
    partner = distance.argmin(axis=1)
    mutual = partner[partner] == np.arange(len(known))
    middle = np.where(mutual[:, None], 0.5 * (middle + flipped[partner]), middle)
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.core.Tensor(rest.astype(np.float32)), o3d.core.Tensor(faces.astype(np.uint32)))
    closest = scene.compute_closest_points(o3d.core.Tensor(middle.astype(np.float32)))
    triangles, uv = closest["primitive_ids"].numpy().astype(int), closest["primitive_uvs"].numpy()
    print(f"{len(known)} face landmarks, median spread {1e3 * np.median(spread):.1f} mm")
    points = []
    for k, triangle, (u, v), width in zip(known, triangles, uv, spread):
        a, b, c = (int(corner) for corner in faces[triangle])
        weights = tuple(round(float(value), 4) for value in (1.0 - u - v, u, v))
        points.append(FacePoint(k, (a, b, c), weights, round(float(width), 5)))
    return points


def main(config: MakeConfig) -> None:
    """Make the table."""
    if config.samples:
        config.samples.mkdir(parents=True, exist_ok=True)
    body = get_body_model("anny")
    random = np.random.default_rng(config.seed)
    face = face_points(body, config, random)
    points = body_points(body, config, random)
    Correspondences(tuple(sorted(points, key=lambda p: p.landmark)), tuple(face)).save(config.output)
    print(f"wrote {config.output}")


if __name__ == "__main__":
    main(tyro.cli(MakeConfig))
