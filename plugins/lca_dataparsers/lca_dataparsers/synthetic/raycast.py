"""Ray casting of a posed person with Embree: soft key light, sky light with occlusion, exact coverage masks."""

from dataclasses import dataclass

import cv2
import numpy as np
import open3d as o3d

from lca_dataparsers.synthetic.environment import Environment, surroundings
from lca_dataparsers.synthetic.layers import vertex_normals
from lca_dataparsers.synthetic.materials import shade_inputs
from lca_dataparsers.synthetic.palette import encoded
from lca_dataparsers.synthetic.person import EYE, HAIR, MOUTH, SKIN, Appearance, PersonMesh
from lca_shared.cameras import Cameras

_SAMPLES = np.array([[0.375, 0.125], [0.875, 0.375], [0.625, 0.875], [0.125, 0.625]])
"""Rotated grid of samples in a pixel."""
_SKY_RAYS, _KEY_RAYS = 3, 2
"""Rays per sample; with four samples a pixel gathers sky light from 12 directions."""
_SPREAD = np.array([0.7548776662466927, 0.5698402909980532])
"""Steps of the additive sequence in two dimensions that spreads most evenly (M. Roberts' R2)."""


@dataclass(frozen=True)
class Picture:
    """A rendered picture."""

    image: np.ndarray
    """uint8 [h, w, 3] sRGB."""
    mask: np.ndarray
    """uint8 [h, w] coverage, 255 = person."""
    face_pixels: float
    """Pixels in which skin of the face is seen."""


