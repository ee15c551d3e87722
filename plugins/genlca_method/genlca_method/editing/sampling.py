"""Sampling in which some anchors follow a given person, and which may begin from that person with noise."""

import math
from typing import Any

import torch

from genlca_method.conditioning.tokens import ConditionTokens
from genlca_method.sampling.guidance import guided_velocity, joined, parted
from genlca_method.transformer.given import Given
from genlca_method.transformer.mmdit import GenLCATransformer
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Float, Tensor


def resampled(
    model: GenLCATransformer,
    scheduler: Any,
    conditions: ConditionTokens,
    latents: Float[Tensor, "people anchors latent"],
    shape: Float[Tensor, "people coefficients"],
    kept: Bool[Tensor, "people anchors"],
    valid: Bool[Tensor, "people anchors"],
    *,
    guesses: Float[Tensor, "people anchors latent"] | None = None,
    guessed: Bool[Tensor, "people anchors"] | None = None,
    keep_shape: bool = True,
    strength: float = 1.0,
    steps: int = 30,
    guidance: float = 3.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "people anchors latent"], Float[Tensor, "people coefficients"]]:
    """Latents and shapes in which what is not kept is made anew.

    What is kept is given to the model without noise at every step, as in training (``transformer.given``); kept
    anchors that no picture showed are unknown to it.

    Args:
        model: the transformer.
        scheduler: a flow-matching scheduler of diffusers.
        conditions: of each person.
        latents: of the people as they are, normalised; at anchors that are neither kept nor valid anything finite.
        shape: normalised.
        kept: anchors that stay; their latents come back as they were.
        valid: anchors of which pictures showed something.
        guesses: what LCA made of anchors that no picture showed, normalised: hints for what is made anew.
        guessed: where they are given.
        keep_shape: the shape stays too.
        strength: noise to begin from: 1 forgets what was there, small values change little.
        steps: of the scheduler from noise; the share ``strength`` of them is taken.
        guidance: scale of classifier-free guidance.
        generator: of the noise, on the CPU.

    Raises:
        UserError: ``strength`` is not in (0, 1], or there are no steps.
    """
    if not 0 < strength <= 1 or steps < 1:
        raise UserError("--strength must lie above 0 and not above 1, and --steps be at least 1.")
    anchors, channels = latents.shape[1:]
    fixed = torch.cat(
        [kept.repeat_interleave(channels, dim=1), torch.full(shape.shape, keep_shape, device=kept.device)], dim=1
    )
    known = ~(kept & ~valid)
    given = Given(kept, torch.full(kept.shape[:1], keep_shape, device=kept.device), guesses, guessed)
    there = joined(latents, shape)
    noise = torch.randn(there.shape, generator=generator).to(there)
    scheduler.set_timesteps(steps, device=there.device)
    looks = len(scheduler.timesteps)
    begin = min(looks - 1, scheduler.order * math.floor(steps * (1 - strength)))
    scheduler.set_begin_index(begin)
    state = torch.where(fixed, there, torch.lerp(there, noise, float(scheduler.sigmas[begin])))
    for timestep in scheduler.timesteps[begin:]:
        velocity = guided_velocity(model, state, timestep, conditions, guidance, known, given)
        state = scheduler.step(velocity, timestep, state, return_dict=False)[0]
        state = torch.where(fixed, there, state)
    return parted(state, anchors, channels)
