"""Times of the parts of a relit frame."""

import time
from functools import partial
from statistics import median

import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.frame_timing import FrameTiming, timed, waving
from lca_method.avatar.relight_drawing import over, shown_part, turned_frames
from lca_method.avatar.relight_filming import HiddenDriver
from lca_method.avatar.relight_maps import shipped_names
from lca_method.avatar.relight_options import LightOptions, look_of
from lca_method.avatar.viewpoints import cameras_around
from lca_method.networks.irradiance import irradiance
from lca_method.networks.relight_diffuse import PoseChanges, lit_gaussians, world_normals
from lca_method.networks.relight_shading import facing_camera, shaded
from lca_shared.body.model import BodyPose
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize

PARTS = ("driving", "body's shadows", "shadow network", "diffuse light", "rasterizer", "deferred pass")
"""driving: all that moves the Gaussians; shadow network: with the light that arrives at each Gaussian; rasterizer: ten
channels in place of three; deferred pass: shine, tone curve and the background, per pixel."""
_WARM_UP = 3


def timed_relit_frames(avatar: Avatar, size: int, frames: int) -> FrameTiming:
    """Time a relightable avatar that waves its arms under a shipped map.

    Args:
        avatar: on the device to be timed.
        size: side of the picture, pixels.
        frames: timed, each in another pose.

    Raises:
        ValueError: the avatar is not relightable.
    """
    relight = avatar.relight
    if relight is None:
        raise ValueError("the avatar is not relightable")
    device = avatar.device
    camera = cameras_around(avatar.body, torch.zeros(1, 3), (size, size))[0].to(device)
    look = look_of(LightOptions(shipped_names()[0], 0.0, (), 0.0, "clip", "relit"), device)
    drive, white = HiddenDriver(avatar), torch.ones(3, device=device)
    transfer, body, networks = relight.transfer, relight.shadow_body, relight.per_frame
    none = torch.zeros(0, device=device)
    parts: dict[str, list[float]] = {name: [] for name in PARTS}
    whole = []
    for frame in range(-_WARM_UP, frames):
        signal = waving(avatar, frame)
        start, took = time.perf_counter(), {}
        took["driving"], (gaussians, pose, hidden) = timed(device, partial(drive, signal))
        took["body's shadows"], seen = timed(device, partial(body.visible, none, pose, look.lights))

        def shadow(
            gaussians: Gaussians = gaussians,
            pose: BodyPose = pose,
            seen: torch.Tensor = seen[0],
            hidden: torch.Tensor = hidden,
        ) -> tuple:
            turned, changes = turned_frames(avatar, pose)[0], PoseChanges(*networks.deltas(hidden))
            normals = world_normals(transfer, turned, changes)
            arriving = irradiance(normals, gaussians.means, body.spread(seen), look.lights)
            return networks.shadows(arriving[..., :3], transfer.shadow_code), arriving[..., 3:], changes, turned

        took["shadow network"], (shadows, tint, changes, turned) = timed(device, shadow)

        def light(
            gaussians: Gaussians = gaussians,
            shadows: torch.Tensor = shadows,
            tint: torch.Tensor = tint,
            changes: PoseChanges = changes,
            turned: torch.Tensor = turned,
        ) -> Gaussians:
            return lit_gaussians(transfer, gaussians, look.lights, shadows, tint, changes, frames=turned)

        took["diffuse light"], buffers = timed(device, light)
        took["rasterizer"], drawn = timed(
            device, lambda buffers=buffers: rasterize(facing_camera(buffers, camera), camera)
        )

        def deferred(drawn: object = drawn) -> torch.Tensor:
            picture = shaded(drawn, camera, look.lights)  # type: ignore[arg-type]
            shown = over(shown_part(picture, look), picture.alpha, white)
            return (shown.clamp(0, 1) * 255 + 0.5).to(torch.uint8)

        took["deferred pass"], _ = timed(device, deferred)
        if frame >= 0:
            whole.append(1000 * (time.perf_counter() - start))
            for name, spent in took.items():
                parts[name].append(spent)
    return FrameTiming({name: median(values) for name, values in parts.items()}, median(whole))
