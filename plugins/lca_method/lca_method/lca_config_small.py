"""A method between the tiny and the paper's: four times the Gaussians of the tiny one, and sharper pictures."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

from nerfstudio.plugins.types import MethodSpecification

from lca_method.lca_config import lca_pretrain_tiny
from lca_method.lca_trainer import LCATrainerConfig

SMALL_STEPS = 2000


def _small() -> LCATrainerConfig:
    config = cast(LCATrainerConfig, deepcopy(lca_pretrain_tiny.config))
    config.method_name, config.max_num_iterations = "lca-pretrain-small", SMALL_STEPS
    config.pipeline.datamanager.image_size = 256
    config.pipeline.datamanager.face_size = 128
    config.pipeline.datamanager.target_size = 192
    config.pipeline.datamanager.cache_megabytes = 2048
    network = config.pipeline.model.network
    config.pipeline.model.network = replace(
        network,
        encoder=replace(network.encoder, patch_size=16),
        unseen_like_seen=True,
        bare_offsets=0.04,
        placement=replace(
            network.placement,
            tokens=1024,
            gaussians_per_token=16,
            face_share=0.45,
            hand_share=0.15,
            eye_share=0.06,
            mouth_share=0.12,
        ),
    )
    losses = config.pipeline.model.losses  # L1 alone covers hair and skirts with wide, blurred Gaussians
    config.pipeline.model.losses = replace(losses, lpips=0.3, lpips_backbone="alex", lpips_from=700)
    for group in config.optimizers.values():
        group["scheduler"].warmup_steps = 50
    return config


lca_pretrain_small = MethodSpecification(
    config=_small(),
    description="lca-pretrain-tiny with 16,384 Gaussians and larger pictures, for an afternoon on CPU cores.",
)
"""The shipped demo checkpoint's method."""
