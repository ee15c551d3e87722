"""Light stages: a batch's lights as lights of the scene, and references taken from evenly lit frames."""

from collections.abc import Sequence

from lca_dataparsers.dataset.lights import LightRig
from lca_method.sampling import Draw
from lca_method.target_lights import TargetLights
from lca_shared.errors import UserError
from lca_shared.lighting.lights import Lights


def stage_lights(targets: TargetLights, strength: float) -> Lights:
    """The lights of targets, ``[*b targets]``; white.

    Args:
        targets: their light.
        strength: radiance that a white matt surface sends back which faces a light of full power from 1 m away.

    Raises:
        UserError: the light of some was not controlled.
    """
    if not bool((targets.controlled > 0).all()):
        raise UserError(
            "Relighting is learned from light-stage frames, but some frames have no light pattern. Give datasets with "
            "lights.json, such as `lca-data synth --kind studio --lights` makes."
        )
    white = targets.positions.new_ones(3)
    none = targets.positions[..., :0, :]
    shining = (targets.intensities != 0).flatten(0, -2).any(dim=0).nonzero()  # the rest is off in all, or padding
    most = int(shining.max()) + 1 if len(shining) else 0
    return Lights(
        targets.positions[..., :most, :],
        strength * targets.intensities[..., :most, None] * white,
        none,
        none,
        targets.ambient[..., None] * white,
    )


def lights_of(lights: Lights, *index: int) -> Lights:
    """One picture's lights."""
    return Lights(
        lights.positions[index],
        lights.strengths[index],
        lights.directions[index],
        lights.sun_strengths[index],
        lights.ambient[index],
        lights.environment,
    )


def evenly_lit(rig: LightRig | None, patterns: Sequence[int], draw: Draw) -> Draw:
    """The same draw with references in even light only: what the light shows must not pass for the person's colour.

    Where no reference is evenly lit, another evenly lit row of the person takes its place.

    Args:
        rig: of the person's capture; None = the light was not controlled, and the draw stays.
        patterns: of all the person's rows; -1 = not controlled.
        draw: of the person.

    Raises:
        UserError: the person has no such row beside the targets.
    """
    if rig is None:
        return draw
    lit = [int(n) < 0 or rig.patterns[int(n)].fully_lit for n in patterns]
    kept = tuple(row for row in draw.references if lit[row])
    if not kept:
        left = [row for row in range(len(lit)) if lit[row] and row not in draw.targets]
        if not left:
            raise UserError(f"{draw.subject} has no evenly lit frame to make the avatar from.")
        kept = tuple(left[row % len(left)] for row in draw.references)
    return Draw(draw.subject, kept, draw.targets)
