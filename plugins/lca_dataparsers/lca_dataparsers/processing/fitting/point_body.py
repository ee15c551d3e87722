"""The body model reduced to the points that the fit looks at: a few landmarks and a thin sample of the surface."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch

from lca_dataparsers.processing.correspondences import HAND_JOINTS, Correspondences, load_correspondences
from lca_shared.body import get_body_model
from lca_shared.body.anchors import sample_surface
from lca_shared.body.compact_body import CompactBody
from lca_shared.body.kinematics import ActiveRig, forward_kinematics
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Int, Tensor

BODY_LANDMARKS: dict[int, float] = {
    **{0: 0.5, 2: 0.5, 5: 0.5, 7: 0.4, 8: 0.4, 11: 1.0, 12: 1.0, 13: 1.0, 14: 1.0, 15: 1.0, 16: 1.0},
    **{17: 0.4, 18: 0.4, 19: 0.4, 20: 0.4, 21: 0.3, 22: 0.3, 23: 0.7, 24: 0.7, 25: 1.0, 26: 1.0},
    **{27: 1.0, 28: 1.0, 29: 0.6, 30: 0.6, 31: 0.6, 32: 0.6},
}
"""MediaPipe's body landmarks that are fitted, and how much each counts: hips hide under clothes, hands have their own
detector."""

FACE_LANDMARKS: tuple[int, ...] = (
    *(1, 2, 4, 5, 6, 168, 8, 9, 10, 151, 33, 133, 362, 263, 61, 291, 13, 14, 0, 17, 152, 148, 377, 105, 334, 107, 336),
    *(
        70,
        300,
        159,
        145,
        386,
        374,
        129,
        358,
        98,
        327,
        37,
        267,
        84,
        314,
        199,
        200,
        50,
        280,
        205,
        425,
        101,
        330,
        117,
        346,
    ),
    *(36, 266, 48, 278),
)
"""Face landmarks that sit on the same spot of every face: nose, eyes, brows, mouth, chin, cheeks; not the outline."""
FACE_SPREAD_LIMIT = 0.004
"""Metres: face landmarks that wander more than this on renders are left out."""

SURFACE_POINTS = (750, 350)
"""Points on the surface of the body and of the head that stand for the silhouette."""
FEW_SURFACE_POINTS = (400, 200)
"""The same where many frames are fitted and time matters: a fit on them ends where one on all ends."""


@dataclass(frozen=True)
class PointBody:
    """Points that follow shape, expression and pose, in named groups."""

    rig: ActiveRig
    joint_names: tuple[str, ...]
    """Names of the active joints."""
    shape_names: tuple[str, ...]
    joints: Float[Tensor, "active 3"]
    shape_joints: Float[Tensor, "coefficients active 3"]
    points: Float[Tensor, "points 3"]
    shape_points: Float[Tensor, "coefficients points 3"]
    expression_points: Float[Tensor, "expressions face 3"]
    """Displacements of the points of the group ``face``."""
    weights: Float[Tensor, "points active"]
    """Skinning weights."""
    groups: Mapping[str, slice]
    """``body``, ``left_hand``, ``right_hand``, ``face``, ``surface``: slices of the points, in order and without gaps.
    Head points of the surface come last."""
    body_landmarks: tuple[int, ...]
    face_landmarks: tuple[int, ...]
    driven: Int[Tensor, "driven"]
    """Where the driven joints stand among the active joints."""
    eyes: Int[Tensor, "2"]
    head_surface: int
    """How many of the surface points, the last ones, are the head's."""

    def of_shape(
        self, shape: Float[Tensor, "coefficients"]
    ) -> tuple[Float[Tensor, "points 3"], Float[Tensor, "active 3"]]:
        """Rest points and rest joints of a person."""
        points = self.points + torch.tensordot(shape, self.shape_points, dims=1)
        return points, self.joints + torch.tensordot(shape, self.shape_joints, dims=1)

    def face_displacements(self, expression: Float[Tensor, "frames expressions"]) -> Float[Tensor, "frames face 3"]:
        """How the expression moves the face points at rest."""
        return torch.tensordot(expression, self.expression_points, dims=1)

    def transforms(
        self,
        rest_joints: Float[Tensor, "active 3"],
        root: Float[Tensor, "frames 3 3"],
        rotations: Float[Tensor, "frames driven 3"],
        translation: Float[Tensor, "frames 3"],
    ) -> Float[Tensor, "frames active 3 4"]:
        """Rigid transforms of the active joints, rest to world. Eyes follow the head: gaze moves no landmark here."""
        local = torch.eye(3).to(root).expand(len(root), len(self.joint_names), 3, 3)
        local = local.index_copy(1, self.driven, rotation_vector_to_matrix(rotations))
        local = local.index_copy(1, self.driven.new_zeros(1), root[:, None])
        return forward_kinematics(self.rig, rest_joints, local, translation)

    def posed(
        self,
        rest_points: Float[Tensor, "points 3"],
        transforms: Float[Tensor, "frames active 3 4"],
        face_displacements: Float[Tensor, "frames face 3"],
    ) -> dict[str, Float[Tensor, "frames _ 3"]]:
        """World positions of the points, by group.

        One product of [points, 4 active] and [4 active, 3 frames]: blending first would make a 3x4 matrix for every
        point of every frame, and fitting would spend its time on memory.
        """
        frames, active = transforms.shape[:2]
        homogeneous = torch.cat([rest_points, torch.ones_like(rest_points[:, :1])], dim=1)
        weighted = (self.weights[:, :, None] * homogeneous[:, None]).flatten(1)
        columns = transforms.permute(1, 3, 0, 2).reshape(active * 4, frames * 3)
        points = (weighted @ columns).unflatten(1, (frames, 3)).transpose(0, 1)
        sizes = [group.stop - group.start for group in self.groups.values()]
        groups = dict(zip(self.groups, points.split(sizes, dim=1), strict=True))
        turned = (self.weights[self.groups["face"]] @ transforms[..., :3].flatten(2)).unflatten(-1, (3, 3))
        groups["face"] = groups["face"] + (turned @ face_displacements[..., None])[..., 0]
        return groups

    def without_surface(self) -> "PointBody":
        """The same without the group ``surface``, for stages that do not look at the silhouette."""
        return self.with_surface(slice(0, 0))

    def with_surface(self, kept: slice | Int[Tensor, "kept"]) -> "PointBody":
        """The same with some of the surface points."""
        surface = self.groups["surface"]
        index = torch.arange(surface.start, surface.stop, device=self.points.device)[kept]
        index = torch.cat([torch.arange(surface.start, device=index.device), index])
        return replace(
            self,
            points=self.points[index],
            shape_points=self.shape_points[:, index],
            weights=self.weights[index],
            groups={**self.groups, "surface": slice(surface.start, len(index))},
        )

    def to(self, dtype: torch.dtype) -> "PointBody":
        """The same in another precision."""
        names = ("joints", "shape_joints", "points", "shape_points", "expression_points", "weights")
        return replace(self, **{name: getattr(self, name).to(dtype) for name in names})


