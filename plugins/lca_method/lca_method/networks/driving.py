"""The driving vector: pose, expression and gaze of a frame as the pose-dependent head reads them (eq. 9)."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from lca_method.batch import DrivingSignal, ReferenceViews
from lca_method.networks.expression_encoder import ExpressionAdapter, ExpressionEncoder, ExpressionEncoderConfig
from lca_shared.rotations import matrix_to_six_numbers, rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor

RotationCode = Literal["rotation_vector", "six_numbers"]
"""How a joint's rotation is written: 3 numbers, or the change of its matrix's first two columns (6, continuous)."""


@dataclass(frozen=True)
class DrivingConfig:
    """What the driving vector holds."""

    rotation_code: RotationCode = "six_numbers"
    expression: Literal["coefficients", "code"] = "coefficients"
    """``coefficients``: the fit's 52 numbers as they are; ``code``: learned from the target's face crop (the paper's),
    or made from the coefficients by an adapter where no code is given."""
    encoder: ExpressionEncoderConfig = field(default_factory=ExpressionEncoderConfig)
    """Of the code."""


class CoefficientExpression(nn.Module):
    """The expression code that is the coefficients themselves."""

    def __init__(self, coefficients: int, config: DrivingConfig):
        """Args: number of coefficients; not used."""
        super().__init__()
        self.width = coefficients

    def forward(self, driving: DrivingSignal) -> Float[Tensor, "*b width"]:
        """The coefficients."""
        return driving.expression

    def template_coefficients(self, driving: DrivingSignal) -> Float[Tensor, "*b coefficients"]:
        """By how much the template's own expressions move it: the coefficients."""
        return driving.expression

    def shown_in(self, views: ReferenceViews) -> Float[Tensor, "*b views coefficients"] | None:
        """By how much the template's own expressions move it in each reference view; None if nothing is known."""
        return None if views.fit is None else views.fit.expression


class LearnedExpression(nn.Module):
    """The learned code (see :mod:`lca_method.networks.expression_encoder`), or the adapter's where none is given."""

    def __init__(self, coefficients: int, config: DrivingConfig):
        """Args: number of coefficients; sizes."""
        super().__init__()
        self.width = config.encoder.width
        self.encoder = ExpressionEncoder(config.encoder)
        self.adapter = ExpressionAdapter(coefficients, config.encoder)
        self.readout = nn.Linear(self.width, coefficients, bias=False)
        nn.init.normal_(self.readout.weight, std=0.02)  # of zeros the encoder would learn nothing at first

    def forward(self, driving: DrivingSignal) -> Float[Tensor, "*b width"]:
        """The code."""
        return self.adapted(driving.expression) if driving.code is None else driving.code

    def adapted(self, coefficients: Float[Tensor, "*b coefficients"]) -> Float[Tensor, "*b code"]:
        """The adapter's code of named coefficients."""
        return self.encoder.without_identity(self.adapter(coefficients))

    def template_coefficients(self, driving: DrivingSignal) -> Float[Tensor, "*b coefficients"]:
        """By how much the template's own expressions move it, read linearly from the code. Learned from pictures like
        the rest: coefficients that processing estimated have no part in it."""
        return self.readout(self(driving))

    def shown_in(self, views: ReferenceViews) -> Float[Tensor, "*b views coefficients"] | None:
        """By how much the template's own expressions move it in each reference view: as the driving signal would have
        it."""
        if views.fit is None:
            return None
        seen = (views.face_masks.amax(dim=(-3, -2, -1)) > 0).to(views.face_masks)
        code = self.encoder(views.face_images, views.face_masks, seen, views.fit.face_places, unchanged=True)
        return self.readout(code).float()


EXPRESSIONS = {"coefficients": CoefficientExpression, "code": LearnedExpression}
"""By the name in :class:`DrivingConfig`."""


class DrivingVector(nn.Module):
    """Joint rotations (without the root's), expression code and gaze side by side.

    A joint that was not seen looks as at rest. The root's place is left out: where a person stands says nothing about
    how clothes and face look.
    """

    def __init__(self, driven_joints: int, expressions: int, config: DrivingConfig):
        """Args: numbers of driven joints and expression coefficients; what to hold."""
        super().__init__()
        self.config = config
        self.expression = EXPRESSIONS[config.expression](expressions, config)
        numbers = {"rotation_vector": 3, "six_numbers": 6}[config.rotation_code]
        self.width = numbers * driven_joints + self.expression.width + 4

    def forward(self, driving: DrivingSignal) -> Float[Tensor, "*b width"]:
        """The driving vector of each frame."""
        rotations = driving.pose.joint_rotations
        if self.config.rotation_code == "six_numbers":
            rest = torch.eye(2, 3, dtype=rotations.dtype, device=rotations.device).flatten()  # made there, not copied
            rotations = matrix_to_six_numbers(rotation_vector_to_matrix(rotations)) - rest
        if driving.joint_confidence is not None:
            rotations = rotations * driving.joint_confidence[..., None]
        return torch.cat([rotations.flatten(-2), self.expression(driving), driving.pose.gaze.flatten(-2)], dim=-1)
