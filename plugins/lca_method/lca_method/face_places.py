"""Where the face is in a head crop, upright: what the encoder of expressions looks at.

A head crop is a box around the projected head: in it faces are tilted and off its middle. The fitted body knows where
they are. Taking that away leaves less for an encoder to learn to ignore, and less by which it could tell people apart.
Not in the paper, which says "face crop".
"""

from dataclasses import dataclass
from functools import cache

import torch

from lca_shared.body import get_body_model
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.model import BodyPose
from lca_shared.cameras import Cameras, project
from lca_shared.tensors import Float, Tensor

_HALF = 3.0
"""Half the square's side over the distance between the middles of the eyes and of the face."""
_LEAST = 1 / 16
"""That distance counts as this fraction of the crop's side at least: of a face that looks up it nearly vanishes."""


@dataclass(frozen=True)
class FaceMarks:
    """The vertices of a body that tell where its face is."""

    body: CompactBody
    """Of the vertices alone."""
    eyes: tuple[int, ...]
    """Rows of the fronts of both eyes; all rows are the face's else."""

    @staticmethod
    @cache
    def of(name: str) -> "FaceMarks":
        """Of a body model by its name."""
        body = get_body_model(name)
        fronts = (body.regions["eyes"] & ~body.regions["hidden"]).nonzero()[:, 0]
        face = body.regions["face"].nonzero()[:, 0]
        return FaceMarks(body.subset(torch.cat([fronts, face])), tuple(range(len(fronts))))

    def places(
        self, shape: Float[Tensor, "coefficients"], pose: BodyPose, cameras: Cameras
    ) -> Float[Tensor, "frames 2 3"]:
        """The affine map that takes a square around the upright face (coordinates -1..1, x to the right, y down) to the
        crops of ``cameras`` (likewise -1..1), as ``torch.nn.functional.affine_grid`` wants it.

        Expression and gaze have no part in it.

        Args:
            shape: of the person.
            pose: of the frames.
            cameras: of the head crops.
        """
        vertices = self.body.skinned(self.body.shaped(shape), pose)
        count = len(self.eyes)
        points = torch.stack([vertices[:, :count].mean(dim=1), vertices[:, count:].mean(dim=1)], dim=1)
        pixels = project(cameras, points)[0]
        eyes, middle = (2 * pixels / pixels.new_tensor([cameras.width, cameras.height]) - 1).unbind(dim=1)
        up = eyes - middle
        turn = torch.atan2(up[:, 0], -up[:, 1])
        half = _HALF * up.norm(dim=1).clamp(min=2 * _LEAST)
        across, down = half * turn.cos(), half * turn.sin()
        center = (eyes + middle) / 2
        rows = [torch.stack([across, -down, center[:, 0]], dim=1), torch.stack([down, across, center[:, 1]], dim=1)]
        return torch.stack(rows, dim=1).nan_to_num()
