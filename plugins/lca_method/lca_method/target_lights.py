"""The light in which each target was filmed, for light-stage captures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lca_dataparsers.dataset.lights import LightRig
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

SYNTHETIC_STRENGTH = 0.8 * 2.8**2
"""Radiance that a white matt surface sends back which faces, from 1 m away, a light of full power of ``lca-data synth
--lights`` (``light_stage.POWER`` at ``light_stage.RADIUS``)."""


@dataclass(frozen=True)
class TargetLights:
    """Point lights of each target; those that are off or padding have intensity 0."""

    positions: Float[Tensor, "*b targets lights 3"]
    """Metres, the dataset's world."""
    intensities: Float[Tensor, "*b targets lights"]
    """1 = a light at full power."""
    ambient: Float[Tensor, "*b targets"]
    """Radiance of the surroundings."""
    fully_lit: Float[Tensor, "*b targets"]
    """1 = lit evenly from all sides; also where the light was not controlled."""
    controlled: Float[Tensor, "*b targets"]
    """1 = filmed in a light stage, so that the lights above are all there was."""


def target_lights(rig: LightRig | None, patterns: Sequence[int], most: int) -> TargetLights:
    """The lights of some targets, ``[targets, most, ...]``.

    Args:
        rig: of the person's capture; None = the light was not controlled.
        patterns: of each target; -1 = not controlled.
        most: lights that a pattern may have.

    Raises:
        UserError: a pattern has more lights, or the rig lacks it.
    """
    count = len(patterns)
    positions, intensities = np.zeros((count, most, 3), np.float32), np.zeros((count, most), np.float32)
    ambient, fully, controlled = np.zeros(count, np.float32), np.ones(count, np.float32), np.zeros(count, np.float32)
    for target, number in enumerate(patterns):
        if rig is None or number < 0:
            continue
        if number >= len(rig.patterns):
            raise UserError(f"A picture has light pattern {number}, but lights.json has {len(rig.patterns)}.")
        pattern = rig.patterns[number]
        shining = len(pattern.lights)
        if shining > most:
            raise UserError(f"Light pattern {number} has {shining} lights; a batch was told to hold {most} at most.")
        positions[target, :shining] = rig.positions[list(pattern.lights)]
        intensities[target, :shining] = pattern.intensities
        ambient[target], fully[target], controlled[target] = pattern.ambient, pattern.fully_lit, 1.0
    return TargetLights(*(torch.from_numpy(a) for a in (positions, intensities, ambient, fully, controlled)))
