"""A method for two CPU cores that learns the expression code of close-up people."""

from copy import deepcopy
from dataclasses import replace
from typing import cast

from nerfstudio.plugins.types import MethodSpecification

from lca_method.lca_config import lca_pretrain_tiny
from lca_method.lca_trainer import LCATrainerConfig
from lca_method.losses import LossConfig
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig

FACE_TINY_STEPS = 500


def _face_tiny() -> LCATrainerConfig:
    config = cast(LCATrainerConfig, deepcopy(lca_pretrain_tiny.config))
    config.method_name, config.max_num_iterations = "lca-pretrain-face-tiny", FACE_TINY_STEPS
    data = config.pipeline.datamanager
    data.image_size, data.face_size, data.target_size, data.target_faces = 96, 128, 64, True
    data.subjects_per_step, data.targets_per_step, data.references, data.eval_references = 10, 3, (3, 3), 3
    model = config.pipeline.model
    placement = replace(model.network.placement, face_share=0.75, eye_share=0.06, mouth_share=0.12)
    model.network = replace(
        model.network,
        encoder=replace(model.network.encoder, patch_size=16),
        placement=placement,
        driving=DrivingConfig(
            expression="code",
            encoder=ExpressionEncoderConfig(picture=64, channels=(32, 64, 96), noise=0.05),
        ),
    )
    model.losses = LossConfig(
        l1=0.0,
        person=0.3,
        lpips=0.0,
        mask=0.1,
        position=0.1,
        scale=0.1,
        face=1.0,
        face_detail=2.0,
        code_texture=1.0,
        code_identity=0.5,
        code_range=0.05,
        code_adapter=1.0,
        whole_step_every=6,
    )
    for group in config.optimizers.values():
        group["optimizer"].lr, group["scheduler"].warmup_steps = 2e-3, 30
    return config


lca_pretrain_face_tiny = MethodSpecification(
    config=_face_tiny(),
    description="lca-pretrain-tiny with most Gaussians on the face and a learned expression code; data: close-ups.",
)
