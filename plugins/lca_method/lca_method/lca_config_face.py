"""A method for two CPU cores that learns the expression code, from close-ups of faces and hands."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

from nerfstudio.plugins.types import MethodSpecification

from lca_method.lca_config import lca_pretrain_tiny
from lca_method.lca_trainer import LCATrainerConfig
from lca_method.losses import LossConfig
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig

FACE_TINY_STEPS = 700


def _face_tiny() -> LCATrainerConfig:
    config = cast(LCATrainerConfig, deepcopy(lca_pretrain_tiny.config))
    config.method_name, config.max_num_iterations = "lca-pretrain-face-tiny", FACE_TINY_STEPS
    data = config.pipeline.datamanager
    data.image_size, data.face_size, data.target_size, data.target_faces = 160, 128, 96, True
    data.subjects_per_step, data.targets_per_step, data.references, data.eval_references = 8, 3, (3, 3), 3
    data.cache_megabytes = 2048
    model = config.pipeline.model
    model.network = replace(
        model.network,
        encoder=replace(model.network.encoder, patch_size=16),
        placement=replace(
            model.network.placement,
            tokens=1024,
            gaussians_per_token=16,
            face_share=0.45,
            eye_share=0.06,
            mouth_share=0.12,
            hand_share=0.15,
        ),
        bare_offsets=0.04,
        heads=replace(model.network.heads, delta_offset_range=0.01),  # with more, driven skin has holes
        unseen_like_seen=True,
        driving=DrivingConfig(
            expression="code",
            encoder=ExpressionEncoderConfig(picture=64, channels=(32, 64, 96), noise=0.05),
        ),
    )
    model.losses = LossConfig(
        l1=0.0,
        person=0.5,
        lpips=0.0,
        mask=0.1,
        position=1.0,
        scale=0.1,
        face=1.0,
        face_detail=2.0,
        code_texture=1.0,
        code_identity=0.5,
        code_range=0.05,
        code_adapter=1.0,
        whole_step_every=5,
    )
    for group, rate in (("encoder", 1e-3), ("heads", 2e-3)):
        config.optimizers[group]["optimizer"].lr, config.optimizers[group]["scheduler"].warmup_steps = rate, 30
    return config


lca_pretrain_face_tiny = MethodSpecification(
    config=_face_tiny(),
    description="A learned expression code, and most Gaussians on face and hands; data: close-ups, and some bodies.",
)
