"""LCA's trainer for GenLCA: one group of weights, and a diffusers pipeline beside each checkpoint."""

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nerfstudio.engine.optimizers import Optimizers
from nerfstudio.utils.decorators import check_main_thread

from lca_method.lca_trainer import LCATrainer, LCATrainerConfig
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig

if TYPE_CHECKING:
    from genlca_method.genlca_pipeline import GenLCATrainingPipeline

SAMPLER_FOLDER = "pipeline"
"""In the folder of a run: what ``GenLCAPipeline.from_pretrained`` reads."""


@dataclass
class GenLCATrainerConfig(LCATrainerConfig):
    """As LCA's; all weights learn at one rate."""

    _target: type = field(default_factory=lambda: GenLCATrainer)
    """Target class to instantiate."""


class GenLCATrainer(LCATrainer):
    """LCA's trainer, with these differences: one group of weights, and each checkpoint comes with the diffusers
    pipeline of the same weights, averaged."""

    pipeline: "GenLCATrainingPipeline"  # type: ignore[assignment]

    def setup_optimizers(self) -> Optimizers:
        """The optimiser; a schedule without an end of its own ends with the training."""
        config = copy.deepcopy(self.config.optimizers)
        for group in config.values():
            schedule = group["scheduler"]
            if isinstance(schedule, WarmupCosineSchedulerConfig) and schedule.max_steps is None:
                schedule.max_steps = self.config.max_num_iterations
        return Optimizers(config, self.pipeline.get_param_groups())

    @check_main_thread
    def save_checkpoint(self, step: int) -> None:
        """Write checkpoint and pipeline.

        Raises:
            UserError: one cannot be written.
        """
        super().save_checkpoint(step)
        self.pipeline.save_sampler(self.base_dir / SAMPLER_FOLDER)
