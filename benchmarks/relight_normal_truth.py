"""True normals of synthetic people, carried from pictures of them to the Gaussians of their avatars.

The nearest point of the true surface is not what a Gaussian shows: under a skirt it is the leg's. So true normals are
ray-cast in pictures of the person, and each Gaussian takes up the difference from ours in the pixels it is part of.
"""

from dataclasses import dataclass, replace

import torch

from benchmarks.relight import REFERENCES
from benchmarks.relight_protocol import rows_of
from benchmarks.relight_truth import Truth
from lca_dataparsers.dataset.reader import Subject
from lca_method.batch import stacked
from lca_method.crops import CropReader
from lca_method.networks.pixel_mixtures import carried_back, mixed
from lca_method.networks.relight_diffuse import CHANNELS
from lca_method.networks.relight_shading import facing_weights
from lca_method.networks.relit_people import posed_people
from lca_method.trained_network import TrainedNetwork
from lca_shared.gaussians import Gaussians
from lca_shared.rotations import quaternion_to_matrix
from lca_shared.tensors import Float, Tensor

_PICTURES = 12
"""Of each person, of all moments, spread over the cameras."""
_LEAST = 0.02
"""Pixels that a Gaussian must be part of at least."""


@dataclass(frozen=True)
class KnownNormals:
    """One person: what ``NormalNetwork`` reads, and what it should say."""

    tokens: Float[Tensor, "tokens width"]
    relative: Gaussians
    """Canonical, their means offsets from their points, metres."""
    truth: Float[Tensor, "gaussians 3"]
    """At rest, unit."""
    weights: Float[Tensor, "gaussians"]
    """Pixels that each Gaussian is part of: what is never seen is not known."""


def known_normals(
    trained: TrainedNetwork, reader: CropReader, person: Subject, truth: Truth, number: int
) -> KnownNormals:
    """True normals of a person's Gaussians.

    Args:
        trained: a relightable model.
        reader: of the person's dataset.
        person: of a light stage of ``lca-data synth``.
        truth: of the same person.
        number: of the person in the dataset; people are seen by different cameras.
    """
    network, count = trained.network, len(person.frames)
    references, _ = rows_of(person, number, REFERENCES, pictures=4)
    rows = [row for row in range(count) if (5 * row + number) % 8 < 3][:_PICTURES]
    batch = stacked([reader.batch(person.id, references, rows)])
    with torch.no_grad():
        code, views = network.encode(batch.references, batch.shape, step=trained.training_step), batch.targets
        assert code.relight is not None
        posed, turned, _ = posed_people(network, code, views.driving)
        ours = code.relight.normals[0]
        change, weights = torch.zeros_like(ours), torch.zeros(len(ours))
        for index, row in enumerate(rows):
            camera, gaussians, frames = views.cameras[0, index], posed[0, index], turned[0, index]
            exact = truth.intrinsics(row, camera)
            seen = ((views.masks[0, index] > 0.99) & exact.hit).to(ours)
            normals = (frames @ ours[..., None])[..., 0]
            before = torch.zeros(len(ours), CHANNELS["diffuse"])
            facing = facing_weights(gaussians.with_colors(torch.cat([before, normals], dim=-1)), camera)
            shown = torch.nn.functional.normalize(mixed(gaussians, facing, normals, camera), dim=0)
            asked = torch.cat([(exact.normal - shown) * seen, seen])
            found = carried_back(gaussians, facing, asked, camera)
            change += (frames.mT @ found[:, :3, None])[..., 0]
            weights += found[:, 3]
        local = torch.nn.functional.normalize(ours + change / weights.clamp(min=_LEAST)[:, None], dim=-1)
        canonical = code.canonical[0]
        at_rest = (quaternion_to_matrix(canonical.quaternions) @ local[..., None])[..., 0]
    return KnownNormals(code.tokens[0], replace(canonical, means=code.offsets[0]), at_rest, weights)
