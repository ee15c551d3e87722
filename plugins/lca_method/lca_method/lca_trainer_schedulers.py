"""Learning rates: linear warm-up, then half a cosine (the optimiser of section 4; lengths are our choice)."""

import math
from dataclasses import dataclass, field

from nerfstudio.engine.schedulers import Scheduler, SchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


@dataclass
class WarmupCosineSchedulerConfig(SchedulerConfig):
    """Linear warm-up, then a cosine down to ``final_fraction`` of the learning rate."""

    _target: type = field(default_factory=lambda: WarmupCosineScheduler)
    """Target class to instantiate."""
    warmup_steps: int = 1000
    """Steps over which the learning rate grows from nothing."""
    max_steps: int | None = None
    """Step at which the learning rate is smallest; it stays there. None = where training ends."""
    final_fraction: float = 0.01
    """Smallest learning rate as a fraction of the largest."""


def warmup_cosine(step: int, warmup_steps: int, max_steps: int, final_fraction: float) -> float:
    """The learning rate at ``step`` as a fraction of the largest."""
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = min(1.0, (step - warmup_steps) / max(1, max_steps - warmup_steps))
    return final_fraction + (1.0 - final_fraction) * 0.5 * (1.0 + math.cos(math.pi * progress))


class WarmupCosineScheduler(Scheduler):
    """Returns Python floats: a NumPy scalar in the state would keep torch >= 2.6 from loading the checkpoint."""

    config: WarmupCosineSchedulerConfig

    def get_scheduler(self, optimizer: Optimizer, lr_init: float) -> LambdaLR:
        """A torch scheduler for ``optimizer``, whose largest learning rate is ``lr_init``.

        Raises:
            ValueError: ``max_steps`` is still None (the trainer fills it in).
        """
        config = self.config
        if config.max_steps is None:
            raise ValueError("max_steps is None: outside LCATrainer name the step where training ends")
        last, warmup, final = config.max_steps, config.warmup_steps, config.final_fraction
        return LambdaLR(optimizer, lambda step: warmup_cosine(step, warmup, last, final))
