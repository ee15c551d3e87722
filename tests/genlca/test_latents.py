"""Latents: what the autoencoder must do whatever it has learned, and that it learns."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from genlca_method.cli import main
from genlca_method.latents import measuring
from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.latents.command import LatentsConfig
from genlca_method.latents.rendering import TokenRenderer
from genlca_method.latents.token_data import token_data
from genlca_method.latents.training import (
    LatentsTrainer,
    load_autoencoder,
    made_autoencoder,
    set_latent_statistics,
    token_loss,
)
from genlca_method.tokens.shards import TokenShards
from lca_method.trained_network import TrainedNetwork
from lca_shared.errors import UserError


@pytest.fixture
def config(tokens: Path, lca_run: Path, tmp_path: Path) -> LatentsConfig:
    return LatentsConfig(
        tokens, str(lca_run), tmp_path / "latents", steps=40, batch=4, width=32, layers=1, heads=2, picture_size=32
    )


@pytest.fixture
def trainer(config: LatentsConfig, lca: TrainedNetwork) -> LatentsTrainer:
    torch.manual_seed(0)
    shards = TokenShards(config.tokens)
    data = token_data(shards, ("train",))
    made = made_autoencoder(config, shards, lca, data)
    return LatentsTrainer(config, made, data, TokenRenderer(lca, shards.info.layout))


def test_what_is_not_valid_leaks_nowhere(trainer: LatentsTrainer) -> None:
    autoencoder, data = trainer.autoencoder, trainer.data
    vectors, valid = data.vectors[:2], torch.rand(2, 48) < 0.6
    others = torch.where(valid[..., None], vectors, 100 * torch.randn_like(vectors))
    with torch.no_grad():
        assert torch.equal(autoencoder.encode(vectors, valid), autoencoder.encode(others, valid))
        given_back = autoencoder(vectors, valid)
        spoiled = torch.where(valid[..., None], given_back, torch.zeros_like(given_back))
        torch.testing.assert_close(
            token_loss(autoencoder, given_back, vectors, valid), token_loss(autoencoder, spoiled, vectors, valid)
        )


def test_latents_come_out_normalised_and_decode_to_the_same(trainer: LatentsTrainer) -> None:
    autoencoder, data = trainer.autoencoder.eval(), trainer.data
    with torch.no_grad():
        before = autoencoder(data.vectors, data.valid)
        set_latent_statistics(autoencoder, data, batch=4)
        latents = autoencoder.encode(data.vectors, data.valid)[data.valid]
        torch.testing.assert_close(
            autoencoder.decode(autoencoder.encode(data.vectors, data.valid)), before, atol=2e-4, rtol=1e-3
        )
    torch.testing.assert_close(latents.mean(0), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=1e-2, rtol=0)
    set_latent_statistics(autoencoder, data, batch=2)  # again: nothing left to do
    with torch.no_grad():
        torch.testing.assert_close(
            autoencoder.encode(data.vectors, data.valid)[data.valid], latents, atol=1e-3, rtol=1e-3
        )


def test_anchors_without_position_are_alike(trainer: LatentsTrainer) -> None:
    """Permuting anchors together with their points permutes latents and tokens."""
    autoencoder, data = trainer.autoencoder.eval(), trainer.data
    order = torch.randperm(48)
    vectors, valid = data.vectors[:2], torch.rand(2, 48) < 0.6
    with torch.no_grad():
        straight = autoencoder(vectors, valid)
        autoencoder.set_template(autoencoder.positions[order])
        autoencoder.token_mean.copy_(autoencoder.token_mean[order])
        permuted = autoencoder(vectors[:, order], valid[:, order])
    torch.testing.assert_close(permuted, straight[:, order], atol=1e-4, rtol=1e-4)


def test_principal_axes_alone_are_a_good_beginning(trainer: LatentsTrainer) -> None:
    """Without its layers it is the best linear one of the differences to the mean person (Eckart, Young 1936)."""
    autoencoder, data = trainer.autoencoder.eval(), trainer.data
    with torch.no_grad():
        for last in (autoencoder.narrow[1], autoencoder.out[1]):
            last.weight.zero_()  # type: ignore[operator]
        left = ((autoencoder(data.vectors, data.valid) - data.vectors) / autoencoder.token_deviation)[data.valid]
        differing = ((data.vectors - autoencoder.token_mean) / autoencoder.token_deviation)[data.valid]
    best = torch.linalg.svdvals(differing.double())[8:].square().sum()
    torch.testing.assert_close(left.double().square().sum(), best, rtol=1e-3, atol=0)
    assert float(left.square().mean()) < float(differing.square().mean())


@pytest.mark.slow
def test_tokens_and_pictures_are_learned(trainer: LatentsTrainer) -> None:
    first = [trainer.step(step) for step in range(5)]
    for step in range(5, 35):
        trainer.step(step)
    last = [trainer.step(step) for step in range(35, 40)]
    for name in ("tokens", "pictures"):
        assert sum(losses[name] for losses in last) < 0.75 * sum(losses[name] for losses in first)


def test_pictures_alone_reach_the_encoder(trainer: LatentsTrainer) -> None:
    vectors, valid, shapes = trainer.data.vectors[:1], trainer.data.valid[:1], trainer.data.shapes[:1]
    loss = trainer._pictures(trainer.autoencoder(vectors, valid), vectors, shapes)
    loss.backward()
    assert float(trainer.autoencoder.into.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]
    assert all(not parameter.requires_grad for parameter in trainer.renderer.trained.network.parameters())
    with torch.no_grad():
        assert float(trainer._pictures(vectors, vectors, shapes)) == 0.0


def test_the_command_trains_measures_and_saves(
    config: LatentsConfig, tokens: Path, capsys: pytest.CaptureFixture
) -> None:
    options = ["--steps", "4", "--batch", "2", "--width", "32", "--layers", "1", "--picture-size", "32"]
    where = ["--tokens", str(tokens), "--checkpoint", config.checkpoint, "--output-dir", str(config.output_dir)]
    assert main(["latents", *where, *options]) == 0
    assert "psnr_with_latents" in capsys.readouterr().out
    report = json.loads((config.output_dir / "latents.json").read_text())["measured"]
    assert report["people"] == 1 and report["split"] == "test"
    assert report["psnr_with_latents"] > 3 and report["psnr_of_tokens"] > 3
    loaded = load_autoencoder(config.output_dir)
    shards = TokenShards(tokens)
    data = token_data(shards, ("train",))
    latents = loaded.encode(data.vectors, data.valid)[data.valid]
    torch.testing.assert_close(latents.std(0), torch.ones(8), atol=2e-2, rtol=0)
    again = TokenAutoencoder.from_pretrained(config.output_dir)
    assert torch.equal(again.decode(torch.ones(48, 8)), loaded.decode(torch.ones(48, 8)))


def test_people_without_pictures_left_over_are_measured_by_themselves(
    tokens: Path, lca: TrainedNetwork, trainer: LatentsTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "frame_weights", lambda dataset, subject: torch.zeros(6))
    report = measuring.measured(trainer.autoencoder, TokenShards(tokens), lca)
    assert "psnr_of_tokens" in report and not any("_latents" in name for name in report)


def test_tokens_of_another_model_are_refused(
    tokens: Path, lca_run: Path, tmp_path: Path, config: LatentsConfig
) -> None:
    from genlca_method.latents.training import check_model
    from lca_method.trained_network import load_network

    shards = TokenShards(tokens)
    shards.info = replace(shards.info, checkpoint={**shards.info.checkpoint, "sha256": "0"})
    with pytest.raises(UserError, match="another model"):
        check_model(shards, load_network(lca_run))
    with pytest.raises(UserError, match="genlca latents"):
        load_autoencoder(tmp_path)
