"""A figure of capsules, as Gaussians of two to six pixels, and cameras around it."""

import torch

from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians

_CAPSULES = torch.tensor(
    [  # from (x, y, z) to (x, y, z), radius; metres, Z up
        [0.0, 0, 1.0, 0, 0, 1.5, 0.17],
        [0.0, 0, 1.63, 0, 0, 1.7, 0.11],
        [-0.2, 0, 1.45, -0.6, 0, 1.05, 0.055],
        [0.2, 0, 1.45, 0.6, 0, 1.05, 0.055],
        [-0.1, 0, 0.95, -0.17, 0, 0.1, 0.085],
        [0.1, 0, 0.95, 0.17, 0, 0.1, 0.085],
    ],
    dtype=torch.float64,
)


def capsule_figure(count: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Gaussians:
    """Gaussians on a standing figure, sized for a picture of ``size`` pixels from three metres away."""
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    share = torch.tensor([0.35, 0.12, 0.1, 0.1, 0.165, 0.165], dtype=torch.float64)
    capsule = _CAPSULES[torch.multinomial(share, count, True, generator=generator)]
    axis = capsule[:, 3:6] - capsule[:, :3]
    outward = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator, dtype=torch.float64), dim=-1)
    means = capsule[:, :3] + random(count, 1) * axis + outward * capsule[:, 6:] * (0.9 + 0.1 * random(count, 1))
    metres_per_pixel = 3.0 / (1.6 * size)
    deviations = (0.5 + 1.9 * random(count, 1)) * metres_per_pixel
    return Gaussians(
        means=means,
        quaternions=torch.randn(count, 4, generator=generator, dtype=torch.float64),
        scales=deviations * torch.tensor([1.0, 0.8, 0.25], dtype=torch.float64) * (0.7 + 0.3 * random(count, 3)),
        opacities=0.3 + 0.69 * random(count),
        colors=random(count, 3),
    ).to(dtype=dtype)


def ring(count: int, size: int, dtype: torch.dtype = torch.float32) -> Cameras:
    """Cameras three metres around the figure."""
    angle = torch.arange(count, dtype=torch.float64) * (2 * torch.pi / count) + 0.3
    eye = torch.stack([3 * angle.sin(), -3 * angle.cos(), torch.full_like(angle, 1.2)], dim=-1)
    poses = look_at(eye, torch.tensor([0.0, 0.0, 0.9], dtype=torch.float64).expand(count, 3))
    return Cameras(poses, pinhole_intrinsics(1.6 * size, size, size).expand(count, 3, 3), size, size).to(dtype=dtype)
