"""Motion that makes loose garments swing: strides on the spot, turns, steps and kicks, out of standing still."""

import numpy as np
import torch

from lca_dataparsers.synthetic.body_fields import smoothstep
from lca_dataparsers.synthetic.motion import CHANNELS, SIDES, angles_to_pose, key_pose, within_limits
from lca_dataparsers.synthetic.noise import keyframed, smooth_signal
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose

CALM = ("stand", "stand", "a_pose", "shrug", "cactus", "arms_up")
"""Poses of trunk and arms that keep hands off a wide skirt."""
CALM_SIDES = ("wave", "point", "side_reach", "phone", "knee_up", "kick_back")
FREE_ARMS = 0.38
"""Least ``abduct``: hands pass beside a skirt, radians."""
QUIET, EASED = 0.4, 0.6
"""Seconds of standing before the motion sets in, and of its setting in: cloth settles meanwhile."""
SWAY = (3.0, 0.15)
"""Seconds and radians of the turning to and fro, beside a steady turn of at most a radian a second."""


def lead_in(step: float) -> int:
    """Steps before the first moment."""
    return int(np.ceil((QUIET + EASED) / step))


def walking_motion(random: np.random.Generator, body: CompactBody, times: np.ndarray) -> BodyPose:
    """Poses [times], with the root at the rest height.

    Args:
        random: the clip's generator.
        body: gives the rest skeleton.
        times: [n] seconds, evenly spaced from minus the lead-in; the person stands still until the motion sets in.
    """
    angles = walking_angles(random, times)
    began = smoothstep(times[0] + QUIET, times[0] + QUIET + EASED, times)[:, None]
    still = np.zeros(len(CHANNELS))
    for name, value in (("abduct", FREE_ARMS), ("elbow", 0.25), ("leg_abduct", 0.06), ("curl", 0.3)):
        still[[CHANNELS.index(f"{name}.{side}") for side in SIDES]] = value
    angles = within_limits(still * (1 - began) + angles * began)
    duration = max(float(times[-1]), 1.0)
    turn = random.uniform(0.2, 0.9) * np.pi * random.choice([-1.0, 1.0])
    sway = smooth_signal(random, times, *SWAY)
    yaw = random.uniform(-np.pi, np.pi) + turn * np.clip(times, 0, None) / duration + sway
    drift = np.stack([smooth_signal(random, times, 6.0, 0.12) for _ in range(2)], axis=-1)
    return angles_to_pose(body, angles, yaw, drift)


def walking_angles(random: np.random.Generator, times: np.ndarray) -> np.ndarray:
    """Anatomical angles [times, channels]: strides under calm arms; now and then a knee or a heel comes up."""
    duration = float(times[-1] - times[0]) + 1e-3
    count = max(2, int(np.ceil(duration / random.uniform(1.1, 1.8))) + 1)
    keys = np.stack([key_pose(random, CALM, CALM_SIDES) for _ in range(count)])
    angles = keyframed(times, times[0] + np.linspace(0, duration, count), keys)
    phase = 2 * np.pi * times * random.uniform(0.75, 1.0) + random.uniform(0, 2 * np.pi)
    stride = random.uniform(0.35, 0.55)
    for side, shift in (("L", 0.0), ("R", np.pi)):
        leg = angles[:, CHANNELS.index(f"leg_flex.{side}")]
        walks = 1.0 - smoothstep(0.2, 0.7, np.abs(leg))
        leg += walks * (stride * np.sin(phase + shift) + 0.05)
        bent = 0.4 * stride + stride * np.maximum(np.cos(phase + shift), 0.0) * 1.6
        angles[:, CHANNELS.index(f"knee.{side}")] += walks * bent
        angles[:, CHANNELS.index(f"arm_flex.{side}")] -= 0.6 * stride * np.sin(phase + shift)
        arm = CHANNELS.index(f"abduct.{side}")
        angles[:, arm] = np.maximum(angles[:, arm], FREE_ARMS)
    angles[:, CHANNELS.index("twist")] += 0.12 * np.sin(phase)
    for column in range(len(CHANNELS)):
        angles[:, column] += smooth_signal(random, times, 2.5, 0.04)
    return within_limits(angles)


def at_moments(pose: BodyPose, first: int, every: int, count: int) -> BodyPose:
    """The poses of ``count`` moments, ``every`` so many steps from ``first``."""
    return pose[torch.arange(count) * every + first]
