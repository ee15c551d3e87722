"""What the eyelids do when the eyes turn: ARKit's eight eyeLook* coefficients from gaze.

``BodyPose.gaze`` turns the eyeballs; the coefficients move only the lids and the skin around them. Both are stored, and
they must agree: everything that writes an expression beside a gaze calls :func:`with_eyelids`.
"""

import math

import torch

from lca_shared.tensors import Float, Tensor

GAZE_YAW = math.radians(30.0)
"""Angle of a full eyeLookOut or eyeLookIn, radians."""
GAZE_PITCH = math.radians(25.0)
"""Angle of a full eyeLookUp or eyeLookDown, radians."""
EYELID_NAMES = tuple(f"eyeLook{way}{side}" for side in ("Left", "Right") for way in ("Up", "Down", "Out", "In"))
"""The order of :func:`eyelid_coefficients`."""


def eyelid_coefficients(gaze: Float[Tensor, "*batch 2 2"]) -> Float[Tensor, "*batch 8"]:
    """Coefficients between 0 and 1 of :data:`EYELID_NAMES`.

    Args:
        gaze: (left, right eye) x (yaw > 0 towards the person's left, pitch > 0 upwards), radians.

    Out is away from the nose: the person's left for the left eye, the right for the right eye.
    """
    outwards = gaze[..., 0] * gaze.new_tensor([1.0, -1.0]) / GAZE_YAW
    upwards = gaze[..., 1] / GAZE_PITCH
    return torch.stack([upwards, -upwards, outwards, -outwards], dim=-1).clamp(0.0, 1.0).flatten(-2)


def with_eyelids(
    expression: Float[Tensor, "*batch expressions"], gaze: Float[Tensor, "*batch 2 2"], names: tuple[str, ...]
) -> Float[Tensor, "*batch expressions"]:
    """The expression (coefficients of ``names``) with its eyeLook* replaced by what follows from ``gaze``."""
    columns = torch.tensor([names.index(name) for name in EYELID_NAMES], device=expression.device)
    return expression.index_copy(-1, columns, eyelid_coefficients(gaze).to(expression))
