"""Ray casting of a posed person with Embree: soft key light, sky light with occlusion, exact coverage masks."""

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from lca_dataparsers.synthetic.environment import Environment, surroundings
from lca_dataparsers.synthetic.layers import vertex_normals
from lca_dataparsers.synthetic.materials import shade_inputs
from lca_dataparsers.synthetic.palette import encoded
from lca_dataparsers.synthetic.person import EYE, HAIR, SKIN, Appearance, PersonMesh
from lca_shared.cameras import Cameras

_SAMPLES = np.array([[0.375, 0.125], [0.875, 0.375], [0.625, 0.875], [0.125, 0.625]])
"""Rotated grid of samples in a pixel."""


@dataclass(frozen=True)
class Picture:
    """A rendered picture."""

    image: np.ndarray
    """uint8 [h, w, 3] sRGB."""
    mask: np.ndarray
    """uint8 [h, w] coverage, 255 = person."""
    face_pixels: float
    """Pixels in which skin of the face is seen."""


def render(
    person: Appearance,
    mesh: PersonMesh,
    vertices: np.ndarray,
    camera: Cameras,
    environment: Environment,
    random: np.random.Generator,
) -> Picture:
    """Render one picture.

    Args:
        person: colours and patterns.
        mesh: faces, materials and paint.
        vertices: [vertices, 3] posed, metres, world.
        camera: one camera (no batch axes).
        environment: light and background.
        random: for light samples.
    """
    width, height = camera.width, camera.height
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    scene.add_triangles(
        o3d.core.Tensor(np.ascontiguousarray(vertices, np.float32)), o3d.core.Tensor(mesh.faces.astype(np.uint32))
    )
    origin, to_world = _camera_frame(camera)
    rows, columns = np.divmod(np.arange(width * height), width)
    centers = _directions(camera, to_world, columns + 0.5, rows + 0.5)
    background, floor_points, on_floor = surroundings(environment, origin, centers)
    background = background * _floor_shadow(scene, environment, floor_points, on_floor, vertices, random)[:, None]

    left, top, right, bottom = _bounds(camera, vertices)
    box = np.flatnonzero((columns >= left) & (columns < right) & (rows >= top) & (rows < bottom))
    light = background.copy()
    coverage = np.zeros(width * height)
    face_pixels = 0.0
    if len(box):
        pixel = np.repeat(box, len(_SAMPLES))
        offset = np.tile(_SAMPLES, (len(box), 1))
        directions = _directions(camera, to_world, columns[pixel] + offset[:, 0], rows[pixel] + offset[:, 1])
        rays = np.concatenate([np.broadcast_to(origin, directions.shape), directions], axis=1).astype(np.float32)
        result = scene.cast_rays(o3d.core.Tensor(rays), nthreads=1)
        hit = np.isfinite(result["t_hit"].numpy())
        faces = result["primitive_ids"].numpy()[hit].astype(np.int64)
        uv = result["primitive_uvs"].numpy()[hit].astype(np.float64)
        face_pixels = float(mesh.face_region[faces].sum()) / len(_SAMPLES)
        shaded = _shade(person, mesh, vertices, scene, environment, directions[hit], faces, uv, random)
        share = np.bincount(pixel[hit], minlength=width * height) / len(_SAMPLES)
        total = np.stack([np.bincount(pixel[hit], shaded[:, k], width * height) for k in range(3)], axis=-1)
        coverage = share
        light = background * (1 - share)[:, None] + total / len(_SAMPLES)
    grain = random.normal(0.0, 0.004, light.shape)
    image = np.clip((encoded(light) + grain) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    mask = np.clip(coverage * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return Picture(image.reshape(height, width, 3), mask.reshape(height, width), face_pixels)


def _shade(
    person: Appearance,
    mesh: PersonMesh,
    vertices: np.ndarray,
    scene: o3d.t.geometry.RaycastingScene,
    environment: Environment,
    view: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Light [n, 3] from hit points towards the camera."""
    corners = mesh.faces[faces]
    shares = np.stack([1 - uv[:, 0] - uv[:, 1], uv[:, 0], uv[:, 1]], axis=-1)[:, :, None]
    points = (vertices[corners] * shares).sum(axis=1)
    normals = (vertex_normals(vertices, mesh.faces)[corners] * shares).sum(axis=1)
    flat = np.cross(
        vertices[corners[:, 1]] - vertices[corners[:, 0]], vertices[corners[:, 2]] - vertices[corners[:, 0]]
    )
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
    facing = np.where((flat * view).sum(axis=1, keepdims=True) > 0, -1.0, 1.0)
    flat, normals = flat * facing, normals * facing
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    materials = mesh.materials[faces]
    albedo, gloss = shade_inputs(person, materials, (mesh.paint[corners] * shares).sum(axis=1))

    start = points + flat * 0.002
    key = _jittered(environment.key_direction, environment.key_radius, len(points), random)
    lit = ~_occluded(scene, start, key, 4.0)
    cosine = (normals * key).sum(axis=1)
    skin = (materials == SKIN)[:, None]
    wrap = np.where(skin, np.array([0.30, 0.14, 0.10]), 0.05)  # light that skin lets through reddens its shadows' edge
    direct = np.clip((cosine[:, None] + wrap) / (1 + wrap), 0, None) * (lit[:, None] * (1 - 0.15 * skin) + 0.15 * skin)
    sky_direction = _around_normals(normals, random)
    open_sky = ~_occluded(scene, start, sky_direction, 0.7)
    up = 0.5 + 0.5 * sky_direction[:, 2:3]
    ambient = (environment.sky * up + environment.ground * (1 - up)) * (0.18 + 0.82 * open_sky[:, None])
    light = albedo * (environment.key_color * direct + ambient)
    half = key - view
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    sharp = np.where(materials == EYE, 180.0, np.where(materials == HAIR, 14.0, 24.0))
    shine = np.clip((normals * half).sum(axis=1), 0, 1) ** sharp * gloss * lit
    edge = (1 - np.clip(-(normals * view).sum(axis=1), 0, 1)) ** 4 * gloss * 0.3
    tint = np.where((materials == HAIR)[:, None], albedo * 2 + 0.05, 1.0)
    return light + tint * (environment.key_color * shine[:, None] * 0.6 + environment.sky * edge[:, None] * 0.5)


def _floor_shadow(
    scene: o3d.t.geometry.RaycastingScene,
    environment: Environment,
    points: np.ndarray,
    on_floor: np.ndarray,
    vertices: np.ndarray,
    random: np.random.Generator,
) -> np.ndarray:
    """Share of light that reaches what the background rays see: the person's shadow and contact on the floor."""
    light = np.ones(len(points))
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    near = np.flatnonzero(on_floor & (np.linalg.norm(points[:, :2] - middle[:2], axis=1) < 3.5))
    if not len(near):
        return light
    start = points[near] + np.array([0, 0, 0.004])
    up = np.tile(np.array([0.0, 0.0, 1.0]), (len(near), 1))
    dark, contact = np.zeros(len(near)), np.zeros(len(near))
    for _ in range(2):
        dark += (
            _occluded(
                scene, start, _jittered(environment.key_direction, environment.key_radius, len(near), random), 5.0
            )
            / 2
        )
        contact += _occluded(scene, start, _around_normals(up, random), 1.0) / 2
    key = environment.key_color.mean() * max(environment.key_direction[2], 0.0)
    sky = environment.sky.mean()
    light[near] = 1 - (dark * key + contact * sky) / (key + sky)
    return light


def _camera_frame(camera: Cameras) -> tuple[np.ndarray, np.ndarray]:
    world_from_camera = np.linalg.inv(camera.camera_from_world.double().numpy())
    return world_from_camera[:3, 3], world_from_camera[:3, :3]


def _directions(camera: Cameras, to_world: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    intrinsics = camera.intrinsics.double().numpy()
    local = np.stack(
        [(x - intrinsics[0, 2]) / intrinsics[0, 0], (y - intrinsics[1, 2]) / intrinsics[1, 1], np.ones_like(x)], axis=-1
    )
    directions = local @ to_world.T
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def _bounds(camera: Cameras, vertices: np.ndarray) -> tuple[int, int, int, int]:
    matrix = camera.camera_from_world.double().numpy()
    points = vertices @ matrix[:3, :3].T + matrix[:3, 3]
    if points[:, 2].min() < 0.05:
        return 0, 0, camera.width, camera.height
    pixels = points @ camera.intrinsics.double().numpy().T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low, high = np.floor(pixels.min(axis=0)).astype(int) - 1, np.ceil(pixels.max(axis=0)).astype(int) + 1
    return max(low[0], 0), max(low[1], 0), min(high[0], camera.width), min(high[1], camera.height)


def _occluded(
    scene: o3d.t.geometry.RaycastingScene, start: np.ndarray, directions: np.ndarray, far: float
) -> np.ndarray:
    rays = np.concatenate([start, directions], axis=1).astype(np.float32)
    return scene.test_occlusions(o3d.core.Tensor(rays), tnear=0.0, tfar=far, nthreads=1).numpy()


def _jittered(direction: np.ndarray, radius: float, count: int, random: np.random.Generator) -> np.ndarray:
    jittered = direction + random.normal(0.0, radius * 0.5, (count, 3))
    return jittered / np.linalg.norm(jittered, axis=1, keepdims=True)


def _around_normals(normals: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Directions about normals with cosine density."""
    sphere = random.normal(size=normals.shape)
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    directions = normals + sphere * 0.999
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)
