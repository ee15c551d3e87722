"""Velocities with classifier-free guidance, over latents and shape in one row."""

import torch

from genlca_method.conditioning.tokens import ConditionTokens, together
from genlca_method.transformer.given import Given
from genlca_method.transformer.mmdit import GenLCATransformer
from lca_shared.tensors import Bool, Float, Tensor


def joined(
    latents: Float[Tensor, "people anchors latent"], shape: Float[Tensor, "people n"]
) -> Float[Tensor, "people m"]:
    """Latents and shape as one row each: what a scheduler steps."""
    return torch.cat([latents.flatten(1), shape], dim=1)


def parted(
    state: Float[Tensor, "people m"], anchors: int, latent_channels: int
) -> tuple[Float[Tensor, "people anchors latent"], Float[Tensor, "people n"]]:
    """The inverse of :func:`joined`."""
    count = anchors * latent_channels
    return state[:, :count].unflatten(1, (anchors, latent_channels)), state[:, count:]


def guided_velocity(
    model: GenLCATransformer,
    state: Float[Tensor, "people m"],
    timestep: Float[Tensor, ""],
    conditions: ConditionTokens,
    scale: float,
    valid: Bool[Tensor, "people anchors"] | None = None,
    given: Given | None = None,
) -> Float[Tensor, "people m"]:
    """``without + scale (with - without)`` conditions for latents; at scale 1 only "with" is computed. The shape is not
    guided: tall people would become giants.

    Args:
        model: the transformer.
        state: noisy, of :func:`joined`.
        timestep: of the scheduler.
        conditions: of each person.
        scale: of guidance.
        valid: as of the transformer.
        given: as of the transformer; with and without conditions.
    """
    sizes = (model.config["anchors"], model.config["latent_channels"])
    if scale == 1.0:
        return joined(*model(*parted(state, *sizes), timestep.expand(len(state)), conditions, valid, given))
    both = together([conditions, conditions.nothing()])
    twice = torch.cat([state, state])
    shown = None if valid is None else torch.cat([valid, valid])
    clean = None if given is None else given.twice()
    latents, shape = model(*parted(twice, *sizes), timestep.expand(len(twice)), both, shown, clean)
    with_, without = latents.chunk(2)
    return joined(without + scale * (with_ - without), shape.chunk(2)[0])
