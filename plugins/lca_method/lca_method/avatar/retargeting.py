"""Somebody's motion on somebody else's body."""

import torch

from lca_method.avatar.motion import Motion, leg_length
from lca_shared.body.compact_body import CompactBody
from lca_shared.errors import UserError


def retargeted(
    motion: Motion,
    body: CompactBody,
    rate: float,
    start: float = 0.0,
    seconds: float | None = None,
    *,
    in_place: bool = False,
) -> Motion:
    """A part of a motion for another body: joints and expressions by name, the root's way scaled by the length of the
    legs and beginning at the origin.

    Args:
        motion: as recorded.
        body: who shall move.
        rate: frames a second.
        start: seconds from the motion's beginning.
        seconds: length at most.
        in_place: the root stays where it was recorded, for the cameras that recorded it.

    Raises:
        UserError: the motion moves none of the body's joints, or is over before ``start``.
    """
    if not set(motion.joints) & set(body.driven_joints):
        raise UserError(f"The motion moves none of the avatar's joints ({', '.join(body.driven_joints[:4])} ...).")
    length = motion.duration - start
    if length < 0 or start < 0:
        raise UserError(f"{start:g} s is not within the motion, which lasts {motion.duration:.2f} s.")
    length = length if seconds is None else min(length, seconds)
    times = float(motion.times[0]) + start + torch.arange(int(length * rate + 1e-6) + 1, dtype=torch.float64) / rate
    named = motion.at(times).named(body.driven_joints, body.expression_names)
    if in_place:
        return named
    own = leg_length(body.joint_names, body.template_joints)
    scale = own / motion.leg_length if own and motion.leg_length else 1.0
    return named.walked(scale)
