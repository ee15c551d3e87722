"""Post-training, averaged weights and number formats through nerfstudio's trainer."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_people import write_people
from small_runs import parameters, small_run, trained

from lca_dataparsers.lca_wild import LCAWildDataParserConfig
from lca_method.augmentation import AugmentationConfig
from lca_method.checkpoints import find_checkpoint, load_checkpoint, model_state, trained_steps
from lca_method.ema import WeightAverageConfig
from lca_method.lca_trainer import LCATrainer
from lca_method.networks.driving import DrivingConfig
from lca_method.networks.expression_encoder import ExpressionEncoderConfig
from lca_shared.errors import UserError


@pytest.fixture(scope="module")
def pretrained(people: Path, tmp_path_factory: pytest.TempPathFactory) -> LCATrainer:
    config = small_run(people, tmp_path_factory.mktemp("pre"), steps=3)
    config.pipeline.average = WeightAverageConfig(decay=0.5)
    trainer = trained(config)
    config.save_config()
    return trainer


def test_a_checkpoint_is_found_by_file_run_and_config(
    pretrained: LCATrainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pretrained.base_dir
    file = run / "nerfstudio_models" / "step-000000002.ckpt"
    for place in (file, run, run / "nerfstudio_models", run / "config.yml", str(run)):
        assert find_checkpoint(place) == file
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="Hub"):
        find_checkpoint("somebody/lca-large")
    with pytest.raises(UserError, match="does not exist"):
        find_checkpoint(tmp_path / "a" / "b" / "c.ckpt")
    with pytest.raises(UserError, match="no checkpoint"):
        find_checkpoint(tmp_path)


@pytest.mark.parametrize("decay", [1.0, 0.0])
def test_post_training_begins_with_the_averaged_weights(
    pretrained: LCATrainer, people: Path, tmp_path: Path, decay: float
) -> None:
    config = small_run(people, tmp_path, steps=2, method="lca-posttrain-tiny")
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    config.pipeline.model.pretrained = str(pretrained.base_dir)
    config.layer_decay = decay
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    before = {name: value.clone() for name, value in trainer.pipeline.lca.network.named_parameters()}
    assert pretrained.pipeline.average is not None
    averages = dict(pretrained.pipeline.average.named_buffers())
    for name, value in before.items():
        assert torch.equal(value, averages[name.replace(".", "/")])
    assert not any(optimizer.state for optimizer in trainer.optimizers.optimizers.values())
    trainer.train()
    moved = {n for n, value in trainer.pipeline.lca.network.named_parameters() if not torch.equal(value, before[n])}
    encoder = {name for name in before if name.startswith(("encoder.", "tokenizer.", "geometric_projection.", "image"))}
    assert (encoder & moved if decay == 0.0 else encoder - moved - {n for n in encoder if "registers" in n}) == set()
    assert any(name.startswith("canonical_head.") for name in moved)
    checkpoint = load_checkpoint(find_checkpoint(trainer.base_dir))
    assert trained_steps(checkpoint) == 3 + 2
    assert trainer.pipeline.lca.training_step == 3 + 1


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    splits = {"fine": "train", "gert": "train", "hanna": "test"}
    return write_people(tmp_path_factory.mktemp("studio") / "studio", splits, frames=4, cameras=3)


def test_post_training_is_on_studio_people_unless_told_otherwise(
    pretrained: LCATrainer, people: Path, studio: Path, tmp_path: Path
) -> None:
    """A studio alone from the run's config.yml; a studio and wild people, mixed by weights, from the file."""
    run = pretrained.base_dir
    alone = small_run(studio, tmp_path, steps=2, method="lca-posttrain-tiny")
    alone.pipeline.model.pretrained = str(run / "config.yml")
    mixed = small_run(studio, tmp_path, steps=2, run="mixed", method="lca-posttrain-tiny")
    mixed.pipeline.model.pretrained = str(find_checkpoint(run))
    manager = mixed.pipeline.datamanager
    manager.data, manager.datasets, manager.weights = None, (studio, people), (3.0, 1.0)
    for config in (alone, mixed):
        trainer = trained(config)
        assert trained_steps(load_checkpoint(find_checkpoint(trainer.base_dir))) == 3 + 2
    drawn = [trainer.pipeline.datamanager.draw_batch(step).ids[0].split(":")[0] for step in range(24)]
    assert 12 < drawn.count("studio") < 24 and set(drawn) == {"studio", "people"}


def test_post_training_refuses_what_it_cannot_begin_with(people: Path, studio: Path, tmp_path: Path) -> None:
    config = small_run(studio, tmp_path, steps=2, method="lca-posttrain-tiny")
    with pytest.raises(UserError, match=r"--pipeline\.model\.pretrained"):
        config.setup(local_rank=0, world_size=1).setup()
    config.pipeline.datamanager.data = people
    with pytest.raises(UserError, match="use the dataparser lca-wild"):
        config.setup(local_rank=0, world_size=1).setup()


def test_another_network_is_refused_by_the_fields_that_differ(
    pretrained: LCATrainer, people: Path, tmp_path: Path
) -> None:
    config = small_run(people, tmp_path, steps=2, method="lca-posttrain-tiny")
    config.pipeline.datamanager.dataparser = LCAWildDataParserConfig()
    model = config.pipeline.model
    model.pretrained = str(pretrained.base_dir)
    model.network = replace(model.network, placement=replace(model.network.placement, tokens=64))
    trainer = config.setup(local_rank=0, world_size=1)
    with pytest.raises(UserError, match=r"network.placement.tokens: 48 in the checkpoint, 64 now"):
        trainer.setup()


