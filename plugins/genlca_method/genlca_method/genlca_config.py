"""The methods of GenLCA that ``ns-train`` offers. Imports light things only: it is read by every ``ns-*`` command."""

from nerfstudio.configs.base_config import MachineConfig
from nerfstudio.plugins.types import MethodSpecification

from genlca_method.conditioning.encoders import tiny_conditioning
from genlca_method.genlca_datamanager import GenLCADataManagerConfig
from genlca_method.genlca_model import GenLCAModelConfig
from genlca_method.genlca_pipeline import GenLCATrainingPipelineConfig
from genlca_method.genlca_trainer import GenLCATrainerConfig
from genlca_method.transformer.flow_config import FlowConfig
from genlca_method.transformer.sizes import SIZES
from lca_method.ema import WeightAverageConfig
from lca_method.lca_trainer import AdamWOptimizerConfig
from lca_method.lca_trainer_schedulers import WarmupCosineSchedulerConfig


def _optimizers(lr: float, warmup_steps: int) -> dict:
    optimizer = AdamWOptimizerConfig(lr=lr, eps=1e-8, weight_decay=0.01, max_norm=1.0)
    return {
        "transformer": {"optimizer": optimizer, "scheduler": WarmupCosineSchedulerConfig(warmup_steps=warmup_steps)}
    }


genlca = MethodSpecification(
    config=GenLCATrainerConfig(
        method_name="genlca",
        pipeline=GenLCATrainingPipelineConfig(
            model=GenLCAModelConfig(size=SIZES["paper"], gradient_checkpointing=True),
            average=WeightAverageConfig(decay=0.9999),
        ),
        optimizers=_optimizers(lr=1e-4, warmup_steps=1000),
        max_num_iterations=500_000,
        mixed_precision=True,
        steps_per_save=5000,
        steps_per_eval_batch=1000,
        steps_per_eval_image=5000,
        steps_per_eval_all_images=50_000,
        vis="tensorboard",
    ),
    description="GenLCA at the paper's scale: avatars from text and pictures of parts; data: token shards.",
)

genlca_tiny = MethodSpecification(
    config=GenLCATrainerConfig(
        method_name="genlca-tiny",
        machine=MachineConfig(device_type="cpu"),
        pipeline=GenLCATrainingPipelineConfig(
            datamanager=GenLCADataManagerConfig(people_per_step=16, said=0.5),
            model=GenLCAModelConfig(
                size=SIZES["tiny"],
                conditioning=tiny_conditioning(),
                flow=FlowConfig(logit_mean=1.0, logit_deviation=1.4),  # what prompts decide is decided above level 0.9
            ),
            average=WeightAverageConfig(decay=0.99),
        ),
        optimizers=_optimizers(lr=2e-3, warmup_steps=30),
        max_num_iterations=3000,
        steps_per_save=500,
        steps_per_eval_batch=250,
        steps_per_eval_image=500,
        steps_per_eval_all_images=100_000,
        vis="tensorboard",
    ),
    description="GenLCA small enough for two CPU cores, over the tokens of lca-pretrain-tiny.",
)
