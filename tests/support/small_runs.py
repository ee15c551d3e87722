"""Trainings of a few thousand weights through nerfstudio's trainer."""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.utils import writer

from lca_method.lca_trainer import LCATrainer, LCATrainerConfig
from lca_method.networks import LCAConfig


def small_network() -> LCAConfig:
    tiny = cast(LCATrainerConfig, all_methods["lca-pretrain-tiny"]).pipeline.model.network  # type: ignore[attr-defined]
    return replace(
        tiny,
        encoder=replace(tiny.encoder, width=16, patch_size=8),
        transformer=replace(tiny.transformer, layers=1, width=32, heads=2),
        placement=replace(tiny.placement, tokens=48, gaussians_per_token=4),
        heads=replace(tiny.heads, hidden=16),
    )


def small_run(
    data: Path, output: Path, steps: int, run: str = "run", method: str = "lca-pretrain-tiny"
) -> LCATrainerConfig:
    """A config of 32-pixel pictures whose run is the folder ``output/<data>/<method>/<run>``."""
    config = cast(LCATrainerConfig, deepcopy(all_methods[method]))
    config.output_dir, config.timestamp, config.max_num_iterations = output, run, steps
    config.vis, config.viewer.quit_on_train_completion = "tensorboard", True
    config.logging.local_writer.enable = False
    manager, model = config.pipeline.datamanager, config.pipeline.model  # type: ignore[attr-defined]
    manager.data = data
    manager.image_size, manager.face_size, manager.target_size, manager.prefetch_steps = 32, 16, 32, 0
    model.network, model.eval_lpips = small_network(), False
    model.losses = replace(model.losses, lpips=0.0)
    return config


def trained(config: LCATrainerConfig) -> LCATrainer:
    """The trainer after the whole run."""
    torch.manual_seed(config.machine.seed)
    writer.EVENT_WRITERS.clear()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()
    return trainer


def parameters(trainer: LCATrainer) -> torch.Tensor:
    """All weights in one row."""
    return torch.cat([value.detach().flatten() for value in trainer.pipeline.model.parameters()])
