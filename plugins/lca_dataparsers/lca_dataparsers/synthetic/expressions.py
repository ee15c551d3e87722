"""Random facial expressions and gaze over time: eased mixtures of named expressions, blinks, wandering eyes."""

import numpy as np

from lca_dataparsers.synthetic.noise import keyframed, smooth_signal


def _pair(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


EXPRESSIONS: dict[str, dict[str, float]] = {
    "neutral": {},
    "smile": {**_pair("mouthSmile", 0.8), **_pair("cheekSquint", 0.5), **_pair("eyeSquint", 0.2)},
    "laugh": {**_pair("mouthSmile", 0.9), "jawOpen": 0.45, **_pair("mouthUpperUp", 0.3), **_pair("eyeSquint", 0.5)},
    "surprise": {"jawOpen": 0.55, "browInnerUp": 0.9, **_pair("browOuterUp", 0.8), **_pair("eyeWide", 0.8)},
    "anger": {**_pair("browDown", 0.9), **_pair("noseSneer", 0.5), **_pair("mouthPress", 0.5)},
    "sad": {**_pair("mouthFrown", 0.8), "browInnerUp": 0.7, "mouthShrugLower": 0.4},
    "pucker": {"mouthPucker": 0.9},
    "funnel": {"mouthFunnel": 0.8, "jawOpen": 0.25},
    "open": {"jawOpen": 0.8},
    "smirk_left": {"mouthSmileLeft": 0.8, "mouthDimpleLeft": 0.4, "browOuterUpRight": 0.5},
    "smirk_right": {"mouthSmileRight": 0.8, "mouthDimpleRight": 0.4, "browOuterUpLeft": 0.5},
    "talk": {"jawOpen": 0.3, **_pair("mouthLowerDown", 0.4), **_pair("mouthStretch", 0.2)},
    "puff": {"cheekPuff": 0.9, **_pair("mouthPress", 0.3)},
    "sideways": {"mouthLeft": 0.7, "jawLeft": 0.3},
}
"""Coefficients of named expressions, ARKit's names. eyeLook* are left out: they follow from the gaze."""


def random_expressions(random: np.random.Generator, times: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Coefficients between 0 and 1, [frames, expressions], in the order of ``names``; eyeLook* are 0."""
    duration = float(times[-1] - times[0]) + 1e-3
    count = max(2, int(np.ceil(duration / 0.9)) + 1)
    keys = np.zeros((count, len(names)))
    for row in range(count):
        for _ in range(1 + (random.random() < 0.3)):
            strength = random.uniform(0.4, 1.0)
            for name, value in EXPRESSIONS[str(random.choice(list(EXPRESSIONS)))].items():
                keys[row, names.index(name)] = max(keys[row, names.index(name)], value * strength)
    values = keyframed(times, times[0] + np.linspace(0, duration, count), keys)
    blink = np.zeros(len(times))
    at = times[0] + random.uniform(0.0, 2.5)
    while at < times[-1]:
        blink = np.maximum(blink, np.clip(1.3 - np.abs(times - at) / 0.12, 0.0, 1.0))
        at += random.uniform(1.5, 4.0)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        values[:, names.index(name)] = np.maximum(values[:, names.index(name)], blink)
    return np.clip(values, 0.0, 1.0).astype(np.float32)


def random_gaze(random: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Gaze [frames, 2, 2]: (left, right) x (yaw, pitch), radians; both eyes look at one point a metre or more away."""
    yaw = np.clip(smooth_signal(random, times, 1.5, 0.28), -0.5, 0.5)
    pitch = np.clip(smooth_signal(random, times, 2.0, 0.15), -0.35, 0.3)
    vergence = 0.031 / random.uniform(1.0, 4.0)
    left, right = np.stack([yaw - vergence, pitch], -1), np.stack([yaw + vergence, pitch], -1)
    return np.stack([left, right], axis=1).astype(np.float32)
