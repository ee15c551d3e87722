"""Pictures of people given as tokens, through LCA's frozen heads."""

import math
from dataclasses import dataclass

import torch

from genlca_method.tokens.layout import TokenLayout
from lca_method.batch import DrivingSignal
from lca_method.networks.subject import SubjectCode
from lca_method.trained_network import TrainedNetwork
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor

_DISTANCE = 3.5
"""Metres from the camera to the middle of the body."""
_ROOM = 2.2
"""Metres across the picture."""


@dataclass(frozen=True)
class TokenRenderer:
    """Decodes tokens and draws them at rest. Gradients go to the tokens."""

    trained: TrainedNetwork
    layout: TokenLayout

    def decoded(
        self, vectors: Float[Tensor, "*b anchors channels"], shapes: Float[Tensor, "*b coefficients"]
    ) -> SubjectCode:
        """People as LCA knows them."""
        return self.trained.network.decode(self.layout.unpack(vectors), shapes, step=self.trained.training_step)

    def at_rest(self, code: SubjectCode, cameras: Cameras) -> Rendering:
        """Pictures ``[people views ...]`` of people ``[people]`` standing at rest; cameras ``[people views]``."""
        body = self.trained.body
        people, views = cameras.batch_shape
        pose = BodyPose.rest(len(body.driven_joints), (people, views)).to(self.trained.device)
        expression = torch.zeros(people, views, len(body.expression_names), device=self.trained.device)
        _, posed = self.trained.network.drive(code, DrivingSignal(pose, expression))
        return self.trained.render(posed, cameras)


def cameras_at(angles: Float[Tensor, "*b"], size: int) -> Cameras:
    """Cameras of square pictures around a person at rest; 0 = in front, then towards the person's left (radians)."""
    low, high = -0.85, 0.85
    middle = angles.new_tensor([0.0, 0.0, (low + high) / 2])
    eye = middle + _DISTANCE * torch.stack([angles.sin(), -angles.cos(), torch.zeros_like(angles)], dim=-1)
    intrinsics = pinhole_intrinsics(_DISTANCE / _ROOM * size, size, size).to(angles)
    return Cameras(look_at(eye, middle.expand_as(eye)), intrinsics.expand(*angles.shape, 3, 3), size, size)


def random_angles(shape: tuple[int, ...], generator: torch.Generator) -> Float[Tensor, "*b"]:
    """Anywhere around."""
    return 2 * math.pi * torch.rand(shape, generator=generator)