@cache
def get_point_body(name: str = "anny", surface_points: tuple[int, int] = SURFACE_POINTS) -> PointBody:
    """The points of body model ``name``, from the table of correspondences that ships with the package."""
    return make_point_body(get_body_model(name), load_correspondences(), surface_points)


def make_point_body(
    body: CompactBody, table: Correspondences, surface_points: tuple[int, int] = SURFACE_POINTS
) -> PointBody:
    """Gather the points of all groups. Raises ValueError if the table lacks a fitted body landmark."""
    active = [body.joint_names[i] for i in body.active.joints.tolist()]
    parts = [_body_points(body, table)]
    parts += [_hand_points(body, side) for side in ("L", "R")]
    face = [p for p in table.face if p.landmark in FACE_LANDMARKS and p.spread < FACE_SPREAD_LIMIT]
    parts.append(_face_points(body, face))
    parts.append(_surface_points(body, surface_points))
    groups, start = {}, 0
    for group, part in zip(("body", "left_hand", "right_hand", "face", "surface"), parts, strict=True):
        groups[group] = slice(start, start + len(part[0]))
        start += len(part[0])
    return PointBody(
        rig=body.active,
        joint_names=tuple(active),
        shape_names=body.shape_names,
        joints=body.template_joints[body.active.joints],
        shape_joints=body.shape_joints[:, body.active.joints],
        points=torch.cat([p for p, _, _ in parts]),
        shape_points=torch.cat([s for _, s, _ in parts], dim=1),
        expression_points=_face_expressions(body, face),
        weights=torch.cat([w for _, _, w in parts]),
        groups=groups,
        body_landmarks=tuple(BODY_LANDMARKS),
        face_landmarks=tuple(p.landmark for p in face),
        driven=torch.tensor([active.index(joint) for joint in body.driven_joints]),
        eyes=torch.tensor([active.index(joint) for joint in body.eye_joints]),
        head_surface=surface_points[1],
    )


_Part = tuple[Float[Tensor, "points 3"], Float[Tensor, "coefficients points 3"], Float[Tensor, "points active"]]


