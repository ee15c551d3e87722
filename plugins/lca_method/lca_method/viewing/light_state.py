"""Values of the light's controls."""

from dataclasses import dataclass

from lca_method.networks.relight_intrinsics import Intrinsic

AS_PHOTOGRAPHED, DARKNESS = "as photographed", "none"
"""Names in place of a map: the colours of the photos; no light but the point light's."""


@dataclass
class LightState:
    """What the controls ask for; as photographed to begin with."""

    environment: str = AS_PHOTOGRAPHED
    """Name of a shipped map, :data:`AS_PHOTOGRAPHED` or :data:`DARKNESS`."""
    rotation: float = 0.0
    """Degrees about the vertical."""
    exposure: float = 0.0
    """Stops."""
    point: bool = False
    """Whether the point light shines."""
    place: tuple[float, float, float] = (0.8, -1.2, 1.6)
    """Of the point light, metres, world."""
    strength: float = 2.0
    """Of the point light: radiance that a white matt surface facing it from 1 m away sends back."""
    shown: Intrinsic = "relit"

    @property
    def on(self) -> bool:
        """Whether the avatar is relit at all."""
        return self.environment != AS_PHOTOGRAPHED
