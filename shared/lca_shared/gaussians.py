"""The container of 3D Gaussians that everything renders, deforms, saves and exchanges."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Gaussians:
    """3D Gaussians after their activations: what a rasterizer takes."""

    means: Float[Tensor, "*batch gaussians 3"]
    """Centres, metres."""
    quaternions: Float[Tensor, "*batch gaussians 4"]
    """Orientations, wxyz; need not have unit length."""
    scales: Float[Tensor, "*batch gaussians 3"]
    """Standard deviations along the Gaussian's own axes, metres, positive."""
    opacities: Float[Tensor, "*batch gaussians"]
    """Between 0 and 1."""
    colors: Float[Tensor, "*batch gaussians channels"]
    """sRGB between 0 and 1, or any other channels."""

    @property
    def batch_shape(self) -> torch.Size:
        """The leading axes."""
        return self.means.shape[:-2]

    @property
    def count(self) -> int:
        """Gaussians in each element of the batch."""
        return self.means.shape[-2]

    def __getitem__(self, index: Any) -> "Gaussians":
        """Index the leading (batch) axes."""
        return Gaussians(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def select(self, index: Tensor) -> "Gaussians":
        """Keep the Gaussians named by an index or a mask along the Gaussian axis (no batch axes)."""
        return self[index]

    def expanded(self, batch_shape: tuple[int, ...]) -> "Gaussians":
        """With these leading axes, without copying; those there are must broadcast to them."""
        own = len(self.batch_shape)

        def expand(value: Tensor) -> Tensor:
            return value.expand(*batch_shape, *value.shape[own:])

        return Gaussians(**{f.name: expand(getattr(self, f.name)) for f in fields(self)})

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> "Gaussians":
        """The same Gaussians on another device or in another precision."""
        return Gaussians(**{f.name: getattr(self, f.name).to(device=device, dtype=dtype) for f in fields(self)})

    def with_colors(self, colors: Float[Tensor, "*batch gaussians channels"]) -> "Gaussians":
        """The same Gaussians with other channels."""
        return replace(self, colors=colors)
