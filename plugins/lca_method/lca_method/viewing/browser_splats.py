"""Gaussians that the browser draws itself, with WebGL."""

import threading
from typing import TYPE_CHECKING, Any

import torch

from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix

if TYPE_CHECKING:
    import viser

FADE = 0.8
"""Seconds: viser 0.2 lets new splats grow for half a second, and so long the points stay."""
FAINT = 0.3
"""Gaussians below this opacity are not sent as points."""


class BrowserSplats:
    """Splats of what stands still, points of what moves.

    viser 0.2, which nerfstudio 1.1.5 asks for, cannot change splats, only replace them, and every time they grow from
    nothing. So a moving avatar is sent as points with the Gaussians' colours, and as splats once it stands.

    Args:
        server: of the page.
    """

    def __init__(self, server: "viser.ViserServer") -> None:
        self._scene = server.scene
        self._splats: Any = None
        self._points: Any = None
        self._count = 0
        self._lock = threading.Lock()

    def show(self, gaussians: Gaussians, still: bool) -> None:
        """Show these Gaussians, world, no batch axes, from now on.

        Args:
            gaussians: what to show.
            still: whether they will stay for a while.
        """
        with self._lock:
            if still:
                self._replace_splats(gaussians)
            else:
                self._move_points(gaussians)

    def _replace_splats(self, gaussians: Gaussians) -> None:
        turn = quaternion_to_matrix(gaussians.quaternions)
        half = turn * gaussians.scales[:, None, :]
        old, self._count = self._splats, self._count + 1
        self._splats = self._scene._add_gaussian_splats(  # not public in viser 0.2
            f"/avatar_{self._count}",  # under an old name the page would keep the old ones
            centers=gaussians.means.cpu().numpy().copy(),
            covariances=(half @ half.mT).cpu().numpy(),
            rgbs=gaussians.colors.clamp(0, 1).cpu().numpy(),
            opacities=gaussians.opacities[:, None].cpu().numpy().copy(),
        )
        if old is not None:
            old.remove()
        if self._points is not None:
            timer = threading.Timer(FADE, self._remove_points, [self._points])
            timer.daemon = True
            timer.start()

    def _move_points(self, gaussians: Gaussians) -> None:
        seen = gaussians.opacities > FAINT
        width = gaussians.scales[seen].sort(dim=-1).values[:, 1:].mean() if bool(seen.any()) else torch.tensor(0.01)
        self._points = self._scene.add_point_cloud(
            "/moving",
            points=gaussians.means[seen].cpu().numpy(),
            colors=(gaussians.colors[seen].clamp(0, 1) * 255).to(torch.uint8).cpu().numpy(),
            point_size=2.0 * float(width),
            point_shape="circle",
        )
        if self._splats is not None:
            self._splats.remove()
            self._splats = None

    def _remove_points(self, points: Any) -> None:
        with self._lock:
            if self._points is points:
                points.remove()
                self._points = None
