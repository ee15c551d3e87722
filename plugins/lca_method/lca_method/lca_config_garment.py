"""Post-training with nodes that carry loose garments (Section 3.4)."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

from nerfstudio.plugins.types import MethodSpecification

from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_method.lca_config import lca_posttrain, lca_posttrain_tiny
from lca_method.lca_config_small import lca_pretrain_small
from lca_method.lca_trainer import LCATrainerConfig
from lca_method.networks.node_head import DeformerConfig

SMALL_STEPS = 600
PULLED = 0.6
"""Share of the steps in which gates are pulled open (``LossConfig.loose``)."""


_CLOTH = DeformerConfig(cloth_surface=True, ask_outline=True, own_heads=True, alone=True)
"""Small models learn from few people: who wears no loose garment stays as the model that training begins with has
them (our choice)."""


def _garment(posttraining: LCATrainerConfig, name: str, deformer: DeformerConfig) -> LCATrainerConfig:
    config = deepcopy(posttraining)
    config.method_name = name
    model, pulled = config.pipeline.model, round(PULLED * config.max_num_iterations)
    model.network = replace(model.network, deformer=deformer)
    model.losses = replace(model.losses, arap=0.1, sparsity=0.01, loose=1.0, loose_until=pulled)  # our choice
    return config


def _small() -> LCATrainerConfig:
    """Post-training of the shipped model's sizes, on pictures of people of which each shows one moment."""
    config = cast(LCATrainerConfig, deepcopy(lca_pretrain_small.config))
    config.max_num_iterations, config.layer_decay, config.needs_pretrained = SMALL_STEPS, 0.65, True
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    model = config.pipeline.model
    model.losses = replace(model.losses, lpips_from=0, lpips_every=4, mask=0.5)  # with less, cloth swells
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = 20
    return config


lca_garment = MethodSpecification(
    config=_garment(cast(LCATrainerConfig, lca_posttrain.config), "lca-garment", DeformerConfig(nodes=1024)),
    description="lca-posttrain with nodes that carry loose garments: --pipeline.model.pretrained RUN.",
)

lca_garment_small = MethodSpecification(
    config=_garment(_small(), "lca-garment-small", replace(_CLOTH, nodes=512, hidden=64)),
    description="lca-pretrain-small's model with nodes that carry loose garments, which alone learn; data: lca-wild.",
)

lca_garment_tiny = MethodSpecification(
    config=_garment(
        cast(LCATrainerConfig, lca_posttrain_tiny.config),
        "lca-garment-tiny",
        replace(_CLOTH, nodes=192, hidden=48),
    ),
    description="lca-posttrain-tiny with nodes that carry loose garments: --pipeline.model.pretrained RUN.",
)
