"""Make the environment maps that ship: three rooms of light drawn from formulas, small Radiance files (CC0).

python scripts/make_environments.py
"""

import math
import sys
from pathlib import Path

import cv2
import numpy as np
import torch

from lca_shared.lighting.equirectangular import directions_of

HEIGHT = 64
FOLDER = Path(__file__).resolve().parents[1] / "plugins/lca_method/lca_method/avatar/environments"


def lobe(directions: np.ndarray, azimuth: float, elevation: float, sharpness: float) -> np.ndarray:
    """[h, w, 1] of a soft spot; degrees, azimuth 0 = +Y (behind a person at rest), 90 = +X (their left)."""
    a, e = math.radians(azimuth), math.radians(elevation)
    axis = np.array([math.cos(e) * math.sin(a), math.cos(e) * math.cos(a), math.sin(e)])
    return np.exp(sharpness * (directions @ axis - 1))[..., None]


def box(
    directions: np.ndarray, azimuth: float, elevation: float, width: float, height: float, soft: float = 3.0
) -> np.ndarray:
    """[h, w, 1] of a bright rectangle, degrees, with soft edges."""
    around = np.degrees(np.arctan2(directions[..., 0], directions[..., 1]))
    across = np.abs((around - azimuth + 180) % 360 - 180)
    up = np.abs(np.degrees(np.arcsin(np.clip(directions[..., 2], -1, 1))) - elevation)
    inside = np.clip((width / 2 - across) / soft + 0.5, 0, 1) * np.clip((height / 2 - up) / soft + 0.5, 0, 1)
    return inside[..., None]


def studio(d: np.ndarray) -> np.ndarray:
    """Two softboxes in front, a rim light behind, grey walls."""
    light = 0.12 + 0.05 * d[..., 2:]
    light = light + 7.0 * box(d, 140, 35, 42, 42) + 2.0 * box(d, -125, 20, 50, 60) + 6.0 * box(d, -30, 30, 20, 60)
    return light * np.array([1.0, 0.98, 0.95])


def evening(d: np.ndarray) -> np.ndarray:
    """A low sun from the person's left, warm near it, blue sky above, dark ground."""
    sky = np.clip(d[..., 2:], 0, 1)
    light = np.where(d[..., 2:] > 0, 0.25 + 0.25 * sky, 0.06) * np.array([0.55, 0.75, 1.25])
    light = light + 1.6 * lobe(d, 115, 8, 6) * np.array([1.0, 0.55, 0.3]) * (d[..., 2:] > -0.05)
    return light + 90.0 * lobe(d, 115, 12, 400) * np.array([1.0, 0.62, 0.32])


def window(d: np.ndarray) -> np.ndarray:
    """A dim room with one tall window to the person's right and a small warm lamp to their left."""
    wall = (0.05 + 0.03 * d[..., 2:]) * np.array([1.0, 0.9, 0.78])
    light = wall + 9.0 * box(d, -105, 15, 40, 60) * np.array([0.8, 0.95, 1.2])
    return light + 14.0 * lobe(d, 70, 5, 150) * np.array([1.0, 0.6, 0.28])


def main() -> int:
    """Write the maps."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    directions = directions_of(HEIGHT, 2 * HEIGHT, torch.float64).numpy()
    for name, draw in (("studio", studio), ("evening", evening), ("window", window)):
        radiance = np.clip(draw(directions), 0, None).astype(np.float32)
        path = FOLDER / f"{name}.hdr"
        if not cv2.imwrite(str(path), radiance[..., ::-1]):
            print(f"cannot write {path}", file=sys.stderr)
            return 1
        print(f"{path.name}: {path.stat().st_size // 1024} kB, mean {radiance.mean():.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