def _rigid(body: CompactBody, joints: list[str]) -> tuple[list[int], Float[Tensor, "points active"]]:
    """Rig indices of joints, and skinning weights of points that hang on them."""
    index = [body.joint_names.index(joint) for joint in joints]
    return index, torch.nn.functional.one_hot(body.active.of_joint[index], len(body.active.joints)).float()


def _body_points(body: CompactBody, table: Correspondences) -> _Part:
    rows = {p.landmark: p for p in table.body}
    missing = [k for k in BODY_LANDMARKS if k not in rows]
    if missing:
        raise ValueError(f"the table of correspondences lacks the body landmarks {missing}")
    index, weights = _rigid(body, [rows[k].joint for k in BODY_LANDMARKS])
    points = body.template_joints[index] + torch.tensor([rows[k].offset for k in BODY_LANDMARKS])
    shape = body.shape_joints[:, index].clone()
    # Points of the head widen with the head: a fixed mix of its surface that is exact under affine changes.
    surface = torch.nonzero(body.regions["head"] & (body.active_weights.max(dim=1).values > 0.99))[::40, 0]
    for i, k in enumerate(BODY_LANDMARKS):
        if rows[k].joint == "head":
            mix = affine_mix(points[i], body.template_vertices[surface])
            shape[:, i] = torch.einsum("v,svd->sd", mix, body.shape_vertices[:, surface])
    return points, shape, weights


def affine_mix(point: Float[Tensor, "3"], vertices: Float[Tensor, "vertices 3"]) -> Float[Tensor, "vertices"]:
    """The most even weights, summing to one, that mix ``vertices`` into ``point``."""
    even = torch.full((len(vertices),), 1.0 / len(vertices), dtype=torch.float64)
    rows = torch.cat([vertices.double(), torch.ones(len(vertices), 1, dtype=torch.float64)], dim=1).T
    wanted = torch.cat([point.double(), torch.ones(1, dtype=torch.float64)])
    return (even + rows.T @ torch.linalg.solve(rows @ rows.T, wanted - rows @ even)).float()


def _hand_points(body: CompactBody, side: str) -> _Part:
    points, shapes, weights = [], [], []
    for name in HAND_JOINTS:
        tip = name.endswith("-tip")
        joint = f"{name.replace('-tip', '-3')}.{side}"
        index, weight = _rigid(body, [joint])
        if tip:
            vertex = fingertip(body, joint)
            points.append(body.template_vertices[vertex])
            shapes.append(body.shape_vertices[:, vertex])
        else:
            points.append(body.template_joints[index[0]])
            shapes.append(body.shape_joints[:, index[0]])
        weights.append(weight[0])
    return torch.stack(points), torch.stack(shapes, dim=1), torch.stack(weights)


def fingertip(body: CompactBody, last_joint: str) -> int:
    """The vertex of a finger's last bone that is farthest from its joint."""
    joint = body.joint_names.index(last_joint)
    on_bone = body.skinning_weights[:, joint] > 0.5
    distance = (body.template_vertices - body.template_joints[joint]).norm(dim=1)
    return int((distance * on_bone).argmax())


def _face_points(body: CompactBody, rows: list) -> _Part:
    corners = torch.tensor([p.vertices for p in rows])
    weights = torch.tensor([p.barycentric for p in rows])
    return (
        torch.einsum("pc,pcd->pd", weights, body.template_vertices[corners]),
        torch.einsum("pc,spcd->spd", weights, body.shape_vertices[:, corners]),
        torch.einsum("pc,pca->pa", weights, body.active_weights[corners]),
    )


def _face_expressions(body: CompactBody, rows: list) -> Float[Tensor, "expressions face 3"]:
    corners = torch.tensor([p.vertices for p in rows])
    weights = torch.tensor([p.barycentric for p in rows])
    displaced = torch.zeros(len(body.expression_names), *body.template_vertices.shape)
    displaced[:, body.expression_index] = body.expression_vertices
    return torch.einsum("pc,epcd->epd", weights, displaced[:, corners])


def _surface_points(body: CompactBody, counts: tuple[int, int]) -> _Part:
    head = body.regions["head"][body.faces].all(dim=1)
    hidden = (body.regions["hidden"] | body.regions["eyes"] | body.regions["mouth_interior"])[body.faces].any(dim=1)
    parts = []
    for mask, count in ((~head & ~hidden, counts[0]), (head & ~hidden, counts[1])):
        found = sample_surface(body.template_vertices, body.faces, count, face_mask=mask)
        parts.append(
            [found.read(x, body.faces) for x in (body.template_vertices, body.shape_vertices, body.active_weights)]
        )
    (p0, s0, w0), (p1, s1, w1) = parts
    return torch.cat([p0, p1]), torch.cat([s0, s1], dim=1), torch.cat([w0, w1])
