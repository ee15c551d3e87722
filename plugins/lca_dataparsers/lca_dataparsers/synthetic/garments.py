"""Garments cut out of the body's surface: painted close to the skin, or shells that stand off it, and skirts."""

from dataclasses import dataclass, field

import numpy as np

from lca_dataparsers.synthetic.body_fields import BodyFields, smoothstep
from lca_dataparsers.synthetic.layers import Layer, averaging, cut_at_zero, vertex_normals


@dataclass(frozen=True)
class Garment:
    """One piece of clothing. Lengths are metres in template space."""

    name: str
    kind: str
    """``top``, ``bottom``, ``skirt`` (follows the legs), ``swinging`` (simulated cloth) or ``shoes``."""
    hem: float
    """z of the lower edge (of the legs' cut for a bottom)."""
    upper: float = 10.0
    """z of the upper edge (waist of a bottom, collar of shoes)."""
    sleeve: float = 0.0
    """Length of the sleeves from the shoulder."""
    neck: float = 0.06
    """How far the neckline dips below the base of the neck in front."""
    neck_width: float = 0.075
    """Half width of the neckline."""
    open_front: float = 0.0
    """Half width of an open front at the hem; 0 = closed."""
    thickness: float = 0.006
    """How far it stands off the skin."""
    flare: float = 0.0
    """Extra distance per metre away from the garment's origin (shoulder, waist)."""
    smoothing: int = 4
    """Rounds of smoothing: more for looser cloth."""
    paint: dict[str, object] = field(default_factory=dict)
    """What ``fabrics.fabric`` needs."""
    loose: bool = False
    """Belongs to the loose garment of the person, which has a mask of its own."""


def coverage(garment: Garment, fields: BodyFields, position: np.ndarray, arm_weight: np.ndarray) -> np.ndarray:
    """Signed field that is positive where the garment covers the template, about metres to its edge; [n]."""
    x, y, z = position.T
    if garment.kind == "shoes":
        return np.where(arm_weight > 0.01, -0.1, garment.upper - z)
    if garment.kind in ("bottom", "skirt", "swinging"):
        return np.where(arm_weight > 0.02, -0.1, np.minimum(garment.upper - z, z - garment.hem))
    on_arm = smoothstep(0.02, 0.3, arm_weight)
    along = fields.shoulder_line(position)
    shoulder = fields.joints["upperarm01.L"]
    beside = np.where(z > fields.height("spine01") - 0.06, np.abs(x) - shoulder[0], -1.0)  # armholes cut straight down
    sleeve = garment.sleeve - (beside * (1 - on_arm) + along * on_arm)
    trunk = z - garment.hem
    base = fields.joints["neck01"]
    front = smoothstep(0.05, -0.08, y - base[1])
    dip = base[2] + 0.015 - garment.neck * front * np.clip(1.0 - (np.abs(x) / garment.neck_width) ** 2, 0.0, 1.0)
    collar = np.where(np.abs(x) < garment.neck_width, dip, base[2] + 0.05) - z
    field_value = np.minimum(collar, sleeve)
    field_value = np.minimum(field_value, trunk * (1 - on_arm) + 1.0 * on_arm)
    if garment.open_front > 0:
        gap = garment.open_front * smoothstep(base[2], garment.hem, z) + 0.012
        opened = np.where(y < base[1] + 0.02, np.abs(x) - gap, 1.0)
        field_value = np.minimum(field_value, np.where(arm_weight > 0.3, 1.0, opened))
    return field_value


def shell(garment: Garment, fields: BodyFields, skin: np.ndarray) -> Layer:
    """The garment as a mesh around ``skin`` [vertices, 3], the person's neutral rest surface."""
    scalar = coverage(garment, fields, fields.position, fields.arm_weight)
    offset = standoff(garment, fields)
    normals = vertex_normals(skin, fields.faces)
    near = (scalar > -0.04)[fields.faces].all(axis=1)
    smooth = averaging(fields.faces[near], len(skin))
    soft_normals = normals
    for _ in range(3):
        soft_normals = smooth @ soft_normals
    soft_normals /= np.maximum(np.linalg.norm(soft_normals, axis=1, keepdims=True), 1e-9)
    surface = skin + soft_normals * offset[:, None]
    for _ in range(garment.smoothing):
        surface = 0.5 * surface + 0.5 * (smooth @ surface)
    for _ in range(2):
        depth = np.einsum("ij,ij->i", surface - skin, normals)
        surface = surface + normals * np.maximum(0.6 * offset - depth, 0.0)[:, None]
    faces, matrix = cut_at_zero(fields.faces, scalar)
    paint = np.concatenate([fields.position, fields.arm_weight[:, None]], axis=1)
    weights = fields.weights
    for _ in range(min(garment.smoothing, 6)):
        weights = 0.5 * weights + 0.5 * (smooth @ weights)
    return Layer(garment.name, matrix @ surface, matrix @ weights, faces, matrix @ paint)


