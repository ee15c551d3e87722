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
from lca_method.identity_removal import remove_identity
from lca_method.lca_model import LCAModel, LCAModelConfig
from lca_method.losses import LossConfig
from lca_method.networks import LCAConfig
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig
from lca_method.training_step import CodeOutputs, TrainingOutputs
from lca_shared.errors import UserError

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


def test_identity_is_measured_on_many_people_only(config, reader, monkeypatch):
    model = coded_model(config, LOSSES)
    with torch.no_grad():
        model.network.driving_vector.expression.encoder.kept.zero_()
    batches = [stacked([reader.batch(name, [0, 1], [2, 3, 4]) for name in ("anna", "bela")])] * 20
    assert remove_identity(model.network, batches) is None
    torch.testing.assert_close(model.network.driving_vector.expression.encoder.kept, torch.eye(12))
    monkeypatch.setattr("lca_method.identity_removal.LEAST_PEOPLE", 2)
    assert remove_identity(model.network, batches) is None  # the same frames again say nothing new
    many = [replace(batch, ids=(f"{i} anna", f"{i} bela")) for i, batch in enumerate(batches)]
    found = remove_identity(model.network, many)
    assert found is not None and model.network.training
    torch.testing.assert_close(model.network.driving_vector.expression.encoder.kept, found.kept)


def test_evaluation_drives_by_the_face_and_by_coefficients_without_one(config, reader):
    model = coded_model(config, LOSSES).eval()
    torch.nn.init.normal_(model.network.pose_head.deltas.weight, std=0.05)
    torch.nn.init.normal_(model.network.driving_vector.expression.adapter[-1].bias, std=1.0)
    batch = stacked([reader.batch("emil", [0, 1], [2])])
    by_face = model.get_outputs_for_batch(batch)["rgb"]
    torch.testing.assert_close(model.get_outputs_for_batch(batch)["rgb"], by_face)
    by_coefficients = model.get_outputs_for_batch(replace(batch, targets=replace(batch.targets, faces=None)))["rgb"]
    assert not torch.allclose(by_face, by_coefficients, atol=1e-3)


def test_between_whole_steps_only_the_code_is_learned(config, reader):
    losses = replace(LOSSES, code_texture=1.0, code_range=0.1, whole_step_every=3)
    model = coded_model(config, losses)
    batch = stacked([reader.batch(name, [0, 1], [2, 3, 4]) for name in ("anna", "bela")])
    assert isinstance(model(batch, 3), TrainingOutputs) and isinstance(model(batch, None), TrainingOutputs)
    outputs = model(batch, 1)
    assert isinstance(outputs, CodeOutputs) and outputs.expression.codes.shape == (2, 5, 12)
    assert model.get_metrics_dict(outputs, {"subject_batch": batch}) == {}
    terms = model.get_loss_dict(outputs, {"subject_batch": batch})
    assert set(terms) == {
        f"code_{name}" for name in ("agreement", "contrast", "identity", "range", "texture", "adapter")
    }
    torch.stack(list(terms.values())).sum().backward()
    learned = {name.split(".")[0] for name, p in model.network.named_parameters() if p.grad is not None}
    assert learned == {"driving_vector"}


def test_only_models_with_a_code_can_learn_it_alone(config, reader):
    model = LCAModelConfig(network=config, losses=replace(LOSSES, whole_step_every=2), eval_lpips=False).setup(
        scene_box=SceneBox(torch.zeros(2, 3)), num_train_data=1
    )
    batch = stacked([reader.batch("anna", [0], [2])])
    with pytest.raises(UserError, match="whole-step-every"):
        model(batch, 1)


def test_the_papers_sizes_learn_a_code_and_the_tiny_ones_take_coefficients():
    pipeline = all_methods["lca-pretrain"].pipeline
    assert pipeline.model.network.driving.expression == "code" and pipeline.datamanager.target_faces
    assert pipeline.model.losses.code_texture > 0 and pipeline.model.network.template_expression
    assert pipeline.model.losses.code_adapter > 0 and pipeline.model.network.driving.encoder.width == 128
    tiny = all_methods["lca-pretrain-tiny"].pipeline
    assert tiny.model.network.driving.expression == "coefficients" and not tiny.datamanager.target_faces
    assert tiny.model.losses.face == 0 and not tiny.model.losses.code_weights(0)
