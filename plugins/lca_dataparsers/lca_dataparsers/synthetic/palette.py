"""Colours of people and clothes, sRGB 0..1 in the tables and linear light from the functions."""

import numpy as np

SKIN_TONES = np.array(
    [[246, 214, 196], [236, 192, 165], [224, 172, 138], [200, 146, 108], [168, 114, 80], [128, 82, 56], [92, 58, 42]]
) / 255.0  # fmt: skip
"""From fair to dark; people are drawn between neighbours."""

HAIR_COLORS = {
    "black": (18, 16, 16),
    "dark_brown": (48, 32, 22),
    "brown": (86, 56, 34),
    "auburn": (110, 48, 24),
    "ginger": (168, 84, 32),
    "dark_blond": (140, 104, 62),
    "blond": (206, 166, 104),
    "grey": (128, 126, 124),
    "white": (214, 212, 206),
    "dyed_blue": (38, 66, 140),
    "dyed_pink": (196, 86, 130),
}
"""sRGB 0..255."""
_HAIR_SHARES = np.array([0.2, 0.2, 0.16, 0.07, 0.06, 0.1, 0.09, 0.05, 0.03, 0.02, 0.02])

IRIS_COLORS = [(70, 42, 24), (96, 62, 34), (110, 98, 52), (72, 106, 74), (78, 116, 150), (120, 134, 146)]

CLOTH_COLORS = {
    "white": (236, 234, 230),
    "black": (28, 28, 32),
    "grey": (128, 130, 134),
    "navy": (32, 42, 84),
    "blue": (52, 96, 178),
    "sky": (136, 184, 224),
    "teal": (26, 128, 128),
    "green": (50, 120, 66),
    "olive": (98, 102, 56),
    "khaki": (182, 164, 124),
    "brown": (104, 70, 44),
    "red": (184, 40, 44),
    "wine": (104, 28, 48),
    "orange": (222, 122, 44),
    "yellow": (232, 196, 72),
    "pink": (226, 146, 168),
    "purple": (104, 66, 140),
}
DENIM = (66, 88, 128)


def linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to linear light."""
    srgb = np.asarray(srgb, float)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    """Linear light to sRGB 0..1, clipped."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055)


def bytes_to_linear(color: tuple[int, int, int]) -> np.ndarray:
    """sRGB 0..255 to linear light."""
    return linear(np.array(color) / 255.0)


def random_skin(random: np.random.Generator) -> np.ndarray:
    """A skin colour, linear."""
    position = random.uniform(0, len(SKIN_TONES) - 1.001)
    index, part = int(position), position % 1
    tone = SKIN_TONES[index] * (1 - part) + SKIN_TONES[index + 1] * part
    return linear(np.clip(tone * random.uniform(0.96, 1.04, 3), 0, 1))


def random_hair(random: np.random.Generator, skin: np.ndarray) -> np.ndarray:
    """A hair colour, linear; dark skin mostly goes with dark hair."""
    shares = _HAIR_SHARES * np.where(skin.mean() < 0.25, np.array([6, 3, 1, 0.3, 0.1, 0.1, 0.1, 1, 1, 1, 1]), 1.0)
    name = random.choice(list(HAIR_COLORS), p=shares / shares.sum())
    return bytes_to_linear(HAIR_COLORS[str(name)]) * random.uniform(0.85, 1.15)


def random_cloth(random: np.random.Generator, count: int = 3) -> np.ndarray:
    """Distinct cloth colours [count, 3], linear."""
    names = random.choice(list(CLOTH_COLORS), count, replace=False)
    return np.stack([bytes_to_linear(CLOTH_COLORS[str(name)]) for name in names]) * random.uniform(
        0.85, 1.1, (count, 1)
    )
