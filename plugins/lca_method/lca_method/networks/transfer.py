"""How each Gaussian of a person turns light into radiance."""

from dataclasses import dataclass, fields

from lca_shared.tensors import Float, Tensor

BANDS = 3
"""Highest degree of the zonal lobes; they have no band 0, so that they only move light about."""


@dataclass(frozen=True)
class Transfer:
    """Radiance transfer at rest. Directions are in each Gaussian's own frame: they turn with its quaternion.

    A Gaussian's diffuse transfer is ``openness`` times a clamped cosine about its normal, plus zonal lobes without a
    mean: under even light of 1 it sends back ``albedo * openness``, never more than 1 (the white furnace).
    """

    albedo: Float[Tensor, "*b gaussians 3"]
    """Linear, below 1."""
    normals: Float[Tensor, "*b gaussians 3"]
    """Unit."""
    openness: Float[Tensor, "*b gaussians"]
    """0..1: how much of the light above the surface reaches it."""
    lobe_axes: Float[Tensor, "*b gaussians lobes 3"]
    """Unit."""
    lobe_bands: Float[Tensor, "*b gaussians lobes bands"]
    """Zonal numbers of bands 1 to :data:`BANDS`."""
    roughness: Float[Tensor, "*b gaussians"]
    """0.2 = glossy to 1 = matt."""
    specular: Float[Tensor, "*b gaussians"]
    """Share of light that is mirrored at right angles, 0 to 0.2."""
    shadow_code: Float[Tensor, "*b gaussians code"]
    """What the shadow network knows of a Gaussian."""

    def of_frames(self, frames: int) -> "Transfer":
        """With a new axis of ``frames`` after the batch axes, without copying."""
        at = self.openness.ndim - 1

        def repeated(value: Tensor) -> Tensor:
            return value.unsqueeze(at).expand(*value.shape[:at], frames, *value.shape[at:])

        return Transfer(**{f.name: repeated(getattr(self, f.name)) for f in fields(self)})

    def __getitem__(self, index: int) -> "Transfer":
        """One element of the first batch axis."""
        return Transfer(**{f.name: getattr(self, f.name)[index] for f in fields(self)})
