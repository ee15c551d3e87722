"""Procedural cloth: patterns over fabric coordinates, evaluated at any point of a garment."""

import numpy as np

from lca_dataparsers.synthetic.body_fields import BodyFields, smoothstep
from lca_dataparsers.synthetic.noise import fractal_noise, lattice_noise


def fabric_coordinates(fields: BodyFields, paint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (across, along) in metres at template positions with arm weights ([n, 4 or more]).

    ``along`` falls down the trunk and legs, and down the arms from the shoulder; ``across`` runs around them.
    """
    position, arm = paint[:, :3], smoothstep(0.1, 0.6, paint[:, 3])
    x, y, z = position.T
    shoulder = fields.joints["upperarm01.L"]
    along_trunk = z
    along_arm = shoulder[2] - fields.shoulder_line(position)
    leg = z < fields.height("upperleg01.L") - 0.03
    axis_x = np.where(leg, np.sign(x) * 0.15, 0.0)
    radius = np.where(leg, 0.075, 0.15)
    across_trunk = np.arctan2(x - axis_x, -(y - fields.joints["spine01"][1] * ~leg)) * radius
    across_arm = (y - shoulder[1]) * 1.3
    return across_trunk * (1 - arm) + across_arm * arm, along_trunk * (1 - arm) + along_arm * arm


def fabric(fields: BodyFields, paint: np.ndarray, spec: dict) -> np.ndarray:
    """Linear RGB [n, 3] of a garment at ``paint`` [n, 4 or more] (template position, arm weight).

    ``spec`` holds ``pattern`` (a name of :data:`PATTERNS`), ``colors`` [3, 3] linear RGB, ``scale`` metres, ``seed``.
    """
    colors = np.asarray(spec["colors"], float)
    share = PATTERNS[spec["pattern"]](fields, paint, float(spec["scale"]), int(spec["seed"]))
    if share.ndim == 1:
        share = np.stack([1 - share, share], axis=-1)
    albedo = share @ colors[: share.shape[1]]
    weave = (
        1.0
        + 0.10 * fractal_noise(paint[:, :3], 14.0, 2, int(spec["seed"]))
        + 0.05 * lattice_noise(paint[:, :3], 160.0, 5)
    )
    return albedo * weave[:, None]


def _plain(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    return np.zeros(len(paint))


def _stripes(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    _, along = fabric_coordinates(fields, paint)
    return (np.mod(along, scale) < scale * 0.5).astype(float)


def _pinstripes(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    across, _ = fabric_coordinates(fields, paint)
    return (np.mod(across, scale) < scale * 0.3).astype(float)


def _checks(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    across, along = fabric_coordinates(fields, paint)
    a, b = np.mod(across, scale) < scale / 2, np.mod(along, scale) < scale / 2
    thin = (np.mod(across, scale) < scale * 0.08) | (np.mod(along, scale) < scale * 0.08)
    mixed = 0.5 * a + 0.5 * b
    return np.stack([np.where(thin, 0, 1 - mixed), np.where(thin, 0, mixed), thin * 1.0], axis=-1)


def _dots(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    across, along = fabric_coordinates(fields, paint)
    row = np.floor(along / scale)
    a = np.mod(across / scale + 0.5 * np.mod(row, 2), 1.0) - 0.5
    b = np.mod(along / scale, 1.0) - 0.5
    return (a * a + b * b < 0.09).astype(float)


def _camouflage(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    first = fractal_noise(paint[:, :3], 0.8 / scale, 2, seed) > 0.08
    second = fractal_noise(paint[:, :3], 0.9 / scale, 2, seed + 11) > 0.2
    return np.stack([~first & ~second, first & ~second, second], axis=-1).astype(float)


def _gradient(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    _, along = fabric_coordinates(fields, paint)
    return smoothstep(-0.15, 0.6, along)


def _blocks(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    _, along = fabric_coordinates(fields, paint)
    chest = fields.height("spine01") - 0.06
    upper = along > chest
    band = (along < chest) & (along > chest - 0.5 * scale)
    return np.stack([~upper & ~band, upper, band], axis=-1).astype(float)


def _logo(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """A badge on the chest: a disc, a star, a heart, bars or a letter-like block pattern."""
    x, y, z = paint[:, :3].T
    u, v = x / 0.085, (z - fields.height("spine01") + 0.02) / 0.085
    front = (y < fields.joints["spine01"][1] - 0.02) & (paint[:, 3] < 0.3)
    radius, angle = np.hypot(u, v), np.arctan2(u, v)
    kind = seed % 5
    if kind == 0:
        inside = (radius < 1) & ~((radius < 0.72) & (radius > 0.5))
    elif kind == 1:
        inside = radius < 0.45 + 0.5 * np.abs(np.mod(angle * 5 / (2 * np.pi), 1) * 2 - 1)
    elif kind == 2:
        inside = (u * u + v * v - 0.55) ** 3 - u * u * v**3 < 0
    elif kind == 3:
        inside = (np.abs(u) < 1) & (np.abs(v) < 1) & (np.mod(v * 2.5 + u * 0.8, 1) < 0.55)
    else:
        cell = np.stack([np.floor((np.abs(u) + 0.001) * 3), np.floor((v + 1) * 3), np.full_like(u, seed % 97)], axis=-1)
        inside = (np.abs(u) < 1) & (np.abs(v) < 1) & (lattice_noise(cell + 0.01, 1.0, seed) > 0.0)
    return (inside & front).astype(float)


def _denim(fields: BodyFields, paint: np.ndarray, scale: float, seed: int) -> np.ndarray:
    """Worn cloth: paler on thighs and knees."""
    across, along = fabric_coordinates(fields, paint)
    worn = np.exp(-(((along + 0.12) / 0.2) ** 2) - (across / 0.07) ** 2)
    return np.clip(0.55 * worn + 0.22 * fractal_noise(paint[:, :3], 30.0, 3, seed) + 0.1, 0.0, 1.0)


PATTERNS = {
    "plain": _plain,
    "stripes": _stripes,
    "pinstripes": _pinstripes,
    "checks": _checks,
    "dots": _dots,
    "camouflage": _camouflage,
    "gradient": _gradient,
    "blocks": _blocks,
    "logo": _logo,
    "denim": _denim,
}
"""Each gives, at [n, 4] paint, the share [n] of the second colour or the shares [n, 3] of three."""
