"""How an avatar is drawn: on which background, and what a view of it consists of."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch

from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_shared.rendering import Backend, Rendering

Background = Literal["white", "grey", "black"]
BACKGROUNDS: dict[Background, float] = {"white": 1.0, "grey": 0.5, "black": 0.0}


def background_color(name: Background, device: torch.device | str) -> Float[Tensor, "3"]:
    """sRGB."""
    return torch.full((3,), BACKGROUNDS[name], device=device)


def drawn(gaussians: Gaussians, cameras: Cameras, background: Float[Tensor, "3"], backend: "Backend") -> "Rendering":
    """Rasterize in full precision, also under autocast."""
    from lca_shared.rendering import rasterize  # not needed by `ns-train --help`

    with torch.autocast(background.device.type, enabled=False):
        return rasterize(gaussians, cameras, background=background, backend=backend)


def view_outputs(
    canonical: Gaussians, posed: Gaussians, camera: Cameras, render: "Callable[[Gaussians, Cameras], Rendering]"
) -> dict[str, Tensor]:
    """One view of an avatar, channels last.

    Args:
        canonical: in the view's pose, without the pose-dependent deltas; no batch axes.
        posed: with them.
        camera: no batch axes.
        render: draws Gaussians.

    Returns:
        ``rgb`` [height, width, 3] posed; ``canonical`` [height, width, 3]; ``depth`` [height, width, 1] metres along
        the viewing ray (the farthest where there is nobody); ``accumulation`` [height, width, 1].
    """
    picture = render(posed, camera)
    alpha = picture.alpha.movedim(0, -1)
    depth = picture.depth.movedim(0, -1) * _ray_lengths(camera)[..., None]
    farthest = depth[alpha > 0.5].max() if bool((alpha > 0.5).any()) else depth.new_tensor(0.0)
    return {
        "rgb": picture.colors.movedim(0, -1).clamp(0, 1),
        "canonical": render(canonical, camera).colors.movedim(0, -1).clamp(0, 1),
        "depth": torch.where(alpha > 0.5, depth, farthest),
        "accumulation": alpha,
    }


def _ray_lengths(camera: Cameras) -> Float[Tensor, "h w"]:
    """Length of each pixel's viewing ray up to unit depth."""
    device = camera.intrinsics.device
    x = (torch.arange(camera.width, device=device) + 0.5 - camera.intrinsics[0, 2]) / camera.intrinsics[0, 0]
    y = (torch.arange(camera.height, device=device) + 0.5 - camera.intrinsics[1, 2]) / camera.intrinsics[1, 1]
    return (1 + x.square()[None, :] + y.square()[:, None]).sqrt()
