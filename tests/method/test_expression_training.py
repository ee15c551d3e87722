"""A training step, an evaluated picture and a viewer's picture of a model with a learned expression code."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from nerfstudio.configs.method_configs import all_methods
from nerfstudio.data.scene_box import SceneBox

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.lca_model import LCAModel, LCAModelConfig
from lca_method.losses import LossConfig
from lca_method.networks import LCAConfig
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig

LOSSES = LossConfig(
    lpips=0.0, face=1.0, code_agreement=0.1, code_contrast=0.1, code_cycle=0.1, code_identity=0.1, code_adapter=1.0
)


@pytest.fixture
def reader(people: Path) -> CropReader:
    return CropReader(AvatarDataset.open(people), CropSizes(32, 16, 32, target_faces=True), 10**7)


def coded_model(config: LCAConfig, losses: LossConfig) -> LCAModel:
    torch.manual_seed(0)
    encoder = ExpressionEncoderConfig(width=12, picture=16, channels=(8, 16), adapter_hidden=16)
    network = replace(config, driving=DrivingConfig(expression="code", encoder=encoder))
    return LCAModelConfig(network=network, losses=losses, eval_lpips=False).setup(
        scene_box=SceneBox(torch.zeros(2, 3)), num_train_data=1
    )


def test_every_term_of_a_step_is_finite_and_reaches_encoder_and_adapter(config, reader):
    model = coded_model(config, LOSSES)
    torch.nn.init.normal_(model.network.pose_head.deltas.weight, std=0.02)
    batch = stacked([reader.batch(name, [0, 1], [2, 3, 4]) for name in ("anna", "bela")])
    losses = model.get_loss_dict(model(batch, 0), {"subject_batch": batch})
    assert {"face", "code_agreement", "code_contrast", "code_cycle", "code_identity", "code_adapter"} <= set(losses)
    assert all(value.isfinite() for value in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    expression = model.network.driving_vector.expression
    missing = [name for name, p in expression.named_parameters() if p.grad is None or not p.grad.any()]
    assert missing == ["adapter.0.weight"]  # these people's coefficients are all zero


def test_evaluation_drives_by_the_face_and_by_coefficients_without_one(config, reader):
    model = coded_model(config, LOSSES).eval()
    torch.nn.init.normal_(model.network.pose_head.deltas.weight, std=0.05)
    torch.nn.init.normal_(model.network.driving_vector.expression.adapter[-1].bias, std=1.0)
    batch = stacked([reader.batch("emil", [0, 1], [2])])
    by_face = model.get_outputs_for_batch(batch)["rgb"]
    torch.testing.assert_close(model.get_outputs_for_batch(batch)["rgb"], by_face)
    by_coefficients = model.get_outputs_for_batch(replace(batch, targets=replace(batch.targets, faces=None)))["rgb"]
    assert not torch.allclose(by_face, by_coefficients, atol=1e-3)


def test_the_papers_sizes_learn_a_code_and_the_tiny_ones_take_coefficients():
    pipeline = all_methods["lca-pretrain"].pipeline
    assert pipeline.model.network.driving.expression == "code" and pipeline.datamanager.target_faces
    assert pipeline.model.losses.code_adapter > 0 and pipeline.model.network.driving.encoder.width == 128
    tiny = all_methods["lca-pretrain-tiny"].pipeline
    assert tiny.model.network.driving.expression == "coefficients" and not tiny.datamanager.target_faces
    assert tiny.model.losses.face == 0 and not tiny.model.losses.code_weights(0)
