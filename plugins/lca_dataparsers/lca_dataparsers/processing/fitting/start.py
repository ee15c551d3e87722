"""Where the search begins: the torso's orientation in closed form, then the translation in closed form."""

import torch

from lca_dataparsers.processing.fitting.point_body import PointBody
from lca_dataparsers.processing.fitting.state import FitState, Prediction, rest_state, to_camera
from lca_dataparsers.processing.fitting.targets import Targets
from lca_shared.tensors import Float, Tensor

TORSO_WEIGHTS = {11: 1.0, 12: 1.0, 23: 1.0, 24: 1.0, 7: 0.3, 8: 0.3, 0: 0.3}
"""Body landmarks that turn with the torso, and how much each counts."""


def start_state(targets: Targets, body: PointBody, driven: int) -> FitState:
    """Rest pose, turned so that the torso lies as in the detector's 3D points (Kabsch)."""
    state = rest_state(len(targets), len(body.shape_points), driven, body.points)
    landmarks = [body.body_landmarks.index(k) for k in TORSO_WEIGHTS]
    weights = body.points.new_tensor(list(TORSO_WEIGHTS.values()))[:, None]
    rest = _centred(body.points[body.groups["body"]][landmarks], weights)
    seen = _centred(from_camera(targets.body_world[:, landmarks]), weights)
    return FitState(**{**vars(state), "root_start": _best_turn(rest, seen, weights)})


def from_camera(points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Points or directions in the camera's axes in the fit's world: the inverse of ``to_camera``."""
    return torch.stack([points[..., 0], points[..., 2], -points[..., 1]], dim=-1)


def placed(state: FitState, prediction: Prediction, targets: Targets, focal: float) -> FitState:
    """The state with the translation that best projects the body points as posed (linear least squares)."""
    points = to_camera(prediction.points["body"] - state.translation[:, None])
    rays = (targets.body - 0.5 * targets.picture) / focal
    weight = targets.body_weight.clamp(min=1e-4)
    one, zero = torch.ones_like(weight), torch.zeros_like(weight)
    # x + tx = u (z + tz): two rows a landmark, unknown t in the camera's axes.
    rows = torch.cat([torch.stack([one, zero, -rays[..., 0]], -1), torch.stack([zero, one, -rays[..., 1]], -1)], dim=1)
    right = (rays * points[..., 2:] - points[..., :2]).mT.flatten(1)
    weights = torch.cat([weight, weight], dim=1)
    normal = torch.einsum("tri,tr,trj->tij", rows, weights, rows)
    moved = torch.linalg.solve(normal, torch.einsum("tri,tr,tr->ti", rows, weights, right))
    return FitState(**{**vars(state), "translation": from_camera(moved)})


def _best_turn(
    rest: Float[Tensor, "points 3"], seen: Float[Tensor, "frames points 3"], weights: Float[Tensor, "points 1"]
) -> Float[Tensor, "frames 3 3"]:
    """Rotations that bring ``rest`` nearest to ``seen``, both centred (W. Kabsch, 1976).

    Not roma's: with it comes torch's compiler, which takes longer to load than a clip to fit.
    """
    left, _, right = torch.linalg.svd((weights * seen).mT @ rest)
    sign = torch.ones_like(left[..., 0])
    sign[..., 2] = torch.linalg.det(left @ right)
    return (left * sign[..., None, :]) @ right


def _centred(points: Float[Tensor, "*batch points 3"], weights: Float[Tensor, "points 1"]) -> Tensor:
    return points - (points * weights).sum(dim=-2, keepdim=True) / weights.sum()
