"""Poses, hands and faces that people ask for first, as numbers by name."""

import re
from collections.abc import Mapping, Sequence

POSES: Mapping[str, Mapping[str, float]] = {
    "rest": {},
    "arms down": {"left_arm": -40.0, "right_arm": -40.0},
    "arms out": {"left_arm": 45.0, "right_arm": 45.0},
    "wave": {"right_arm": 75.0, "right_elbow": 60.0, "left_arm": -40.0, "head_yaw": -10.0},
    "step": {"left_leg": 30.0, "left_knee": 20.0, "right_leg": -15.0, "left_arm": -40.0, "right_arm": -40.0},
    "sit": {
        "left_leg": 85.0,
        "right_leg": 85.0,
        "left_knee": 85.0,
        "right_knee": 85.0,
        "left_arm": -40.0,
        "right_arm": -40.0,
    },
}
"""Values of ``lca_method.pose_sliders`` by key, degrees."""

FACES: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smile": {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.4, "cheekSquintRight": 0.4},
    "surprise": {"browInnerUp": 0.9, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8, "eyeWideLeft": 0.8,
                 "eyeWideRight": 0.8, "jawOpen": 0.6},
    "anger": {"browDownLeft": 1.0, "browDownRight": 1.0, "noseSneerLeft": 0.5, "noseSneerRight": 0.5,
              "mouthPressLeft": 0.6, "mouthPressRight": 0.6},
    "sadness": {"browInnerUp": 0.8, "mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "mouthShrugLower": 0.4},
    "eyes shut": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0},
    "kiss": {"mouthPucker": 1.0, "mouthFunnel": 0.2},
}  # fmt: skip
"""ARKit coefficients."""

HANDS: Mapping[str, float] = {"open": 0.0, "relaxed": 20.0, "fist": 75.0}
"""Degrees by which every finger joint but the thumb's bends."""

GROUPS: Mapping[str, str] = {
    "Head and neck": r"neck\d+|head|jaw",
    "Spine": r"spine\d+",
    "Left arm": r"(clavicle|upperarm|lowerarm|wrist)\d*\.L",
    "Right arm": r"(clavicle|upperarm|lowerarm|wrist)\d*\.R",
    "Left hand": r"finger.*\.L",
    "Right hand": r"finger.*\.R",
    "Left leg": r"(upperleg|lowerleg|foot)\d*\.L",
    "Right leg": r"(upperleg|lowerleg|foot)\d*\.R",
}


def joint_groups(driven_joints: Sequence[str]) -> dict[str, list[str]]:
    """Driven joints by group; those of no group come under ``Other``."""
    found: dict[str, list[str]] = {}
    for joint in driven_joints:
        name = next((group for group, pattern in GROUPS.items() if re.fullmatch(pattern, joint)), "Other")
        found.setdefault(name, []).append(joint)
    return {name: found[name] for name in (*GROUPS, "Other") if name in found}
