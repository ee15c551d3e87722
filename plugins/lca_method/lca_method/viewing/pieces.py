"""An avatar in rigid pieces, for a browser that cannot change splats, only turn and shift groups of them."""

import torch

from lca_method.avatar.avatar import Avatar
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import normalized, quaternion_product, quaternion_to_matrix
from lca_shared.tensors import Float, Int, Tensor

JOINT_METRES = 0.3
"""Gaussians that hang on different joints count as this far apart."""
_ROUNDS = 12


def pieces_of(avatar: Avatar, count: int) -> Int[Tensor, "gaussians"]:
    """To which piece each Gaussian belongs, ``0 ... pieces - 1``: near each other at rest, and on the same joints.

    k-means; the same for the same avatar. There may be fewer than ``count``.

    Args:
        avatar: on any device.
        count: pieces at most.
    """
    means, weights = avatar.canonical.means, avatar.skinning_weights
    points = torch.cat([means, JOINT_METRES * weights], dim=1).cpu()
    centers = points[torch.linspace(0, len(points) - 1, min(count, len(points))).long()].clone()
    for _ in range(_ROUNDS):
        nearest = torch.cdist(points, centers).argmin(dim=1)
        sums = torch.zeros_like(centers).index_add(0, nearest, points)
        number = torch.bincount(nearest, minlength=len(centers))[:, None]
        centers = torch.where(number > 0, sums / number.clamp(min=1), centers)
    return torch.unique(torch.cdist(points, centers).argmin(dim=1), return_inverse=True)[1]


class PieceMotion:
    """Turns and shifts of pieces between some Gaussians and others.

    Args:
        start: where the pieces are as they are; no batch axes.
        pieces: of :func:`pieces_of`.
    """

    def __init__(self, start: Gaussians, pieces: Int[Tensor, "gaussians"]) -> None:
        self.pieces, self.count = pieces, int(pieces.max()) + 1
        self._start = start.means.clone()
        self._undone = normalized(start.quaternions) * start.quaternions.new_tensor([1.0, -1.0, -1.0, -1.0])
        self._number = torch.bincount(pieces, minlength=self.count)[:, None]
        self._center = self._mean(self._start)
        distance = (self._start - self._center[pieces]).norm(dim=1)
        order = torch.argsort(distance, descending=True)
        self._middle = torch.empty(self.count, dtype=torch.long).scatter_(0, pieces[order], order)  # the last one stays

    def to(self, now: Gaussians) -> tuple[Float[Tensor, "pieces 4"], Float[Tensor, "pieces 3"]]:
        """Rotations (unit, wxyz) and places of the pieces' frames: a point ``p`` of the start comes to ``R p + t``.

        A piece turns as its Gaussians do on average and goes where their middle is.

        Args:
            now: the same Gaussians elsewhere.
        """
        turns = quaternion_product(normalized(now.quaternions), self._undone)
        same = (turns * turns[self._middle][self.pieces]).sum(dim=1, keepdim=True) >= 0
        rotation = normalized(self._mean(torch.where(same, turns, -turns)))
        center = (quaternion_to_matrix(rotation) @ self._center[:, :, None])[..., 0]
        return rotation, self._mean(now.means) - center

    def distance(
        self, rotation: Float[Tensor, "pieces 4"], place: Float[Tensor, "pieces 3"], now: Gaussians
    ) -> Float[Tensor, "gaussians"]:
        """How far each Gaussian is from where it should be, metres, when the pieces lie so."""
        turned = (quaternion_to_matrix(rotation)[self.pieces] @ self._start[:, :, None])[..., 0]
        return (turned + place[self.pieces] - now.means).norm(dim=1)

    def _mean(self, values: Float[Tensor, "gaussians n"]) -> Float[Tensor, "pieces n"]:
        return values.new_zeros(self.count, values.shape[1]).index_add(0, self.pieces, values) / self._number
