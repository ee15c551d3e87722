"""Hair that stands off the head: a grid of meridians from the crown to their tips, and a bun or a tail."""

from dataclasses import dataclass

import numpy as np
import open3d as o3d

from lca_dataparsers.synthetic.body_fields import BodyFields, smoothstep
from lca_dataparsers.synthetic.garments import grid_faces
from lca_dataparsers.synthetic.layers import Layer
from lca_dataparsers.synthetic.noise import lattice_noise


@dataclass(frozen=True)
class HairStyle:
    """Lengths are metres; elevations are radians seen from the middle of the head (0 = level, up positive)."""

    name: str
    volume: float
    """Distance of the hair's surface from the scalp at the crown."""
    front: float
    """Elevation where hair ends above the face."""
    side: float
    """Elevation where it ends at the sides."""
    back: float
    """Elevation where it ends behind."""
    drop: float = 0.0
    """How far it hangs below the level of the ears."""
    curl: float = 0.0
    """Size of curls on the surface."""
    parting: float = 0.0
    """Azimuth shift of the parting, radians."""
    extra: str = ""
    """``bun``, ``tail`` or nothing."""


STYLES: dict[str, HairStyle] = {
    "buzz": HairStyle("buzz", 0.006, 0.86, 0.30, -0.42),
    "short": HairStyle("short", 0.022, 0.80, 0.12, -0.50),
    "side_part": HairStyle("side_part", 0.030, 0.72, 0.05, -0.50, parting=0.5),
    "quiff": HairStyle("quiff", 0.042, 0.84, 0.16, -0.45),
    "fringe": HairStyle("fringe", 0.026, 0.42, -0.25, -0.65),
    "bob": HairStyle("bob", 0.028, 0.70, -0.2, -0.2, drop=0.13),
    "bob_fringe": HairStyle("bob_fringe", 0.028, 0.40, -0.2, -0.2, drop=0.11),
    "long": HairStyle("long", 0.026, 0.74, -0.2, -0.2, drop=0.30, parting=0.15),
    "wavy": HairStyle("wavy", 0.036, 0.70, -0.2, -0.2, drop=0.25, curl=0.008, parting=-0.4),
    "afro": HairStyle("afro", 0.085, 0.72, -0.12, -0.55, curl=0.012),
    "curly": HairStyle("curly", 0.045, 0.70, -0.05, -0.55, curl=0.010),
    "bun": HairStyle("bun", 0.012, 0.80, 0.10, -0.45, extra="bun"),
    "tail": HairStyle("tail", 0.012, 0.80, 0.10, -0.45, extra="tail"),
}
"""Hair styles by name; ``bald`` has none."""


def end_elevation(style: HairStyle, azimuth: np.ndarray) -> np.ndarray:
    """Elevation where the hair ends; azimuth 0 = the face's direction, +-pi = the back."""
    angle = np.abs(azimuth)
    to_side = smoothstep(0.65, 1.15, angle)
    to_back = smoothstep(1.75, 2.4, angle)
    return style.front * (1 - to_side) + style.side * (to_side - to_back) + style.back * to_back


def head_center(fields: BodyFields) -> np.ndarray:
    """Middle of the skull in template space: between the ears, behind the eyes."""
    eyes = (fields.joints["eye.L"] + fields.joints["eye.R"]) / 2
    return eyes + np.array([0.0, 0.075, 0.02])