def test_averaged_weights_resume_to_the_bit_and_are_what_evaluation_sees(
    pretrained: LCATrainer, people: Path, tmp_path: Path
) -> None:
    first = small_run(people, tmp_path, steps=3, run="first")
    first.pipeline.average = WeightAverageConfig(decay=0.5)
    first.max_num_iterations = 1  # warming up, where no rate depends on the training's length
    rest = small_run(people, tmp_path, steps=3, run="rest")
    rest.pipeline.average = WeightAverageConfig(decay=0.5)
    rest.load_dir = trained(first).checkpoint_dir
    resumed = trained(rest)
    average, whole = resumed.pipeline.average, pretrained.pipeline.average
    assert average is not None and whole is not None
    for (name, value), (_, other) in zip(average.named_buffers(), whole.named_buffers(), strict=True):
        assert torch.equal(value, other), name
    state = load_checkpoint(find_checkpoint(resumed.base_dir))
    again = small_run(people, tmp_path, steps=3, run="again")
    again.pipeline.average = WeightAverageConfig(decay=0.5)
    again.load_dir = resumed.checkpoint_dir
    loaded = again.setup(local_rank=0, world_size=1)
    loaded.setup()
    assert loaded.pipeline.average is not None
    for (name, value), (_, other) in zip(average.named_buffers(), loaded.pipeline.average.named_buffers(), strict=True):
        assert torch.equal(value, other), name
    pipeline = again.pipeline.setup(device="cpu", test_mode="test")
    pipeline.load_pipeline(state["pipeline"], state["step"])
    averaged = model_state(state)
    for name, value in pipeline.lca.network.named_parameters():
        assert torch.equal(value, averaged[f"network.{name}"])
    own = parameters(loaded)
    with loaded.pipeline.evaluated_weights():
        shown = parameters(loaded)
        assert torch.equal(shown, parameters_of(pipeline))
    assert torch.equal(parameters(loaded), own) and not torch.equal(shown, own)


def parameters_of(pipeline) -> torch.Tensor:
    return torch.cat([value.detach().flatten() for value in pipeline.lca.parameters()])


@pytest.mark.parametrize("dtype", ["bfloat16"])
def test_mixed_precision_trains_on_a_cpu(people: Path, tmp_path: Path, dtype: str) -> None:
    seen = []
    config = small_run(people, tmp_path, steps=3)
    config.mixed_precision, config.mixed_precision_dtype = True, dtype
    trainer = config.setup(local_rank=0, world_size=1)
    trainer.setup()
    layer = trainer.pipeline.lca.network.encoder.layers[0].global_vector[1]
    layer.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    before = parameters(trainer)
    trainer.train()
    after = parameters(trainer)
    assert set(seen[:3]) == {torch.bfloat16} and not trainer.grad_scaler.is_enabled()
    assert after.dtype == torch.float32 and torch.isfinite(after).all() and not torch.equal(before, after)
    assert torch.get_autocast_dtype("cpu") == torch.bfloat16  # the process's own setting is back


def test_a_folder_that_cannot_be_written_is_one_message(people: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit, match="output-dir"):
        small_run(people, tmp_path / "file", steps=1).save_config()


def test_training_with_a_learned_code_resumes_to_the_bit(people: Path, tmp_path: Path) -> None:
    """Its noise, dropout and changes of faces are drawn anew for each step, whatever came before."""
    runs = {}
    for name, steps, before in (("whole", 3, None), ("half", 2, None), ("rest", 3, "half")):
        config = small_run(people, tmp_path, steps=steps, run=name)
        config.pipeline.datamanager.target_faces = True
        model = config.pipeline.model
        encoder = ExpressionEncoderConfig(width=12, picture=16, channels=(8, 16), adapter_hidden=16)
        model.network = replace(model.network, driving=DrivingConfig(expression="code", encoder=encoder))
        model.losses = replace(model.losses, face=1.0, code_contrast=0.1, code_cycle=0.1, code_adapter=1.0)
        config.load_dir = runs[before].checkpoint_dir if before else None
        runs[name] = trained(config)
    assert torch.equal(parameters(runs["rest"]), parameters(runs["whole"]))
    assert not torch.equal(parameters(runs["half"]), parameters(runs["whole"]))


def test_augmented_training_resumes_and_refuses_a_feature_cache(people: Path, tmp_path: Path) -> None:
    change = AugmentationConfig(0.5, (0.8, 1.2), 0.1, 0.2, 0.2, 0.2)
    runs = []
    for name, steps in (("whole", 3), ("half", 2)):
        config = small_run(people, tmp_path, steps=steps, run=name)
        config.pipeline.augmentation = change
        runs.append(trained(config))
    rest = small_run(people, tmp_path, steps=3, run="rest")
    rest.pipeline.augmentation, rest.load_dir = change, runs[1].checkpoint_dir
    assert torch.equal(parameters(trained(rest)), parameters(runs[0]))
    rest.pipeline.model.feature_cache = tmp_path / "features"
    with pytest.raises(UserError, match="feature-cache"):
        rest.setup(local_rank=0, world_size=1).setup()
