"""Post-training with radiance transfer on light-stage frames (Section 3.4)."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

from nerfstudio.plugins.types import MethodSpecification

from lca_dataparsers.lca_studio import LCAStudioDataParserConfig
from lca_method.augmentation import AugmentationConfig
from lca_method.lca_config import lca_posttrain, lca_posttrain_tiny
from lca_method.lca_config_small import lca_pretrain_small
from lca_method.lca_trainer import LCATrainerConfig
from lca_method.losses import LossConfig
from lca_method.networks.relight_config import RelightConfig

SMALL_STEPS, TINY_STEPS = 1500, 400
STAGE_LIGHTS, CAPTURE_LIGHTS = 32, 512
"""Lights that a pattern may have: of a synthetic stage, of the captures that are imported."""


def _relight(base: LCATrainerConfig, name: str, relight: RelightConfig, lights: int) -> LCATrainerConfig:
    config = deepcopy(base)
    config.method_name, config.needs_pretrained = name, True
    config.pipeline.datamanager.dataparser = LCAStudioDataParserConfig()
    config.pipeline.datamanager.target_lights = lights
    config.pipeline.augmentation = AugmentationConfig()  # a picture in other colours or flipped is another light
    model = config.pipeline.model
    model.network = replace(model.network, relight=relight)
    model.losses = replace(model.losses, canonical=0.0, transfer=0.02)
    return config


def _light_alone(base: LCATrainerConfig, name: str, steps: int, lobes: RelightConfig) -> LCATrainerConfig:
    """On a CPU only the light is learned: encoder, shapes and motion stay those of the pre-trained model."""
    lobes = replace(lobes, light_alone=True, smooth=True, albedo_steps=2, shadow_places=4, clothed_shadows=True)
    config = _relight(base, name, lobes, STAGE_LIGHTS)
    config.max_num_iterations, config.layer_decay = steps, 1.0
    config.pipeline.datamanager.target_size = 128
    config.pipeline.datamanager.references = (8, 16)  # half of them are not evenly lit and drop out: about 4 to 8
    config.pipeline.model.losses = LossConfig(
        l1=0.0,
        person=10.0,
        person_loss="squared",
        lpips=0.0,
        mask=0.0,
        position=0.0,
        scale=0.0,
        canonical=0.0,
        transfer=0.02,
    )
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = 20
        group["optimizer"].lr = 2e-3
    return config


lca_relight = MethodSpecification(
    config=_relight(
        cast(LCATrainerConfig, lca_posttrain.config), "lca-relight", RelightConfig(lobes=3), CAPTURE_LIGHTS
    ),
    description="lca-posttrain's model made relightable, on light-stage frames: --pipeline.model.pretrained RUN.",
)

lca_relight_small = MethodSpecification(
    config=_light_alone(
        cast(LCATrainerConfig, lca_pretrain_small.config), "lca-relight-small", SMALL_STEPS, RelightConfig(lobes=2)
    ),
    description="lca-pretrain-small's model made relightable: --pipeline.model.pretrained RUN.",
)

lca_relight_tiny = MethodSpecification(
    config=_light_alone(
        cast(LCATrainerConfig, lca_posttrain_tiny.config),
        "lca-relight-tiny",
        TINY_STEPS,
        RelightConfig(lobes=2, hidden=64),
    ),
    description="lca-pretrain-tiny's model made relightable: --pipeline.model.pretrained RUN.",
)