def hair_angles(fields: BodyFields, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth and elevation of template positions [n, 3] seen from the middle of the head."""
    direction = position - head_center(fields)
    azimuth = np.arctan2(direction[:, 0], -direction[:, 1])
    return azimuth, np.arctan2(direction[:, 2], np.hypot(direction[:, 0], direction[:, 1]))


def hair_layers(
    style: HairStyle, fields: BodyFields, skin: np.ndarray, seed: int, around: int = 160, along: int = 40
) -> list[Layer]:
    """The hair of one person around ``skin`` [vertices, 3], the neutral rest surface.

    Paint of the vertices: azimuth as a fraction of the circle, distance from the crown (metres), share of the length
    (0 crown, 1 tip), strand noise.
    """
    center = head_center(fields) + _mean_shift(fields, skin)
    azimuth = np.linspace(-np.pi, np.pi, around + 1)
    strand = _periodic_noise(azimuth, 36, seed) * 0.6 + _periodic_noise(azimuth, 80, seed + 1) * 0.4
    end = end_elevation(style, azimuth) + 0.06 * strand + 0.05 * np.abs(_periodic_noise(azimuth, 60, seed + 2))
    share = np.linspace(0.0, 1.0, along) ** 0.9
    hangs = style.drop > 0
    fold = np.maximum(end, -0.05) if hangs else end  # where the grid leaves the skull and hangs
    behind = smoothstep(0.75, 1.25, np.abs(azimuth))
    drop = style.drop * behind * (1 + 0.12 * strand) if hangs else np.zeros_like(azimuth)
    skull_length = (np.pi / 2 - fold) * 0.11
    skull_share = np.where(drop > 0, skull_length / (skull_length + drop), 1.0)
    on_skull = np.minimum(share[:, None] / skull_share[None], 1.0)
    elevation = np.pi / 2 - (np.pi / 2 - 0.001 - fold[None]) * on_skull
    hang = np.clip(share[:, None] - skull_share[None], 0.0, None) / np.maximum(1 - skull_share[None], 1e-6) * drop[None]
    direction = np.stack(
        [
            np.sin(azimuth)[None] * np.cos(elevation),
            -np.cos(azimuth)[None] * np.cos(elevation),
            np.sin(elevation),
        ],
        axis=-1,
    )
    radius = _skull_radius(fields, skin, center, direction.reshape(-1, 3)).reshape(elevation.shape)
    to_tip = np.broadcast_to(1.0 - share[:, None], elevation.shape)
    if hangs:
        root = np.ones_like(elevation)
    else:  # short hair lies closer to the sides and thins out towards the nape
        full = 1.0 if style.name in ("afro", "curly") else 0.5
        root = smoothstep(0.0, 0.6, to_tip) * (full + (1 - full) * smoothstep(-0.2, 0.9, elevation))
    frontal = 1 - smoothstep(0.5, 1.0, np.abs(azimuth))[None]
    if style.front < 0.5:  # a fringe stands off the forehead
        root = np.maximum(root, frontal * 0.55)
    elif hangs:
        root = 1 - frontal * (1 - smoothstep(0.0, 0.4, to_tip))
    if style.name == "quiff":
        root = np.maximum(root, frontal * smoothstep(0.0, 0.12, to_tip))
    offset = 0.002 + style.volume * root
    offset = offset + style.volume * 0.16 * strand[None] * smoothstep(0.1, 0.4, share)[:, None] * root
    if style.parting:
        gap = np.exp(-(((azimuth - style.parting) / 0.12) ** 2))[None] * (np.abs(azimuth) < 1.2)[None]
        offset = offset * (1 - 0.6 * gap * smoothstep(1.0, 0.2, share)[:, None])
    points = center + direction * (radius + offset)[..., None]
    if style.curl:
        flat = points.reshape(-1, 3)
        bumps = lattice_noise(flat, 60.0, seed) + 0.6 * lattice_noise(flat, 110.0, seed + 3)
        points = points + direction * (style.curl * bumps.reshape(elevation.shape))[..., None]
    outward = np.stack([np.sin(azimuth), -np.cos(azimuth)], axis=-1)
    hanging = hang / max(style.drop, 1e-6)
    points[..., :2] += outward[None] * (0.012 * np.sin(hanging * np.pi) - 0.014 * hanging**2)[..., None]
    points[..., 2] -= hang
    paint = np.stack(
        [
            np.broadcast_to(azimuth[None] / (2 * np.pi), elevation.shape),
            (np.pi / 2 - elevation) * 0.11 + hang,
            np.broadcast_to(share[:, None], elevation.shape),
            np.broadcast_to(strand[None], elevation.shape),
        ],
        axis=-1,
    )
    weights = _hair_weights(fields, hang)
    layers = [Layer("hair", points.reshape(-1, 3), weights, grid_faces(along, around + 1), paint.reshape(-1, 4))]
    if style.extra:
        layers.append(_gathered(style.extra, fields, center, radius, seed))
    return layers


def _gathered(kind: str, fields: BodyFields, center: np.ndarray, radius: np.ndarray, seed: int) -> Layer:
    """A bun or a pony tail: a tube of rings behind the head."""
    back = float(np.median(radius)) + 0.012
    if kind == "bun":
        middle, size, stretch = center + np.array([0.0, back * 0.85, 0.045]), 0.042, 1.0
    else:
        middle, size, stretch = center + np.array([0.0, back * 1.12, -0.075]), 0.028, 4.6
    rings, around = 22, 48
    polar = np.linspace(0.02, np.pi - 0.02, rings)[:, None]
    azimuth = np.linspace(-np.pi, np.pi, around + 1)[None]
    strand = _periodic_noise(azimuth[0], 14, seed + 5)[None]
    width = size * np.sin(polar) ** (0.8 if kind == "bun" else 0.6) * (1 + 0.12 * strand)
    z = size * stretch * np.cos(polar) * np.ones_like(azimuth)
    sag = 0.05 * smoothstep(0.0, 1.0, -z / (size * stretch)) if kind == "tail" else 0.0
    points = np.stack([width * np.sin(azimuth), width * np.cos(azimuth) - sag * np.ones_like(z) * 0.3, z], axis=-1)
    paint = np.stack(
        [
            azimuth / (2 * np.pi) * np.ones_like(z),
            (polar / np.pi) * 2 * size * stretch * np.ones_like(z),
            polar / np.pi * np.ones_like(z),
            strand * np.ones_like(z),
        ],
        axis=-1,
    )
    flat = (middle + points).reshape(-1, 3)
    weights = _hair_weights(fields, np.zeros(len(flat)))
    return Layer("hair", flat, weights, grid_faces(rings, around + 1), paint.reshape(-1, 4))


def _hair_weights(fields: BodyFields, hang: np.ndarray) -> np.ndarray:
    """Hair follows the head; what hangs to the shoulders follows neck and chest too."""
    names = [fields.body.joint_names[i] for i in fields.body.active.joints.tolist()]
    flat = hang.ravel()
    weights = np.zeros((len(flat), fields.weights.shape[1]))
    low = 0.75 * smoothstep(0.06, 0.3, flat)
    weights[:, names.index("head")] = 1 - low
    weights[:, names.index("neck01")] = 0.5 * low
    weights[:, names.index("spine01")] = 0.5 * low
    return weights


def _mean_shift(fields: BodyFields, skin: np.ndarray) -> np.ndarray:
    head = fields.head_weight > 0.9
    return skin[head].mean(axis=0) - fields.position[head].mean(axis=0)


def _skull_radius(fields: BodyFields, skin: np.ndarray, center: np.ndarray, directions: np.ndarray) -> np.ndarray:
    scene = o3d.t.geometry.RaycastingScene(nthreads=1)
    smooth = _without_ears(fields)
    scene.add_triangles(
        o3d.core.Tensor.from_numpy(np.ascontiguousarray(skin, np.float32)),
        o3d.core.Tensor.from_numpy(smooth.astype(np.uint32)),
    )
    far = 0.3
    rays = np.concatenate([center + directions * far, -directions], axis=1).astype(np.float32)
    hit = scene.cast_rays(o3d.core.Tensor.from_numpy(rays), nthreads=1)["t_hit"].numpy()
    return np.where(np.isfinite(hit), np.maximum(far - hit, 0.05), 0.09)


def _without_ears(fields: BodyFields) -> np.ndarray:
    """Faces of the head but not of ears and nose tip, which would dent hair outwards."""
    offset = fields.position - head_center(fields)
    ear = (np.abs(offset[:, 0]) > 0.074) & (offset[:, 2] < 0.045) & (np.abs(offset[:, 1]) < 0.06)
    head = fields.head_weight > 0.5
    keep = head & ~ear
    return fields.faces[keep[fields.faces].all(axis=1)]


def _periodic_noise(azimuth: np.ndarray, waves: int, seed: int) -> np.ndarray:
    circle = np.stack([np.cos(azimuth), np.sin(azimuth), np.zeros_like(azimuth)], axis=-1)
    return lattice_noise(circle, waves / (2 * np.pi), seed)
