"""Options of light as commands take them."""

import math
from dataclasses import dataclass

import torch

from lca_method.avatar.relight_drawing import Look
from lca_method.avatar.relight_maps import read_environment
from lca_method.networks.relight_intrinsics import Intrinsic
from lca_shared.errors import UserError
from lca_shared.lighting.environment import prefiltered
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import ToneCurve
from lca_shared.rotations import rotation_vector_to_matrix
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class LightOptions:
    """The light that was asked for."""

    environment: str | None
    """File or shipped name."""
    rotation: float
    """Degrees, counter-clockwise as seen from above."""
    points: tuple[tuple[float, float, float, float], ...]
    """Place (metres, world) and strength: radiance that a white matt surface facing it from 1 m away sends back."""
    exposure: float
    curve: ToneCurve
    shown: Intrinsic
    turned_per_frame: float = 0.0
    suns: tuple[tuple[float, float, float, float], ...] = ()
    """Direction towards a light that is far away (world, any length), and strength: radiance that a white matt surface
    facing it sends back."""


def look_of(options: LightOptions, device: torch.device | str) -> Look:
    """Read and prepare the light.

    Raises:
        UserError: there is none, or the map cannot be used.
    """
    if options.environment is None and not options.points and not options.suns:
        raise UserError(
            "There is no light: give one or more of --relight MAP, --point-light X Y Z STRENGTH, --sun X Y Z STRENGTH."
        )
    lights = Lights.none(device)
    if options.environment is not None:
        environment = prefiltered(read_environment(options.environment)).to(device)
        lights = Lights.of_environment(environment.turned(about_vertical(options.rotation)))
    for x, y, z, strength in options.points:
        if not strength >= 0:
            raise UserError(f"--point-light {x} {y} {z} {strength}: the strength is 0 or more.")
        lights = lights.with_point(torch.tensor([x, y, z]), torch.full((3,), strength))
    for x, y, z, strength in options.suns:
        if not strength >= 0 or not (x or y or z):
            raise UserError(f"--sun {x} {y} {z} {strength}: the strength is 0 or more, and the direction not 0 0 0.")
        lights = lights.with_sun(torch.tensor([x, y, z]), torch.full((3,), strength))
    return Look(lights, options.exposure, options.curve, options.shown, options.turned_per_frame)


def about_vertical(degrees: float) -> Float[Tensor, "3 3"]:
    """The rotation about the world's Z axis."""
    return rotation_vector_to_matrix(torch.tensor([0.0, 0.0, math.radians(degrees)]))
