"""What of rectified flow can be chosen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FlowConfig:
    """Which noise levels are trained, and what the losses weigh."""

    logit_mean: float = 0.0
    """Of the normal distribution whose sigmoid is the level before shifting (SD3's sampling)."""
    logit_deviation: float = 1.0
    shift: float | None = None
    """Levels become ``shift level / (1 + (shift - 1) level)``; None = by the number of anchors, see
    ``flow.shift_for``. Sampling uses the same."""
    shape_weight: float = 1.0
    """Weight of the body shape's loss beside the latents'."""
    masked_loss: bool = True
    """Take the loss over valid anchors only (the paper's); False is an ablation."""
    placeholder: bool = True
    """Put a learned vector in place of anchors that are not valid (the paper's); False is an ablation."""
    given: float = 0.6
    """Share of people of whom some is given without noise, so that edits and completions are learned."""
