"""All the light on a scene: point lights, directional lights, an even surrounding, an environment map; any mix."""

from dataclasses import dataclass, replace

import torch

from lca_shared.lighting.environment import Environment
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class Lights:
    """What shines; leading axes ``*b`` are of pictures lit differently, an environment is the same in all."""

    positions: Float[Tensor, "*b points 3"]
    """Of point lights, metres, world."""
    strengths: Float[Tensor, "*b points 3"]
    """Radiance that a white matt surface facing the light from 1 m away sends back; falls with the squared distance."""
    directions: Float[Tensor, "*b suns 3"]
    """Unit vectors towards directional lights."""
    sun_strengths: Float[Tensor, "*b suns 3"]
    """Radiance that a white matt surface facing each of them sends back."""
    ambient: Float[Tensor, "*b 3"]
    """Radiance of the surroundings, the same from all directions."""
    environment: Environment | None = None

    @staticmethod
    def none(device: torch.device | str = "cpu") -> "Lights":
        """Darkness, without batch axes."""
        empty = torch.zeros(0, 3, device=device)
        return Lights(empty, empty, empty, empty, torch.zeros(3, device=device))

    @staticmethod
    def of_environment(environment: Environment) -> "Lights":
        """An environment map alone, without batch axes."""
        return replace(Lights.none(environment.matt.device), environment=environment)

    def with_point(self, position: Float[Tensor, "3"], strength: Float[Tensor, "3"]) -> "Lights":
        """With one more point light (no batch axes)."""
        return replace(
            self,
            positions=torch.cat([self.positions, position[None].to(self.positions)]),
            strengths=torch.cat([self.strengths, strength[None].to(self.strengths)]),
        )

    def with_sun(self, direction: Float[Tensor, "3"], strength: Float[Tensor, "3"]) -> "Lights":
        """With one more directional light (no batch axes); ``direction`` leads towards it and has any length but 0."""
        direction = torch.nn.functional.normalize(direction.to(self.directions), dim=-1)
        return replace(
            self,
            directions=torch.cat([self.directions, direction[None]]),
            sun_strengths=torch.cat([self.sun_strengths, strength[None].to(self.sun_strengths)]),
        )

    def turned(self, rotation: Float[Tensor, "3 3"]) -> "Lights":
        """After the world was turned about its origin."""
        rotation = rotation.to(self.positions)
        return replace(
            self,
            positions=self.positions @ rotation.mT,
            directions=self.directions @ rotation.mT,
            environment=None if self.environment is None else self.environment.turned(rotation),
        )

    def to(self, device: torch.device | str) -> "Lights":
        """On another device."""
        return Lights(
            self.positions.to(device),
            self.strengths.to(device),
            self.directions.to(device),
            self.sun_strengths.to(device),
            self.ambient.to(device),
            None if self.environment is None else self.environment.to(device),
        )

    def arriving(
        self, points: Float[Tensor, "*b n 3"]
    ) -> tuple[Float[Tensor, "*b n lights 3"], Float[Tensor, "*b n lights 3"], Float[Tensor, "*b n lights"]]:
        """Of point and directional lights at points: unit vectors towards them, strengths there, and their distance in
        metres (infinite for directional ones). The environment's and the even light are not in it."""
        toward = self.positions[..., None, :, :] - points[..., None, :]
        distance = torch.linalg.vector_norm(toward, dim=-1).clamp(min=1e-3)
        near = self.strengths[..., None, :, :] / distance.square()[..., None]
        shape = (*distance.shape[:-1], self.directions.shape[-2], 3)
        far, sun = (part[..., None, :, :].expand(shape) for part in (self.directions, self.sun_strengths))
        return (
            torch.cat([toward / distance[..., None], far], dim=-2),
            torch.cat([near, sun], dim=-2),
            torch.cat([distance, distance.new_full(shape[:-1], torch.inf)], dim=-1),
        )

    def with_keys(self) -> "Lights":
        """The environment replaced by the directional lights that stand for it: for shadows."""
        if self.environment is None:
            return self
        keys, batch = self.environment.world_keys(), self.positions.shape[:-2]
        directions, strengths = (part.expand(*batch, *part.shape) for part in (keys.directions, keys.strengths))
        return replace(
            self,
            directions=torch.cat([self.directions, directions], dim=-2),
            sun_strengths=torch.cat([self.sun_strengths, strengths], dim=-2),
            environment=None,
        )
