"""The methods that ``ns-train`` offers. Imports light things only: a slow or failing import here is everybody's."""

from copy import deepcopy
from typing import cast

from nerfstudio.configs.base_config import MachineConfig, ViewerConfig
from nerfstudio.plugins.types import MethodSpecification

from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_method.augmentation import AugmentationConfig
from lca_method.ema import WeightAverageConfig
from lca_method.lca_datamanager import LCADataManagerConfig
from lca_method.lca_model import LCAModelConfig
from lca_method.lca_pipeline import LCAPipelineConfig
from lca_method.lca_trainer import AdamWOptimizerConfig, LCATrainerConfig
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig
from lca_method.losses import LossConfig
from lca_method.networks.config import LCAConfig, tiny_config
from lca_method.networks.driving import DrivingConfig


def _optimizers(lr: float, weight_decay: float, warmup_steps: int) -> dict:
    return {
        group: {
            "optimizer": AdamWOptimizerConfig(lr=lr, eps=1e-8, weight_decay=weight_decay, max_norm=1.0),
            "scheduler": WarmupCosineSchedulerConfig(warmup_steps=warmup_steps),
        }
        for group in ("encoder", "heads")
    }


PRETRAIN_STEPS = 500_000
POSTTRAIN_STEPS = 50_000
"""A tenth of pre-training, as the paper's hours are."""
TINY_STEPS = 600
TINY_POSTTRAIN_STEPS = 200

lca_pretrain = MethodSpecification(
    config=LCATrainerConfig(
        method_name="lca-pretrain",
        pipeline=LCAPipelineConfig(
            datamanager=LCADataManagerConfig(target_faces=True),
            model=LCAModelConfig(
                network=LCAConfig(driving=DrivingConfig(expression="code"), template_expression=True),
                losses=LossConfig(
                    face=1.0, face_detail=2.0, code_texture=1.0, code_identity=0.5, code_range=0.05, code_adapter=1.0
                ),
            ),
            average=WeightAverageConfig(decay=0.9999),
            augmentation=AugmentationConfig(0.5, (0.9, 1.1), shift=0.05, brightness=0.1, contrast=0.1, saturation=0.1),
        ),
        optimizers=_optimizers(lr=4e-4, weight_decay=0.05, warmup_steps=1000),
        max_num_iterations=PRETRAIN_STEPS,
        mixed_precision=True,
        steps_per_save=2000,
        steps_per_eval_batch=500,
        steps_per_eval_image=500,
        steps_per_eval_all_images=25_000,
        viewer=ViewerConfig(max_num_display_images=64),
        vis="viewer+tensorboard",
    ),
    description="LCA at the paper's sizes, pre-trained on in-the-wild people; data: lca-wild.",
)

lca_pretrain_tiny = MethodSpecification(
    config=LCATrainerConfig(
        method_name="lca-pretrain-tiny",
        machine=MachineConfig(device_type="cpu"),
        pipeline=LCAPipelineConfig(
            datamanager=LCADataManagerConfig(
                image_size=128,
                face_size=64,
                target_size=128,
                references=(1, 4),
                targets_per_step=3,
                eval_references=4,
                eval_targets_per_subject=16,
                cache_megabytes=512,
            ),
            model=LCAModelConfig(
                network=tiny_config(),
                losses=LossConfig(l1=0.0, person=1.0, lpips=0.0, mask=0.1, position=0.1, scale=0.1),
                random_background=True,
            ),
        ),
        optimizers=_optimizers(lr=1e-3, weight_decay=0.01, warmup_steps=20),
        max_num_iterations=TINY_STEPS,
        steps_per_save=100,
        steps_per_eval_batch=100,
        steps_per_eval_image=100,
        steps_per_eval_all_images=100_000,
        viewer=ViewerConfig(max_num_display_images=32),
        vis="viewer+tensorboard",
    ),
    description="LCA small enough for two CPU cores: a person appears in about a minute.",
)


def _posttraining(pretraining: MethodSpecification, name: str, steps: int, warmup_steps: int) -> LCATrainerConfig:
    """The same networks and losses on studio data, begun with trained weights: the deeper in the encoder, the slower
    (Section 4)."""
    config = cast(LCATrainerConfig, deepcopy(pretraining.config))
    config.method_name, config.max_num_iterations, config.layer_decay = name, steps, 0.65
    config.needs_pretrained = True
    config.pipeline.datamanager.dataparser = LCAStudioDataParserConfig()
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = warmup_steps
    if config.pipeline.average.decay:
        config.pipeline.average = WeightAverageConfig(decay=0.999)
    return config


lca_posttrain = MethodSpecification(
    config=_posttraining(lca_pretrain, "lca-posttrain", POSTTRAIN_STEPS, warmup_steps=500),
    description="lca-pretrain's model, trained further on studio people (lca-studio): --pipeline.model.pretrained RUN.",
)

lca_posttrain_tiny = MethodSpecification(
    config=_posttraining(lca_pretrain_tiny, "lca-posttrain-tiny", TINY_POSTTRAIN_STEPS, warmup_steps=20),
    description="lca-pretrain-tiny's model, trained further, on studio people: --pipeline.model.pretrained RUN.",
)
