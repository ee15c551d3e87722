"""A short training of a small generator."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.utils import writer

from genlca_method.conditioning.encoders import ConditioningConfig
from genlca_method.conditioning.images import PartEncoderConfig
from genlca_method.conditioning.text import TextEncoderConfig
from genlca_method.transformer.sizes import TransformerSize


def small_training(tokens: Path, latents: Path, lca_run: Path, output: Path, steps: int, run: str = "run") -> Any:
    config: Any = deepcopy(all_methods["genlca-tiny"])
    config.output_dir, config.timestamp, config.max_num_iterations = output, run, steps
    config.logging.local_writer.enable, config.viewer.quit_on_train_completion = False, True
    config.pipeline.datamanager.data, config.pipeline.datamanager.people_per_step = tokens, 2
    model = config.pipeline.model
    model.latents, model.checkpoint, model.size = latents, str(lca_run), TransformerSize(32, 2, 2, 2.0)
    model.conditioning = ConditioningConfig(
        TextEncoderConfig("words", channels=16), PartEncoderConfig("pixels", size=8, patch=4)
    )
    model.eval_size, model.eval_steps = 24, 2
    return config


def trained(config: Any) -> Any:
    torch.manual_seed(0)
    writer.EVENT_WRITERS.clear()
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    trainer.train()
    return trainer
