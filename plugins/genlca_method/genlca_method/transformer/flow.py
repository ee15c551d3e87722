"""Rectified flow with diffusers' conventions: noise level 1 is noise, and the model is told 1000 times the level.

``x = (1 - level) data + level noise``; the velocity to learn is ``noise - data`` (Liu et al. 2022; Esser et al. 2024).
"""

import math
from dataclasses import replace

import torch

from genlca_method.conditioning.tokens import ConditionTokens
from genlca_method.transformer.flow_config import FlowConfig
from genlca_method.transformer.given import OtherViews, drawn_given
from genlca_method.transformer.mmdit import GenLCATransformer
from lca_shared.tensors import Bool, Float, Tensor

TIMESTEPS = 1000
"""``num_train_timesteps`` of diffusers' flow schedulers."""
_SHIFT_ANCHORS = 64
"""Anchors at which levels are not shifted: about as many as say the same of a person (a garment's colour) among 512."""


def shift_for(anchors: int) -> float:
    """Shift of noise levels for a sequence length: many anchors say the same of a person, so that it takes more noise
    to hide it. As SD3 scales with resolution, ``sqrt(anchors / 64)``; 2.8 at the tiny model's 512, 11.3 at the paper's
    8192 (video models with as many tokens use 7 to 17)."""
    return max(1.0, math.sqrt(anchors / _SHIFT_ANCHORS))


def shifted(levels: Float[Tensor, "*b"], shift: float) -> Float[Tensor, "*b"]:
    """Noise levels as ``FlowMatchEulerDiscreteScheduler(shift=shift)`` shifts them."""
    return shift * levels / (1 + (shift - 1) * levels)


def drawn_levels(
    people: int, config: FlowConfig, anchors: int, generator: torch.Generator | None = None
) -> Float[Tensor, "people"]:
    """Noise levels of a training step."""
    normal = torch.randn(people, generator=generator) * config.logit_deviation + config.logit_mean
    return shifted(normal.sigmoid(), shift_for(anchors) if config.shift is None else config.shift)


def flow_losses(
    model: GenLCATransformer,
    latents: Float[Tensor, "people anchors latent"],
    shape: Float[Tensor, "people coefficients"],
    valid: Bool[Tensor, "people anchors"],
    conditions: ConditionTokens,
    config: FlowConfig,
    generator: torch.Generator | None = None,
    others: OtherViews | None = None,
    parts: Bool[Tensor, "parts anchors"] | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Weighted losses of a step: ``latents`` (mean squared error of velocities over valid anchors that are not given)
    and ``shape``.

    Args:
        model: the transformer.
        latents: clean, normalised; of anchors that are not valid anything.
        shape: clean, normalised.
        valid: anchors of which pictures show something.
        conditions: of each person.
        config: levels and weights.
        generator: of noise and levels, on the CPU.
        others: the same people made of other pictures, for completions.
        parts: anchors of each part of the body, for edits.
    """
    levels = drawn_levels(len(latents), config, latents.shape[1], generator).to(latents)
    noise, shape_noise = (torch.randn(x.shape, generator=generator).to(latents) for x in (latents, shape))
    noisy = torch.lerp(latents, noise, levels[:, None, None])
    noisy_shape = torch.lerp(shape, shape_noise, levels[:, None])
    shown = valid if config.placeholder else None
    given = None
    if config.given:
        seen = None if others is None else others.valid
        given, elsewhere = drawn_given(model.positions, len(latents), config.given, generator, parts, seen)
        clean = latents if others is None else torch.where(elsewhere[:, None, None], others.latents, latents)
        noisy = torch.where(given.anchors[..., None], clean, noisy)
        shown = None if shown is None else shown | (given.anchors & elsewhere[:, None])
        if others is not None:
            given = replace(given, guesses=others.guesses, guessed=elsewhere[:, None] & ~given.anchors)
        noisy_shape = torch.where(given.shape[:, None], shape, noisy_shape)
    found, found_shape = model(noisy, noisy_shape, levels * TIMESTEPS, conditions, shown, given)
    errors = (found - (noise - latents)).square().mean(dim=-1)
    weights = valid.to(errors) if config.masked_loss else torch.ones_like(errors)
    shape_weights = weights.new_ones(len(weights))
    if given is not None:
        weights, shape_weights = weights * ~given.anchors, shape_weights * ~given.shape
    of_latents = (errors * weights).sum() / weights.sum().clamp(min=1.0)
    shape_errors = (found_shape - (shape_noise - shape)).square().mean(dim=-1)
    of_shape = (shape_errors * shape_weights).sum() / shape_weights.sum().clamp(min=1.0)
    return {"latents": of_latents, "shape": config.shape_weight * of_shape}
