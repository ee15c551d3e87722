"""An environment map ready to shade with: what matt surfaces take up, and blurred copies for shine."""

from dataclasses import dataclass, replace

import torch

from lca_shared.lighting.equirectangular import directions_of, looked_up, shrunk, solid_angles
from lca_shared.lighting.key_lights import KeyLights, key_lights
from lca_shared.lighting.spherical_gaussian import gaussian_value
from lca_shared.lighting.spherical_harmonics import projected, rotated
from lca_shared.tensors import Float, Tensor

SHARPNESSES = (0.5, 2.0, 8.0, 32.0, 128.0, 512.0)
"""Of the blurred copies, evenly spaced in the logarithm."""
_HEIGHT = 32
"""Rows of the tables: 5.6 degrees a pixel."""


@dataclass(frozen=True)
class Environment:
    """Light from all directions, far away. Tables are kept in the map's own frame and looked up through a rotation, so
    that turning it costs nothing and loses nothing."""

    matt: Float[Tensor, "height width 3"]
    """Radiance that a white matt surface with that normal sends back."""
    blurred: Float[Tensor, "levels height width 3"]
    """The map under lobes of integral 1 of each of :data:`SHARPNESSES`."""
    harmonics: Float[Tensor, "functions 3"]
    """Of the map's radiance, degree 3."""
    keys: KeyLights
    """A few directional lights that stand for the map where shadows are asked for."""
    world_from_map: Float[Tensor, "3 3"]

    def matt_light(self, normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Radiance that white matt surfaces with these normals (world) send back."""
        return looked_up(self.matt, normals @ self.world_from_map)

    def shine(
        self, directions: Float[Tensor, "*batch 3"], sharpness: Float[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch 3"]:
        """The map under a lobe of integral 1 about each direction (world), between the blurred copies."""
        levels = len(SHARPNESSES)
        first, last = SHARPNESSES[0], SHARPNESSES[-1]
        span = torch.log(torch.tensor(last / first)).item() / (levels - 1)
        place = ((sharpness / first).log() / span).clamp(0, levels - 1)
        low = place.detach().floor().clamp(max=levels - 2)
        inside = directions @ self.world_from_map
        seen = looked_up(self.blurred.movedim(0, -2).flatten(-2), inside).unflatten(-1, (levels, 3))
        index = low.long()[..., None, None].expand(*low.shape, 1, 3)
        darker, sharper = seen.gather(-2, index)[..., 0, :], seen.gather(-2, index + 1)[..., 0, :]
        return torch.lerp(darker, sharper, (place - low)[..., None])

    def world_harmonics(self) -> Float[Tensor, "functions 3"]:
        """Of the radiance in the world's frame, degree 3."""
        return rotated(self.harmonics, self.world_from_map)

    def world_keys(self) -> KeyLights:
        """The directional lights that stand for the map, in the world's frame."""
        return replace(self.keys, directions=self.keys.directions @ self.world_from_map.mT)

    def turned(self, rotation: Float[Tensor, "3 3"]) -> "Environment":
        """The same light after the world was turned."""
        return replace(self, world_from_map=rotation.to(self.world_from_map) @ self.world_from_map)

    def brightened(self, factor: float) -> "Environment":
        """All of it multiplied."""
        keys = replace(self.keys, strengths=self.keys.strengths * factor)
        return replace(
            self,
            matt=self.matt * factor,
            blurred=self.blurred * factor,
            harmonics=self.harmonics * factor,
            keys=keys,
        )

    def to(self, device: torch.device | str) -> "Environment":
        """On another device."""
        keys = KeyLights(self.keys.directions.to(device), self.keys.strengths.to(device))
        return Environment(
            self.matt.to(device),
            self.blurred.to(device),
            self.harmonics.to(device),
            keys,
            self.world_from_map.to(device),
        )


@torch.no_grad()
def prefiltered(radiance: Float[Tensor, "height width 3"], lights: int = 24) -> Environment:
    """Make the tables of a map; a second of one core.

    Every output is a weighted mean over the map with weights that sum to 1: a map of one colour stays that colour.

    Args:
        radiance: linear, as :mod:`lca_shared.lighting.equirectangular` lays out; not negative.
        lights: directional lights that stand for the map.

    Raises:
        ValueError: it holds numbers that are not finite, or negative ones.
    """
    if not bool(torch.isfinite(radiance).all()) or bool((radiance < 0).any()):
        raise ValueError("an environment map holds finite radiance of 0 or more")
    source = shrunk(radiance.float(), 2 * _HEIGHT)
    height, width = source.shape[:2]
    angles = solid_angles(height, width).to(source)
    towards = directions_of(height, width).to(source)
    outputs = directions_of(_HEIGHT, 2 * _HEIGHT).to(source).flatten(0, 1)
    cosine = outputs @ towards.flatten(0, 1).mT
    weight, flat = angles.flatten(), source.flatten(0, 1)
    matt = _mean(cosine.clamp(min=0), weight, flat)
    blurred = torch.stack([_mean(_lobe(sharpness, cosine), weight, flat) for sharpness in SHARPNESSES])
    table = (_HEIGHT, 2 * _HEIGHT, 3)
    return Environment(
        matt.reshape(table),
        blurred.reshape(-1, *table),
        _harmonics(flat, towards.flatten(0, 1), weight),
        key_lights(source, lights),
        torch.eye(3, dtype=source.dtype, device=source.device),
    )


def _harmonics(values: Tensor, directions: Tensor, weight: Tensor) -> Float[Tensor, "functions 3"]:
    """Of degree 3; a map of one colour has nothing above band 0, however coarse it is."""
    mean = (weight @ values) / weight.sum()
    found = projected(values - mean, directions, weight, degree=3)
    found[0] = mean * (4 * torch.pi) ** 0.5
    return found


def _lobe(sharpness: float, cosine: Tensor) -> Tensor:
    return gaussian_value(cosine.new_tensor(sharpness), cosine)


def _mean(kernel: Float[Tensor, "outputs pixels"], weight: Tensor, values: Tensor) -> Float[Tensor, "outputs 3"]:
    kernel = kernel * weight
    return (kernel @ values) / kernel.sum(-1, keepdim=True)
