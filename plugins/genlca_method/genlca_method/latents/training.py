"""Training of the token autoencoder."""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import trange

from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.latents.command import LatentsConfig
from genlca_method.latents.measuring import measured
from genlca_method.latents.rendering import TokenRenderer, cameras_at, random_angles
from genlca_method.latents.token_data import TokenData, masked_statistics, token_data
from genlca_method.tokens.several import AnyShards
from genlca_method.tokens.shards import TokenShards
from lca_method.checkpoints import fingerprint
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.errors import UserError
from lca_shared.storage import write_json
from lca_shared.tensors import Float, Tensor

LATENTS_FILE = "latents.json"
SCHEMA = ("latents", 1)


def train(config: LatentsConfig) -> None:
    """See :func:`genlca_method.latents.command.run`."""
    if min(config.steps, config.batch, config.latent_channels) < 1:
        raise UserError("--steps, --batch and --latent-channels need at least 1.")
    device = ("cuda" if torch.cuda.is_available() else "cpu") if config.device == "auto" else config.device
    shards, trained = TokenShards(config.tokens), load_network(config.checkpoint, device)
    check_model(shards, trained)
    torch.manual_seed(config.seed)
    data = token_data(shards, ("train",))
    autoencoder = made_autoencoder(config, shards, trained, data)
    nn.Module.to(autoencoder, device)
    trainer = LatentsTrainer(config, autoencoder, data, TokenRenderer(trained, shards.info.layout))
    steps = trange(config.steps, desc="latents", unit="step", disable=None)
    for step in steps:
        losses = trainer.step(step)
        if step % 20 == 0:
            steps.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
    set_latent_statistics(autoencoder.eval(), data, config.batch)
    autoencoder.save_pretrained(config.output_dir)
    report = measured(autoencoder, shards, trained)
    record: dict[str, Any] = {
        "kind_of_file": SCHEMA[0],
        "schema_version": SCHEMA[1],
        "checkpoint": shards.info.checkpoint,
    }
    settings = {name: value for name, value in asdict(config).items() if name not in ("tokens", "output_dir")}
    write_json(config.output_dir / LATENTS_FILE, record | {"settings": settings, "measured": report})
    for name, value in report.items():
        print(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
    print(
        f"Wrote {config.output_dir}. Next: ns-train genlca-tiny --data {config.tokens} "
        f"--pipeline.model.latents {config.output_dir} --pipeline.model.checkpoint {config.checkpoint}"
    )


def check_model(shards: AnyShards, trained: TrainedNetwork) -> None:
    """Find out whether tokens were made by a model.

    Raises:
        UserError: another one made them.
    """
    if fingerprint(trained.checkpoint) != shards.info.checkpoint["sha256"]:
        raise UserError(
            f"The tokens in {shards.root} were made by another model than {trained.checkpoint}: their checksums "
            "differ. Name the checkpoint that was given to `genlca tokenize`."
        )


def made_autoencoder(
    config: LatentsConfig, shards: TokenShards, trained: TrainedNetwork, data: TokenData
) -> TokenAutoencoder:
    """An untrained autoencoder for some tokens, which knows their statistics and points."""
    layout = shards.info.layout
    autoencoder = TokenAutoencoder(
        layout.anchors, layout.channels, config.latent_channels, config.width, config.layers, config.heads
    )
    network, body = trained.network, trained.body
    corners = body.faces[network.token_faces]
    points = (body.template_vertices[corners] * network.token_barycentric[..., None]).sum(dim=1)
    autoencoder.set_template(points.cpu())
    autoencoder.set_token_statistics(*data.statistics(config.latent_channels))
    return autoencoder


@dataclass
class LatentsTrainer:
    """One optimiser over an autoencoder."""

    config: LatentsConfig
    autoencoder: TokenAutoencoder
    data: TokenData
    renderer: TokenRenderer

    def __post_init__(self) -> None:
        config = self.config
        self.optimiser = torch.optim.AdamW(self.autoencoder.parameters(), lr=config.learning_rate, weight_decay=0.01)
        warm = max(1, min(100, config.steps // 10))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda step: min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * min(step / config.steps, 1.0))),
        )
        self.generator = torch.Generator().manual_seed(config.seed)

    def step(self, step: int) -> dict[str, float]:
        """Learn from some samples; the losses by name."""
        config, autoencoder, device = self.config, self.autoencoder.train(), self.autoencoder.device
        chosen = torch.randint(len(self.data), (config.batch,), generator=self.generator)
        vectors, valid, shapes = (
            value[chosen].to(device) for value in (self.data.vectors, self.data.valid, self.data.shapes)
        )
        latents = autoencoder.encode(vectors, valid)
        spread = latents.detach()[valid].std(dim=0).clamp(min=1e-4)
        noise = config.noise * torch.randn(latents.shape, generator=self.generator).to(device)
        given_back = autoencoder.decode(latents + noise * spread)
        losses = {"tokens": token_loss(autoencoder, given_back, vectors, valid)}
        if config.pictures and config.picture_weight:
            some = slice(0, config.pictures)
            mixed = torch.where(valid[some, :, None], given_back[some], vectors[some])
            losses["pictures"] = config.picture_weight * self._pictures(mixed, vectors[some], shapes[some])
        loss = torch.stack(list(losses.values())).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(autoencoder.parameters(), 1.0)
        self.optimiser.step()
        self.schedule.step()
        return {name: float(value.detach()) for name, value in losses.items()}

    def _pictures(self, given_back: Tensor, vectors: Tensor, shapes: Tensor) -> Float[Tensor, ""]:
        """Mean absolute difference, over pixels that either shows, of the avatars of both, seen from anywhere. Tokens
        that are not valid are the true ones in both."""
        cameras = cameras_at(random_angles((len(vectors), 1), self.generator), self.config.picture_size)
        cameras = cameras.to(vectors.device)
        with torch.no_grad():
            truth = self.renderer.at_rest(self.renderer.decoded(vectors, shapes), cameras)
        ours = self.renderer.at_rest(self.renderer.decoded(given_back, shapes), cameras)
        covered = torch.maximum(ours.alpha.detach(), truth.alpha)
        differences = (ours.colors - truth.colors).abs().mean(dim=-3, keepdim=True) + (ours.alpha - truth.alpha).abs()
        return (differences * (covered > 0.01)).sum() / (covered > 0.01).sum().clamp(min=1)


def token_loss(autoencoder: TokenAutoencoder, given_back: Tensor, vectors: Tensor, valid: Tensor) -> Float[Tensor, ""]:
    """Mean squared difference of valid tokens, in deviations."""
    difference = (given_back - vectors) / autoencoder.token_deviation
    return (difference.square().mean(dim=-1) * valid).sum() / valid.sum().clamp(min=1)


@torch.no_grad()
def set_latent_statistics(autoencoder: TokenAutoencoder, data: TokenData, batch: int) -> None:
    """Make latents come out with mean 0 and deviation 1 over the valid tokens of ``data``."""
    device = autoencoder.device
    pairs = zip(data.vectors.split(batch), data.valid.split(batch))
    latents = torch.cat([autoencoder.encode(vectors.to(device), valid.to(device)).cpu() for vectors, valid in pairs])
    mean, deviation = masked_statistics(latents, data.valid)
    autoencoder.set_latent_statistics(mean.to(device), deviation.to(device))


def load_autoencoder(folder: Path, device: torch.device | str = "cpu") -> TokenAutoencoder:
    """A trained autoencoder, frozen.

    Raises:
        UserError: there is none.
    """
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} holds no autoencoder. Train one with `genlca latents`.")
    try:
        autoencoder = TokenAutoencoder.from_pretrained(folder, low_cpu_mem_usage=False)  # it is small
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no autoencoder that can be read ({error}). Train it again.") from error
    nn.Module.to(autoencoder, device)
    return autoencoder.eval().requires_grad_(False)