class Scene:
    """A posed person ready for rays.

    Args:
        mesh: faces, materials and paint.
        vertices: [vertices, 3] posed, metres, world.
    """

    def __init__(self, mesh: PersonMesh, vertices: np.ndarray) -> None:
        self.mesh, self.vertices = mesh, vertices.astype(np.float64)
        self.normals = vertex_normals(self.vertices, mesh.faces)
        self._embree = o3d.t.geometry.RaycastingScene(nthreads=1)
        self._embree.add_triangles(
            o3d.core.Tensor.from_numpy(np.ascontiguousarray(vertices, np.float32)),
            o3d.core.Tensor.from_numpy(mesh.faces.astype(np.uint32)),
        )

    def first_hits(self, origin: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which rays hit [n] bool; and for those that do, the face and the weights [hits, 3] of its corners."""
        rays = np.concatenate([np.broadcast_to(origin, directions.shape), directions], axis=1).astype(np.float32)
        result = self._embree.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)
        hit = np.isfinite(result["t_hit"].numpy())
        uv = result["primitive_uvs"].numpy()[hit].astype(np.float64)
        faces = result["primitive_ids"].numpy()[hit].astype(np.int64)
        return hit, faces, np.stack([1 - uv[:, 0] - uv[:, 1], uv[:, 0], uv[:, 1]], axis=-1)

    def occluded(self, start: np.ndarray, directions: np.ndarray, far: float) -> np.ndarray:
        """Which rays meet something nearer than ``far`` metres, [n] bool."""
        rays = np.concatenate([start, directions], axis=1).astype(np.float32)
        return self._embree.test_occlusions(o3d.core.Tensor.from_numpy(rays), tnear=0.0, tfar=far, nthreads=1).numpy()


def render(
    person: Appearance, scene: Scene, camera: Cameras, environment: Environment, random: np.random.Generator
) -> Picture:
    """Render one picture.

    Args:
        person: colours and patterns.
        scene: the posed person.
        camera: one camera (no batch axes).
        environment: light and background.
        random: for light samples and grain.
    """
    width, height = camera.width, camera.height
    origin, to_world = _camera_frame(camera)
    rows, columns = np.divmod(np.arange(width * height), width)
    centers = _directions(camera, to_world, columns + 0.5, rows + 0.5)
    background, floor_points, on_floor = surroundings(environment, origin, centers)
    if on_floor.any():
        shape = (height, width)
        shadow = _floor_shadow(scene, environment, floor_points.reshape(*shape, 3), on_floor.reshape(shape), random)
        background *= shadow.reshape(-1, 1)

    left, top, right, bottom = _bounds(camera, scene.vertices)
    box = np.flatnonzero((columns >= left) & (columns < right) & (rows >= top) & (rows < bottom))
    light, coverage, face_pixels = background, np.zeros(width * height), 0.0
    if len(box):
        pixel = np.repeat(box, len(_SAMPLES))
        sample = np.tile(np.arange(len(_SAMPLES)), len(box))
        offset = _SAMPLES[sample]
        directions = _directions(camera, to_world, columns[pixel] + offset[:, 0], rows[pixel] + offset[:, 1])
        hit, faces, weights = scene.first_hits(origin, directions)
        pixel, sample = pixel[hit], sample[hit]
        face_pixels = float(scene.mesh.face_region[faces].sum()) / len(_SAMPLES)
        start = _interleaved(columns[pixel], rows[pixel])
        shaded = _shade(person, scene, environment, directions[hit], faces, weights, start, sample)
        coverage = np.bincount(pixel, minlength=width * height) / len(_SAMPLES)
        total = np.stack([np.bincount(pixel, shaded[:, k], width * height) for k in range(3)], axis=-1)
        light = background * (1 - coverage)[:, None] + total / len(_SAMPLES)
    grain = random.normal(0.0, 0.003, light.shape)
    image = np.clip((encoded(light) + grain) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    mask = np.clip(coverage * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return Picture(image.reshape(height, width, 3), mask.reshape(height, width), face_pixels)


def _shade(
    person: Appearance,
    scene: Scene,
    environment: Environment,
    view: np.ndarray,
    faces: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    sample: np.ndarray,
) -> np.ndarray:
    """Light [n, 3] from hit points towards the camera.

    Args:
        person, scene, environment: as in :func:`render`.
        view: [n, 3] directions of the rays.
        faces: [n] faces that were hit.
        weights: [n, 3] of their corners.
        start: [n, 2] where each pixel's light sequence starts.
        sample: [n] number of the sample in its pixel.
    """
    mesh, corners = scene.mesh, scene.mesh.faces[faces]
    triangles, shares = scene.vertices[corners], weights[:, :, None]
    points = (triangles * shares).sum(axis=1)
    flat = _unit(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]))
    facing = np.where((flat * view).sum(axis=1, keepdims=True) > 0, -1.0, 1.0)
    flat, normals = flat * facing, _unit((scene.normals[corners] * shares).sum(axis=1)) * facing
    materials = mesh.materials[faces]
    albedo, gloss = shade_inputs(person, materials, (mesh.paint[corners] * shares).sum(axis=1))

    raised = points + flat * 0.002
    lit, ambient = np.zeros(len(points)), np.zeros((len(points), 3))
    for ray in range(_KEY_RAYS):
        square = _sequence(start, sample * _KEY_RAYS + ray)
        lit += ~scene.occluded(raised, _towards(environment.key_direction, environment.key_radius, square), 4.0)
    lit /= _KEY_RAYS
    bounced = np.where(materials == MOUTH, 0.5, 0.18)  # what comes back from nearby surfaces where the sky is hidden
    for ray in range(_SKY_RAYS):
        direction = _around_normals(normals, _sequence(start, sample * _SKY_RAYS + ray))
        open_sky = ~scene.occluded(raised, direction, 0.7)
        up = 0.5 + 0.5 * direction[:, 2:3]
        glow = environment.sky * up + environment.ground * (1 - up)
        ambient += glow * np.where(open_sky, 1.0, bounced)[:, None] / _SKY_RAYS
    key = environment.key_direction
    skin = (materials == SKIN)[:, None]
    wrap = np.where(skin, np.array([0.30, 0.14, 0.10]), 0.05)  # light that skin lets through reddens its shadows' edge
    cosine = np.clip(((normals @ key)[:, None] + wrap) / (1 + wrap), 0, None)
    direct = cosine * (lit[:, None] * (1 - 0.15 * skin) + 0.15 * skin)
    light = albedo * (environment.key_color * direct + ambient)
    half = _unit(key - view)
    sharp = np.where(materials == EYE, 180.0, np.where(materials == HAIR, 14.0, 24.0))
    shine = np.clip((normals * half).sum(axis=1), 0, 1) ** sharp * gloss * lit
    edge = (1 - np.clip(-(normals * view).sum(axis=1), 0, 1)) ** 4 * gloss * 0.3
    tint = np.where((materials == HAIR)[:, None], albedo * 2 + 0.05, 1.0)
    return light + tint * (environment.key_color * shine[:, None] * 0.6 + environment.sky * edge[:, None] * 0.5)


def _floor_shadow(
    scene: Scene, environment: Environment, points: np.ndarray, on_floor: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Share of light that reaches the floor: the person's shadow and contact, found at half resolution; [h, w]."""
    height, width = on_floor.shape
    small = points[::2, ::2]
    flat = small.reshape(-1, 3)
    middle = (scene.vertices.min(axis=0) + scene.vertices.max(axis=0)) / 2
    near = np.flatnonzero(on_floor[::2, ::2].ravel() & (np.linalg.norm(flat[:, :2] - middle[:2], axis=1) < 3.5))
    light = np.ones(len(flat))
    if len(near):
        raised = flat[near] + np.array([0, 0, 0.004])
        up = np.tile(np.array([0.0, 0.0, 1.0]), (len(near), 1))
        key = environment.key_color.mean() * max(environment.key_direction[2], 0.0)
        sky = environment.sky.mean()
        start, rays = random.random((len(near), 2)), 4
        dark = np.zeros(len(near))
        for ray in range(rays):
            square = _sequence(start, np.full(len(near), ray))
            to_key = _towards(environment.key_direction, environment.key_radius, square)
            dark += scene.occluded(raised, to_key, 5.0) * key / rays
            dark += scene.occluded(raised, _around_normals(up, square), 1.0) * sky / rays
        light[near] = 1 - dark / (key + sky)
    blurred = cv2.GaussianBlur(light.reshape(small.shape[:2]), (5, 5), 1.0)
    return np.where(on_floor, cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), 1.0)


