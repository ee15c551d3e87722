"""The driving vector: pose, expression and gaze of a frame as the pose-dependent head reads them (eq. 9)."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from lca_method.batch import DrivingSignal
from lca_shared.rotations import matrix_to_six_numbers, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

RotationCode = Literal["rotation_vector", "six_numbers"]
"""How a joint's rotation is written: 3 numbers, or the change of its matrix's first two columns (6, continuous)."""


@dataclass(frozen=True)
class DrivingConfig:
    """What the driving vector holds."""

    rotation_code: RotationCode = "six_numbers"
    expression: Literal["coefficients"] = "coefficients"
    """``coefficients``: the fit's 52 numbers as they are."""


class CoefficientExpression(nn.Module):
    """The expression code that is the coefficients themselves.

    An expression code has a ``width`` and is called with a :class:`DrivingSignal`; a learned one (Section 3.1; 128
    numbers) has parameters and takes this one's place in :class:`DrivingVector`.
    """

    def __init__(self, width: int):
        """Args: number of coefficients."""
        super().__init__()
        self.width = width

    def forward(self, driving: DrivingSignal) -> Float[Tensor, "*b width"]:
        """The coefficients."""
        return driving.expression


class DrivingVector(nn.Module):
    """Joint rotations (without the root's), expression code and gaze side by side.

    A joint that was not seen looks as at rest. The root's place is left out: where a person stands says nothing about
    how clothes and face look.
    """

    def __init__(self, driven_joints: int, expressions: int, config: DrivingConfig):
        """Args: numbers of driven joints and expression coefficients; what to hold."""
        super().__init__()
        self.config = config
        self.expression = CoefficientExpression(expressions)
        numbers = {"rotation_vector": 3, "six_numbers": 6}[config.rotation_code]
        self.width = numbers * driven_joints + self.expression.width + 4

    def forward(self, driving: DrivingSignal) -> Float[Tensor, "*b width"]:
        """The driving vector of each frame."""
        rotations = driving.pose.joint_rotations
        if self.config.rotation_code == "six_numbers":
            rest = rotations.new_tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
            rotations = matrix_to_six_numbers(rotation_vector_to_matrix(rotations)) - rest
        if driving.joint_confidence is not None:
            rotations = rotations * driving.joint_confidence[..., None]
        return torch.cat([rotations.flatten(-2), self.expression(driving), driving.pose.gaze.flatten(-2)], dim=-1)
