"""What an autoencoder of tokens costs: avatars rendered with and without it."""

import math
from pathlib import Path
from typing import Any

import torch

from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.latents.rendering import TokenRenderer, cameras_at
from genlca_method.latents.token_data import TokenData, token_data
from genlca_method.tokens.shards import TokenShards
from lca_dataparsers.dataset.schema import DATASET_FILE, SHARDS_FILE
from lca_method.analysis.people import ShownPeople
from lca_method.crops import frame_weights
from lca_method.trained_network import TrainedNetwork
from lca_shared.metrics import masked_psnr
from lca_shared.tensors import Float, Tensor

_ANGLES = (0.0, 0.5 * math.pi, math.pi, 1.5 * math.pi)
_SIZE = 128
_MOST = 16
"""People measured at most."""
_TARGETS = 4
"""Pictures of each person."""


@torch.no_grad()
def measured(autoencoder: TokenAutoencoder, shards: TokenShards, trained: TrainedNetwork) -> dict[str, Any]:
    """Figures over held-out people (the test split; the training people where nobody is held out), one sample each.

    Returns:
        ``people``, ``split``; ``token_error`` (mean squared, in deviations, valid tokens);
        ``psnr_of_tokens``: avatars after latents against the same before them, at rest from four sides (dB, pixels of
        the person); ``psnr_without_latents`` and ``psnr_with_latents``: avatars against pictures of the dataset that
        the tokens were not made from, if there are any and it is still where it was (dB, pixels of the person).
    """
    splits = {shards.sample_info(index).split for index in range(len(shards))}
    split = "test" if "test" in splits else "train"
    indices = _first_of_each(shards, split)[:_MOST]
    data = _only(token_data(shards, (split,)), indices)
    device = autoencoder.device
    vectors, valid, shapes = data.vectors.to(device), data.valid.to(device), data.shapes.to(device)
    given_back = torch.where(valid[..., None], autoencoder(vectors, valid), vectors)
    difference = ((given_back - vectors) / autoencoder.token_deviation).square().mean(dim=-1)
    report: dict[str, Any] = {
        "people": len(indices),
        "split": split,
        "token_error": float((difference * valid).sum() / valid.sum()),
        "psnr_of_tokens": float(at_rest_psnr(TokenRenderer(trained, shards.info.layout), vectors, given_back, shapes)),
    }
    source = Path(str(shards.info.settings["data"]))
    if (source / DATASET_FILE).exists() or (source / SHARDS_FILE).exists():
        for name, tokens in (("without", vectors), ("with", given_back)):
            found = picture_psnr(shards, trained, source, indices, tokens)
            report |= {} if found is None else {f"psnr_{name}_latents": found}
    return report


def at_rest_psnr(
    renderer: TokenRenderer,
    truth: Float[Tensor, "people anchors channels"],
    ours: Float[Tensor, "people anchors channels"],
    shapes: Float[Tensor, "people coefficients"],
) -> Float[Tensor, ""]:
    """dB over the person's pixels, mean over people and four sides."""
    cameras = cameras_at(torch.tensor(_ANGLES), _SIZE).to(truth.device)
    found = []
    for index in range(len(truth)):
        one = slice(index, index + 1)
        pictures = [
            renderer.at_rest(renderer.decoded(tokens[one], shapes[one]), cameras[None]) for tokens in (truth, ours)
        ]
        found.append(masked_psnr(pictures[1].colors.clamp(0, 1), pictures[0].colors.clamp(0, 1), pictures[0].alpha))
    return torch.stack(found).mean()


def picture_psnr(
    shards: TokenShards, trained: TrainedNetwork, source: Path, indices: list[int], tokens: Tensor
) -> float | None:
    """dB against pictures of people that their tokens were not made from; None if there are no such pictures."""
    people = ShownPeople.open(source, trained)
    renderer, found = TokenRenderer(trained, shards.info.layout), []
    for index, vectors in zip(indices, tokens):
        info = shards.sample_info(index)
        weights = frame_weights(people.dataset, info.subject)
        rows = [row for row in range(len(weights)) if row not in info.rows and float(weights[row]) > 0][:_TARGETS]
        if not rows:
            continue
        targets = people.reader.targets(info.subject, rows)
        code = renderer.decoded(vectors[None], people.shape(info.subject)[None])
        driving = targets.driving
        driving = type(driving)(driving.pose[None], driving.expression[None])
        _, posed = trained.network.drive(code, driving)
        picture = trained.render(posed, targets.cameras[None]).colors[0].clamp(0, 1)
        found.append(masked_psnr(picture, targets.images, targets.masks).mean())
    return float(torch.stack(found).mean()) if found else None


def _first_of_each(shards: TokenShards, split: str) -> list[int]:
    firsts: dict[str, int] = {}
    for index in shards.of_split(split):
        firsts.setdefault(shards.sample_info(index).subject, index)
    return list(firsts.values())


def _only(data: TokenData, indices: list[int]) -> TokenData:
    rows = [data.indices.index(index) for index in indices]
    return TokenData(data.vectors[rows], data.valid[rows], data.shapes[rows], tuple(indices))