def _camera_frame(camera: Cameras) -> tuple[np.ndarray, np.ndarray]:
    world_from_camera = np.linalg.inv(camera.camera_from_world.double().numpy())
    return world_from_camera[:3, 3], world_from_camera[:3, :3]


def _directions(camera: Cameras, to_world: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    intrinsics = camera.intrinsics.double().numpy()
    across, down = (x - intrinsics[0, 2]) / intrinsics[0, 0], (y - intrinsics[1, 2]) / intrinsics[1, 1]
    return _unit(np.stack([across, down, np.ones_like(across)], axis=-1) @ to_world.T)


def _bounds(camera: Cameras, vertices: np.ndarray) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the person in the picture, pixels."""
    matrix = camera.camera_from_world.double().numpy()
    points = vertices @ matrix[:3, :3].T + matrix[:3, 3]
    if points[:, 2].min() < 0.05:
        return 0, 0, camera.width, camera.height
    pixels = points @ camera.intrinsics.double().numpy().T
    pixels = pixels[:, :2] / pixels[:, 2:]
    left, top = np.floor(pixels.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int).tolist()
    return max(left - 1, 0), max(top - 1, 0), min(right + 1, camera.width), min(bottom + 1, camera.height)


def _interleaved(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two numbers per pixel that differ strongly between neighbours (Jimenez' interleaved gradient noise), [n, 2]."""
    first = np.mod(52.9829189 * np.mod(0.06711056 * x + 0.00583715 * y, 1.0), 1.0)
    second = np.mod(52.9829189 * np.mod(0.06711056 * (y + 17.0) + 0.00583715 * (x + 5.0), 1.0), 1.0)
    return np.stack([first, second], axis=-1)


def _sequence(start: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Element ``index`` [n] of evenly spread sequences in the unit square that begin at ``start`` [n, 2]."""
    return np.mod(start + index[:, None] * _SPREAD, 1.0)


def _towards(direction: np.ndarray, radius: float, square: np.ndarray) -> np.ndarray:
    """Directions on a disc of angular ``radius`` around ``direction``, [n, 3], from points of the unit square."""
    side = _unit(np.cross(direction, np.array([0.3, 0.5, 0.8])))
    over = np.cross(direction, side)
    distance, angle = radius * np.sqrt(square[:, :1]), 2 * np.pi * square[:, 1:]
    return _unit(direction + distance * (np.cos(angle) * side + np.sin(angle) * over))


def _around_normals(normals: np.ndarray, square: np.ndarray) -> np.ndarray:
    """Directions about ``normals`` [n, 3] with cosine density, from points of the unit square."""
    height, angle = 1 - 2 * square[:, 0], 2 * np.pi * square[:, 1]
    flat = np.sqrt(np.clip(1 - height * height, 0, 1))
    sphere = np.stack([flat * np.cos(angle), flat * np.sin(angle), height], axis=-1)
    return _unit(normals + 0.999 * sphere)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True)), 1e-12)
