"""What people wear: random outfits of garments over the template's landmarks."""

from dataclasses import replace

import numpy as np

from lca_dataparsers.synthetic.body_fields import BodyFields
from lca_dataparsers.synthetic.garments import Garment
from lca_dataparsers.synthetic.palette import DENIM, bytes_to_linear, random_cloth

_TOP_PATTERNS = ("plain", "plain", "stripes", "checks", "dots", "camouflage", "gradient", "blocks", "logo", "logo")
SKIRT_PATTERNS = ("plain", "dots", "checks", "stripes", "gradient")


def random_outfit(random: np.random.Generator, fields: BodyFields) -> list[Garment]:
    """Garments from the inside outwards: shoes, bottom, top, and sometimes a jacket."""
    kind = random.choice(["trousers", "shorts", "skirt", "dress", "leggings"], p=[0.5, 0.16, 0.14, 0.1, 0.1])
    waist = fields.height("spine03") - random.uniform(0.05, 0.12)
    outfit = [shoes(random, fields)]
    if kind != "dress":
        outfit.append(bottom(random, fields, str(kind), waist))
    if kind == "dress":
        outfit += _dress(random, fields)
    else:
        outfit.append(top(random, fields, waist))
    if random.random() < (0.4 if kind != "dress" else 0.2):
        outfit[-1] = replace(outfit[-1], thickness=0.008, flare=min(outfit[-1].flare, 0.01))  # fits under the jacket
        outfit.append(_jacket(random, fields))
    return outfit


def random_paint(
    random: np.random.Generator, pattern: str, scale: tuple[float, float] = (0.05, 0.11)
) -> dict[str, object]:
    """What ``fabrics.fabric`` needs, of random colours; ``scale`` is the range of the pattern's size, metres."""
    return {
        "pattern": pattern,
        "colors": random_cloth(random),
        "scale": random.uniform(*scale),
        "seed": int(random.integers(1000)),
    }


def shoes(random: np.random.Generator, fields: BodyFields) -> Garment:
    """Random shoes."""
    ankle = fields.height("foot.L")
    upper = ankle + random.choice([0.0, 0.05, 0.14])
    paint = random_paint(random, "plain") | {"sole": ankle - 0.062, "sole_color": random.choice([0.02, 0.6, 0.85])}
    return Garment("shoes", "shoes", -9.0, upper, thickness=0.012, smoothing=40, paint=paint)


def bottom(random: np.random.Generator, fields: BodyFields, kind: str, waist: float) -> Garment:
    """Random trousers, shorts, skirt or leggings (``kind``) that begin at the height ``waist``, metres."""
    hip, knee, ankle = (fields.height(f"{n}.L") for n in ("upperleg01", "lowerleg01", "foot"))
    if kind == "trousers":
        jeans = random.random() < 0.5
        paint = random_paint(
            random, "denim" if jeans else str(random.choice(["plain", "plain", "pinstripes", "checks"]))
        )
        if jeans:
            dark = bytes_to_linear(DENIM) * random.choice([0.25, 0.7, 1.2])
            paint["colors"] = np.stack([dark, dark * 1.5 + 0.12, dark])
        loose = random.random() < 0.5
        hem = ankle + random.uniform(-0.02, 0.06)
        flare = random.uniform(0.02, 0.05) if loose else 0.006
        return Garment(
            "trousers", "bottom", hem, waist, thickness=0.008, flare=flare, smoothing=8 if loose else 4, paint=paint
        )
    if kind == "shorts":
        hem = knee + random.uniform(0.0, 0.18)
        paint = random_paint(random, str(random.choice(["plain", "camouflage", "checks", "denim"])))
        return Garment("shorts", "bottom", hem, waist, thickness=0.01, flare=0.08, smoothing=6, paint=paint)
    if kind == "skirt":
        hem = knee + random.uniform(-0.12, 0.2)
        paint = random_paint(random, str(random.choice(SKIRT_PATTERNS)))
        return Garment("skirt", "skirt", hem, waist, thickness=0.012, flare=random.uniform(0.12, 0.4), paint=paint)
    paint = random_paint(random, str(random.choice(["plain", "plain", "camouflage"])))
    return Garment("leggings", "bottom", hip - random.uniform(0.5, 0.75), waist, thickness=0.002, paint=paint)


def top(random: np.random.Generator, fields: BodyFields, waist: float) -> Garment:
    """A random top that ends about the height ``waist``, metres."""
    arm = fields.arm_length
    sleeve = {"tank": -0.035, "tee": 0.42 * arm, "long": 0.97 * arm}[
        str(random.choice(["tank", "tee", "long"], p=[0.12, 0.48, 0.4]))
    ]
    loose = random.random() < 0.4
    return Garment(
        "top",
        "top",
        hem=waist - random.uniform(0.02, 0.16),
        sleeve=sleeve + random.uniform(-0.015, 0.02),
        neck=random.uniform(0.02, 0.13),
        neck_width=random.uniform(0.065, 0.1),
        thickness=0.018 if loose else 0.011,
        flare=random.uniform(0.03, 0.07) if loose else 0.01,
        smoothing=14 if loose else 6,
        paint=random_paint(random, str(random.choice(_TOP_PATTERNS))),
    )


def _jacket(random: np.random.Generator, fields: BodyFields) -> Garment:
    waist = fields.height("spine03") - 0.1
    return Garment(
        "jacket",
        "top",
        hem=waist - random.uniform(0.05, 0.2),
        sleeve=fields.arm_length * random.uniform(0.9, 0.99),
        neck=0.05,
        neck_width=0.075,
        open_front=float(random.choice([0.0, 0.05, 0.12])),
        thickness=0.03,
        flare=0.04,
        smoothing=16,
        paint=random_paint(random, str(random.choice(["plain", "plain", "checks", "blocks", "camouflage", "logo"]))),
    )


def _dress(random: np.random.Generator, fields: BodyFields) -> list[Garment]:
    waist, knee = fields.height("spine03") - 0.02, fields.height("lowerleg01.L")
    paint = random_paint(random, str(random.choice(SKIRT_PATTERNS)))
    sleeve = float(random.choice([-0.035, 0.15, 0.45]))
    bodice = Garment(
        "bodice", "top", waist - 0.03, sleeve=sleeve, neck=0.1, neck_width=0.1, thickness=0.008, paint=paint
    )
    hem = knee + random.uniform(-0.25, 0.15)
    flared = Garment("dress", "skirt", hem, waist, thickness=0.012, flare=random.uniform(0.15, 0.4), paint=paint)
    return [flared, bodice]
