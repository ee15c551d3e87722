"""Pictures of a posed person by ray casting, with exact coverage masks."""

from dataclasses import dataclass

import numpy as np

from lca_dataparsers.synthetic.environment import Environment, surroundings
from lca_dataparsers.synthetic.light_samples import interleaved
from lca_dataparsers.synthetic.light_stage import BACKDROP, StageLight, shade_on_stage
from lca_dataparsers.synthetic.palette import encoded
from lca_dataparsers.synthetic.person import Appearance
from lca_dataparsers.synthetic.scene import Scene, unit
from lca_dataparsers.synthetic.shading import floor_shadow, shade
from lca_shared.cameras import Cameras

SAMPLES = np.array([[0.375, 0.125], [0.875, 0.375], [0.625, 0.875], [0.125, 0.625]])
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
    garment: np.ndarray
    """uint8 [h, w] coverage of the loose garment, 255 = garment."""


def render(
    person: Appearance,
    scene: Scene,
    camera: Cameras,
    environment: Environment,
    random: np.random.Generator,
    stage: StageLight | None = None,
) -> Picture:
    """Render one picture.

    Args:
        person: colours and patterns.
        scene: the posed person.
        camera: one camera (no batch axes).
        environment: light and background.
        random: for grain.
        stage: lights of a light stage, in place of the environment.
    """
    width, height = camera.width, camera.height
    origin, to_world = _camera_frame(camera)
    rows, columns = np.divmod(np.arange(width * height), width)
    centers = _directions(camera, to_world, columns + 0.5, rows + 0.5)
    if stage is not None:
        background, on_floor = np.full((width * height, 3), BACKDROP), np.zeros(width * height, bool)
    else:
        background, floor_points, on_floor = surroundings(environment, origin, centers)
    if stage is None and on_floor.any():
        shape = (height, width)
        shadow = floor_shadow(scene, environment, floor_points.reshape(*shape, 3), on_floor.reshape(shape))
        background *= shadow.reshape(-1, 1)

    left, top, right, bottom = _bounds(camera, scene)
    box = np.flatnonzero((columns >= left) & (columns < right) & (rows >= top) & (rows < bottom))
    light, coverage, face_pixels = background, np.zeros(width * height), 0.0
    garment: np.ndarray = np.zeros(width * height)
    if len(box):
        pixel = np.repeat(box, len(SAMPLES))
        sample = np.tile(np.arange(len(SAMPLES)), len(box))
        offset = SAMPLES[sample]
        directions = _directions(camera, to_world, columns[pixel] + offset[:, 0], rows[pixel] + offset[:, 1])
        hit, hits = scene.first_hits(origin, directions)
        pixel, sample = pixel[hit], sample[hit]
        face_pixels = float(scene.mesh.face_region[hits.face].sum()) / len(SAMPLES)
        if stage is not None:
            shaded = shade_on_stage(person, scene, stage, hits, directions[hit])
        else:
            start = interleaved(columns[pixel], rows[pixel])
            shaded = shade(person, scene, environment, hits, directions[hit], start, sample)
        coverage = np.bincount(pixel, minlength=width * height) / len(SAMPLES)
        garment = np.bincount(pixel[scene.mesh.loose[hits.face]], minlength=width * height) / len(SAMPLES)
        total = np.stack([np.bincount(pixel, shaded[:, k], width * height) for k in range(3)], axis=-1)
        light = background * (1 - coverage)[:, None] + total / len(SAMPLES)
    grain = 0.003 * random.standard_normal(light.shape, np.float32)
    image = np.clip((encoded(light.astype(np.float32)) + grain) * 255.0 + 0.5, 0, 255).astype(np.uint8)
    mask, cloth = (np.clip(part * 255.0 + 0.5, 0, 255).astype(np.uint8) for part in (coverage, garment))
    return Picture(
        image.reshape(height, width, 3), mask.reshape(height, width), face_pixels, cloth.reshape(height, width)
    )


def _camera_frame(camera: Cameras) -> tuple[np.ndarray, np.ndarray]:
    world_from_camera = np.linalg.inv(camera.camera_from_world.double().numpy())
    return world_from_camera[:3, 3], world_from_camera[:3, :3]


def _directions(camera: Cameras, to_world: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Unit vectors [n, 3] (float32) in the world under pixel positions ``x`` and ``y`` [n]."""
    intrinsics = camera.intrinsics.double().numpy()
    across, down = (x - intrinsics[0, 2]) / intrinsics[0, 0], (y - intrinsics[1, 2]) / intrinsics[1, 1]
    ahead = np.stack([across, down, np.ones_like(across)], axis=-1)
    return unit((ahead @ to_world.T).astype(np.float32))


def _bounds(camera: Cameras, scene: Scene) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the person in the picture, pixels."""
    matrix = camera.camera_from_world.numpy()
    points = scene.vertices[scene.mesh.used] @ matrix[:3, :3].T + matrix[:3, 3]
    if points[:, 2].min() < 0.05:
        return 0, 0, camera.width, camera.height
    pixels = points @ camera.intrinsics.numpy().T
    pixels = pixels[:, :2] / pixels[:, 2:]
    left, top = np.floor(pixels.min(axis=0)).astype(int).tolist()
    right, bottom = np.ceil(pixels.max(axis=0)).astype(int).tolist()
    return max(left - 1, 0), max(top - 1, 0), min(right + 1, camera.width), min(bottom + 1, camera.height)
