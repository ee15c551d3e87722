"""Light from a person's surface and on the floor around it: a soft key light and sky light with occlusion."""

import cv2
import numpy as np

from lca_dataparsers.synthetic.environment import Environment
from lca_dataparsers.synthetic.light_samples import around_normals, interleaved, sequence, towards
from lca_dataparsers.synthetic.materials import shade_inputs
from lca_dataparsers.synthetic.person import EYE, HAIR, MOUTH, SKIN, Appearance
from lca_dataparsers.synthetic.scene import Hits, Scene, dot, unit

_SKY_RAYS, _KEY_RAYS = 3, 2
"""Rays per sample; with four samples a pixel gathers sky light from 12 directions. (8, and 4 towards the key light,
would be a sixth faster, and leave a weave on plain cloth.)"""
_KEY_REACH, _SKY_REACH = 4.0, 0.7
"""How far something can shade a person, metres."""
_FLOOR_KEY_REACH, _FLOOR_SKY_REACH, _FLOOR_RAYS = 5.0, 1.0, 2
"""The same for the floor, and its rays per point."""


def shade(
    person: Appearance,
    scene: Scene,
    environment: Environment,
    hits: Hits,
    view: np.ndarray,
    start: np.ndarray,
    sample: np.ndarray,
) -> np.ndarray:
    """Light [n, 3] from hit points towards the camera.

    Args:
        person: colours and patterns.
        scene: the posed person.
        environment: light.
        hits: n points on it.
        view: [n, 3] directions of the rays that found them.
        start: [n, 2] where each pixel's light sequence starts.
        sample: [n] number of the sample in its pixel.
    """
    facing = np.where(dot(hits.flat, view) > 0, np.float32(-1), np.float32(1))[:, None]
    flat, normals = hits.flat * facing, hits.normal * facing
    materials = scene.mesh.materials[hits.face]
    albedo, gloss = (values.astype(np.float32) for values in shade_inputs(person, materials, hits.paint))
    key = environment.key_direction.astype(np.float32)
    key_color, sky, ground = (
        color.astype(np.float32) for color in (environment.key_color, environment.sky, environment.ground)
    )

    raised = hits.point + flat * np.float32(0.002)
    lit = np.zeros(len(raised), np.float32)
    for ray in range(_KEY_RAYS):
        direction = towards(
            environment.key_direction, environment.key_radius, sequence(start, sample * _KEY_RAYS + ray)
        )
        lit += ~scene.occluded(raised, direction, _KEY_REACH)
    lit /= _KEY_RAYS
    bounced = np.where(materials == MOUTH, 0.5, 0.18)  # what comes back from nearby surfaces where the sky is hidden
    share, share_up = np.zeros(len(raised), np.float32), np.zeros(len(raised), np.float32)
    for ray in range(_SKY_RAYS):
        direction = around_normals(normals, sequence(start, sample * _SKY_RAYS + ray))
        open_sky = np.where(scene.occluded(raised, direction, _SKY_REACH), bounced, 1.0).astype(np.float32)
        share += open_sky
        share_up += open_sky * (0.5 + 0.5 * direction[:, 2])
    ambient = (share_up[:, None] * (sky - ground) + share[:, None] * ground) / _SKY_RAYS

    skin = (materials == SKIN)[:, None]
    wrap = np.where(
        skin, np.array([0.30, 0.14, 0.10], np.float32), np.float32(0.05)
    )  # skin's light reddens its shadows' edge
    cosine = np.clip(((normals @ key)[:, None] + wrap) / (1 + wrap), 0, None)
    through = np.float32(0.15) * skin
    direct = cosine * (lit[:, None] * (1 - through) + through)
    light = albedo * (key_color * direct + ambient)
    sharp = np.where(materials == EYE, 180.0, np.where(materials == HAIR, 14.0, 24.0)).astype(np.float32)
    shine = np.clip(dot(normals, unit(key - view)), 0, 1) ** sharp * gloss * lit
    edge = (1 - np.clip(-dot(normals, view), 0, 1)) ** 4 * gloss * np.float32(0.3)
    tint = np.where((materials == HAIR)[:, None], albedo * 2 + np.float32(0.05), np.float32(1.0))
    return light + tint * (shine[:, None] * (key_color * np.float32(0.6)) + edge[:, None] * (sky * np.float32(0.5)))


def floor_shadow(scene: Scene, environment: Environment, points: np.ndarray, on_floor: np.ndarray) -> np.ndarray:
    """Share of light that reaches the floor: the person's shadow and contact, found at half resolution; [h, w].

    Args:
        scene: the posed person.
        environment: light.
        points: [h, w, 3] the floor points that pixels see, metres.
        on_floor: [h, w] which pixels see the floor.
    """
    height, width = on_floor.shape
    small, seen = points[::2, ::2], on_floor[::2, ::2]
    rows, columns = np.divmod(np.arange(seen.size), seen.shape[1])
    start = interleaved(columns, rows)
    flat = (small + np.array([0, 0, 0.004])).reshape(-1, 3).astype(np.float32)
    light = np.ones(len(flat), np.float32)
    key = environment.key_color.mean() * max(environment.key_direction[2], 0.0)
    sky = environment.sky.mean()
    near = np.flatnonzero(seen.ravel() & (_outside(scene, flat) < _FLOOR_SKY_REACH))
    up = np.broadcast_to(np.array([0, 0, 1], np.float32), (len(near), 3))
    for ray in range(_FLOOR_RAYS if len(near) else 0):
        dark = scene.occluded(flat[near], around_normals(up, sequence(start[near], ray)), _FLOOR_SKY_REACH)
        light[near] -= dark * np.float32(sky / (key + sky) / _FLOOR_RAYS)
    near = np.flatnonzero(seen.ravel() & _may_be_shaded(scene, environment, flat))
    for ray in range(_FLOOR_RAYS if len(near) else 0):
        to_key = towards(environment.key_direction, environment.key_radius, sequence(start[near], ray))
        dark = scene.occluded(flat[near], to_key, _FLOOR_KEY_REACH)
        light[near] -= dark * np.float32(key / (key + sky) / _FLOOR_RAYS)
    blurred = cv2.GaussianBlur(light.reshape(small.shape[:2]), (5, 5), 1.0)
    return np.where(on_floor, cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), 1.0)


def _outside(scene: Scene, points: np.ndarray) -> np.ndarray:
    """Distance of floor points from the person's bounding box, seen from above, metres; [n]."""
    beyond = np.maximum(np.maximum(scene.low[:2] - points[:, :2], points[:, :2] - scene.high[:2]), 0)
    return np.hypot(beyond[:, 0], beyond[:, 1])


def _may_be_shaded(scene: Scene, environment: Environment, points: np.ndarray) -> np.ndarray:
    """Floor points from which some direction to the key light meets the ball around the person, [n] bool."""
    middle, radius = (scene.low + scene.high) / 2, np.linalg.norm(scene.high - scene.low) / 2
    offset = middle - points
    distance = np.sqrt(dot(offset, offset))
    away = np.arccos(np.clip(offset @ environment.key_direction / np.maximum(distance, 1e-6), -1, 1))
    ball = np.arcsin(np.clip(radius / np.maximum(distance, radius), 0, 1))
    return (away < ball + 1.05 * environment.key_radius) & (distance < _FLOOR_KEY_REACH + radius)
