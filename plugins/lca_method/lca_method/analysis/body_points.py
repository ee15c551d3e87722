"""Points of the body by name, and the geometric token that stands for each."""

from dataclasses import dataclass

import torch

from lca_method.networks.lca import LCA
from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class BodyPoint:
    """Where a ray from the middle of some joints leaves the template."""

    joints: tuple[str, ...]
    direction: tuple[float, float, float]
    """At rest: +x is the person's left, -y their front, +z up."""


_FRONT, _BACK, _UP, _DOWN = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, -1.0)
POINTS: dict[str, BodyPoint] = {
    "nose": BodyPoint(("eye.L", "eye.R", "oris05"), _FRONT),
    "mouth": BodyPoint(("oris05",), _FRONT),
    "forehead": BodyPoint(("eye.L", "eye.R"), (0.0, -1.0, 0.7)),
    "crown": BodyPoint(("head",), _UP),
    "back_of_head": BodyPoint(("eye.L", "eye.R"), _BACK),
    "chest": BodyPoint(("spine01",), _FRONT),
    "belly": BodyPoint(("spine05", "spine04"), _FRONT),
    "back": BodyPoint(("spine02", "spine03"), _BACK),
    "left_shoulder": BodyPoint(("upperarm01.L",), (0.4, 0.0, 1.0)),
    "right_shoulder": BodyPoint(("upperarm01.R",), (-0.4, 0.0, 1.0)),
    "left_elbow": BodyPoint(("lowerarm01.L",), _BACK),
    "right_elbow": BodyPoint(("lowerarm01.R",), _BACK),
    "left_hand": BodyPoint(("metacarpal2.L", "finger3-1.L"), (1.0, 0.0, 0.5)),
    "right_hand": BodyPoint(("metacarpal2.R", "finger3-1.R"), (-1.0, 0.0, 0.5)),
    "left_knee": BodyPoint(("lowerleg01.L",), _FRONT),
    "right_knee": BodyPoint(("lowerleg01.R",), _FRONT),
    "left_foot": BodyPoint(("foot.L", "toe2-1.L"), _UP),
    "right_foot": BodyPoint(("foot.R", "toe2-1.R"), _UP),
}
"""For Anny's joints."""


def tokens_at(network: LCA, body: CompactBody, names: tuple[str, ...]) -> tuple[list[int], Float[Tensor, "points"]]:
    """The geometric token nearest to each named point on the template.

    Args:
        network: whose tokens.
        body: on the network's device.
        names: keys of :data:`POINTS`.

    Returns:
        Index of each token, and how far it is from the named point, metres.

    Raises:
        UserError: there is no point of that name, or the body model lacks the joints that define it.
    """
    tokens = SurfacePoints(network.token_faces, network.token_barycentric).read(body.template_vertices, body.faces)
    places = torch.stack([place_of(name, body) for name in names])
    distances, nearest = torch.cdist(places, tokens).min(dim=1)
    return nearest.tolist(), distances


def place_of(name: str, body: CompactBody) -> Float[Tensor, "3"]:
    """A named point on the template at rest, metres.

    Raises:
        UserError: see :func:`tokens_at`.
    """
    if name not in POINTS:
        raise UserError(f"There is no body point {name!r}. Choose from: {', '.join(POINTS)}.")
    point = POINTS[name]
    missing = [joint for joint in point.joints if joint not in body.joint_names]
    if missing:
        raise UserError(f"The body model {body.name!r} has no joint {missing[0]}, which {name!r} is defined by.")
    joints = [body.joint_names.index(joint) for joint in point.joints]
    middle = body.template_joints[joints].mean(dim=0)
    direction = torch.nn.functional.normalize(middle.new_tensor(point.direction), dim=0)
    return _where_it_leaves(middle, direction, body)


def _where_it_leaves(start: Tensor, direction: Tensor, body: CompactBody) -> Tensor:
    """The last of the places within 0.4 m where a ray crosses the visible skin from inside (Möller and Trumbore's
    test); e.g. a ray to the nose from inside the head first crosses the mouth's inside."""
    corners = body.template_vertices[body.faces]
    first, second, third = corners.unbind(dim=1)
    edge1, edge2, offset = second - first, third - first, start - first
    across = torch.linalg.cross(direction.expand_as(edge2), edge2)
    determinant = (edge1 * across).sum(-1)
    u = (offset * across).sum(-1) / determinant
    along = torch.linalg.cross(offset, edge1)
    v = (direction * along).sum(-1) / determinant
    distance = (edge2 * along).sum(-1) / determinant
    outward = (torch.linalg.cross(edge1, edge2) * direction).sum(-1) > 0
    hidden = body.regions["hidden"][body.faces].any(dim=1)
    hit = outward & ~hidden & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > 0) & (distance < 0.4)
    if not bool(hit.any()):
        raise UserError(f"The ray that defines a point of the body does not meet the skin of {body.name!r}.")
    return start + direction * distance[hit].max()