def standoff(garment: Garment, fields: BodyFields) -> np.ndarray:
    """How far a garment stands off each vertex of the template where it covers it, [vertices] metres."""
    z = fields.position[:, 2]
    if garment.kind == "top":
        down = np.maximum(fields.height("spine01") - z, 0.0) * (1 - fields.arm_weight)
        down += np.clip(fields.along_arm, 0.0, None) * fields.arm_weight * 0.6
    else:
        down = np.maximum(fields.height("upperleg01.L") - z, 0.0)
    return garment.thickness + garment.flare * down


def skirt(garment: Garment, fields: BodyFields, skin: np.ndarray, around: int = 72, rings: int = 24) -> Layer:
    """A tube from the waist to the hem that widens downwards and swings with the thighs."""
    heights = np.linspace(garment.upper, garment.hem, rings)
    azimuth = np.linspace(0, 2 * np.pi, around + 1)
    circle = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    widest = np.zeros(around + 1)
    rest, paint, weights = [], [], []
    names = [fields.body.joint_names[i] for i in fields.body.active.joints.tolist()]
    root, left, right = (names.index(n) for n in ("root", "upperleg01.L", "upperleg01.R"))
    for z in heights:
        middle, support, z_skin = outline(fields, skin, z, circle, garment.upper)
        widest = np.maximum(widest, support)
        down = garment.upper - z
        pleats = 1.0 + 0.05 * np.sin(azimuth * 14) * smoothstep(0.0, 0.4, np.array([down]))
        radius = (widest + garment.thickness + garment.flare * down) * pleats
        ring = circle * radius[:, None] + middle
        rest.append(np.concatenate([ring, np.full((around + 1, 1), z_skin)], axis=1))
        paint.append(tube_paint(circle, z))
        swing = 0.9 * smoothstep(0.02, 0.3, np.array([down]))[0]
        side = smoothstep(-0.1, 0.1, ring[:, 0])
        row = np.zeros((around + 1, fields.weights.shape[1]))
        row[:, left], row[:, right], row[:, root] = swing * side, swing * (1 - side), 1 - swing
        weights.append(row)
    return Layer(
        garment.name,
        np.concatenate(rest),
        np.concatenate(weights),
        grid_faces(rings, around + 1),
        np.concatenate(paint),
    )


def outline(
    fields: BodyFields, skin: np.ndarray, z: float, circle: np.ndarray, upper: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """How far trunk and legs reach at a height of the template.

    Args:
        fields: the template.
        skin: [vertices, 3] the person's rest surface, metres.
        z: height in the template, metres.
        circle: [n, 2] unit vectors around the body.
        upper: height at which the axis is taken.

    Returns:
        The axis [2], the reach [n] from it along ``circle``, and the height ``z`` on the person; metres.
    """
    trunk = fields.arm_weight < 0.02
    axis_y = float(np.median(skin[trunk & (np.abs(fields.position[:, 2] - upper) < 0.02), 1]))
    middle = np.array([0.0, axis_y])
    drop_at = (fields.position[trunk, 2], skin[trunk, 2])
    order = np.argsort(drop_at[0])
    band = trunk & (np.abs(fields.position[:, 2] - z) < 0.03)
    support = ((skin[band, :2] - middle) @ circle.T).max(axis=0)
    return middle, support, float(np.interp(z, drop_at[0][order][::50], drop_at[1][order][::50]))


def tube_paint(circle: np.ndarray, z: float) -> np.ndarray:
    """Paint [n, 4] of a ring around the body at a height of the template."""
    return np.concatenate([circle * 0.16, np.full((len(circle), 1), z), np.zeros((len(circle), 1))], axis=1)


def grid_faces(rows: int, columns: int) -> np.ndarray:
    """Triangles of a grid of ``rows`` x ``columns`` vertices."""
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1].ravel(), index[:-1, 1:].ravel(), index[1:, :-1].ravel(), index[1:, 1:].ravel()
    return np.concatenate([np.stack([a, c, b], axis=-1), np.stack([b, c, d], axis=-1)])
