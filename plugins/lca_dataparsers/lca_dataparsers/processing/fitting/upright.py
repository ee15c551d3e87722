"""Which way is up: people who stand have their weight over their feet.

One camera does not tell how it is tilted, but who stands still would fall if the middle of the body were not above what
it stands on. The camera is taken to look down or up, not to be tilted sideways.
"""

import math

import torch

from lca_shared.body import BodyPose, CompactBody
from lca_shared.tensors import Float, Int, Tensor

LOOKED_AT = 16
"""Frames, spread over those in which somebody stands."""
LEAST_FRAMES = 5
"""Fewer say nothing."""
STANDING = 0.5
"""Stillness of feet (0..1 each, both added) from which a frame counts."""
RAISED = 0.9
"""A foot that is nearer to the body's middle than this share of the other's distance stands on nothing."""
LEAST_HEIGHT = 0.8
"""Of the distance of the body's middle from the soles at rest: whoever sits or kneels has something else to lean on."""
MOST = math.radians(35.0)
"""Whoever leans further holds on to something."""


def camera_pitch(
    body: CompactBody,
    shape: Float[Tensor, "coefficients"],
    pose: BodyPose,
    soles: Float[Tensor, "frames 2 2 3"],
    still: Float[Tensor, "frames 2"],
    soles_at_rest: Float[Tensor, "2 2 3"],
) -> float:
    """How far the camera looks down, radians (up: negative); 0 where too few frames show somebody standing.

    Args:
        body: the body model, upright and balanced at rest.
        shape: the person's coefficients.
        pose: [frames], in a world whose -Y is towards the camera and whose Z is the camera's up.
        soles: heel and toes of the left and the right foot, metres, in that world.
        still: how still the feet are, left and right, 0..1.
        soles_at_rest: of the person at rest, metres.
    """
    rows = torch.nonzero(still.sum(dim=1) > STANDING)[:, 0]
    if len(rows) < LEAST_FRAMES:
        return 0.0
    rows = rows[torch.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).long()]
    shaped = body.shaped(shape)
    middle = centre_of_volume(body.skinned(shaped, pose[rows]), body.faces)
    feet = soles[rows].mean(dim=2)
    distance = (feet - middle[:, None]).norm(dim=2)
    weight = still[rows] * (distance > RAISED * distance.max(dim=1, keepdim=True).values)
    up = middle - (weight[..., None] * feet).sum(dim=1) / weight.sum(dim=1, keepdim=True).clamp(min=1e-6)
    at_rest = centre_of_volume(shaped.vertices, body.faces) - soles_at_rest.mean(dim=(0, 1))
    up = up[(weight.sum(dim=1) > STANDING) & (up.norm(dim=1) > LEAST_HEIGHT * at_rest.norm())]
    if len(up) < LEAST_FRAMES:
        return 0.0
    pitch = float((_lean(up) - _lean(at_rest)).median())
    return pitch if abs(pitch) < MOST else 0.0


def _lean(up: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Towards -Y, radians."""
    return torch.atan2(-up[..., 1], up[..., 2])


def centre_of_volume(
    vertices: Float[Tensor, "*batch vertices 3"], faces: Int[Tensor, "faces 3"]
) -> Float[Tensor, "*batch 3"]:
    """Middle of what a closed mesh encloses: tetrahedra from a middle to the faces, by their signed volumes."""
    origin = vertices.mean(dim=-2, keepdim=True)
    a, b, c = (vertices - origin)[..., faces, :].unbind(dim=-2)
    volumes = (a * torch.linalg.cross(b, c)).sum(dim=-1, keepdim=True)
    return origin[..., 0, :] + (volumes * (a + b + c)).sum(dim=-2) / (4.0 * volumes.sum(dim=-2))
