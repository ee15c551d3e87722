"""Gaussians that the browser draws itself, with WebGL."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.viewing.pieces import PieceMotion, pieces_of
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    import viser

PIECES = 128
"""Groups of splats."""
MOVED = 2e-4
"""Metres (or half radians): a piece that moved less is not sent."""
FAR = 4e-3
"""Metres, on average over the Gaussians: pieces that lie worse are sent anew once the avatar stands."""
COLORED = 0.03
"""Of sRGB, on average: colours that differ more are sent anew."""


class BrowserSplats:
    """Splats that are sent once and then moved, piece by piece.

    viser 0.2, which nerfstudio 1.1.5 asks for, cannot change splats, and new ones grow from nothing in half a second.
    But it can turn and shift groups of them: an avatar is sent in rigid pieces, and a frame is a few hundred numbers.

    Args:
        server: of the page.
        avatar: who is shown.
    """

    def __init__(self, server: "viser.ViserServer", avatar: Avatar) -> None:
        self._server, self._avatar = server, avatar
        self._motion: PieceMotion | None = None
        self._colors = torch.zeros(0)
        self._handles: list[Any] = []
        self._shown: tuple[Tensor, Tensor] = (torch.zeros(0), torch.zeros(0))
        self._sendings = 0

    def show(self, gaussians: Gaussians, still: bool) -> None:
        """Show these Gaussians, world, no batch axes, from now on.

        Args:
            gaussians: what to show.
            still: whether they will stay for a while: then they may be sent anew, if the pieces do not lie well.
        """
        now = Gaussians(*(getattr(gaussians, f.name).cpu() for f in fields(Gaussians)))
        if self._motion is None:
            self._send(now)
            return
        rotation, place = self._motion.to(now)
        if still and self._off(rotation, place, now):
            self._send(now)
            return
        self._move(rotation, place)

    def _off(self, rotation: Float[Tensor, "pieces 4"], place: Float[Tensor, "pieces 3"], now: Gaussians) -> bool:
        assert self._motion is not None
        if float((now.colors.clamp(0, 1) - self._colors).abs().mean()) > COLORED:
            return True
        return float(self._motion.distance(rotation, place, now).mean()) > FAR

    def _send(self, now: Gaussians) -> None:
        pieces = pieces_of(self._avatar, PIECES) if self._motion is None else self._motion.pieces
        self._motion, self._colors = PieceMotion(now, pieces), now.colors.clamp(0, 1).clone()
        half = quaternion_to_matrix(now.quaternions) * now.scales[:, None, :]
        covariances = half @ half.mT
        old, self._sendings = self._handles, self._sendings + 1
        with self._server.atomic():
            self._handles = []
            for piece in range(self._motion.count):
                its = pieces == piece
                handle = self._server.scene._add_gaussian_splats(  # not public in viser 0.2
                    f"/avatar_{self._sendings}_{piece}",  # under an old name the page would keep the old ones
                    centers=now.means[its].numpy(),
                    covariances=covariances[its].numpy(),
                    rgbs=self._colors[its].numpy(),
                    opacities=now.opacities[its, None].numpy(),
                )
                self._handles.append(handle)
            for handle in old:
                handle.remove()
        still = torch.zeros(self._motion.count, 4)
        still[:, 0] = 1
        self._shown = (still, torch.zeros(self._motion.count, 3))

    def _move(self, rotation: Float[Tensor, "pieces 4"], place: Float[Tensor, "pieces 3"]) -> None:
        old_rotation, old_place = self._shown
        turned = torch.minimum((rotation - old_rotation).norm(dim=1), (rotation + old_rotation).norm(dim=1)) > MOVED
        sent = turned | ((place - old_place).norm(dim=1) > MOVED)
        with self._server.atomic():
            for index in sent.nonzero()[:, 0].tolist():
                self._handles[index].wxyz = tuple(rotation[index].tolist())
                self._handles[index].position = tuple(place[index].tolist())
        self._shown = (
            torch.where(sent[:, None], rotation, old_rotation),
            torch.where(sent[:, None], place, old_place),
        )
