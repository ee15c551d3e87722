"""Learn the normals of a relightable model from the true surfaces of synthetic people.

    python -m benchmarks.relight_normals --checkpoint MODEL --data STAGES --seed SEEDS --work FOLDER --output FOLDER

``STAGES`` are datasets of ``lca-data synth --kind studio --lights --seed SEED``. What is known of each person is kept
in ``--work``; a run that was stopped goes on from there. Written is a model's folder, MODEL with a ``NormalNetwork``.
Everything else stays as it is, but that normals are no more tilted by the head.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.relight_normal_truth import KnownNormals, known_normals
from benchmarks.relight_truth import Truth
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.checkpoints import find_checkpoint
from lca_method.crops import CropReader, CropSizes
from lca_method.hub.model_folder import read_record, write_model
from lca_method.made_with import made_with
from lca_method.networks.lca import LCA
from lca_method.networks.relight_head import without_tilt
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.tensors import Float, Tensor

_PEOPLE = 2
"""Of each step."""
_MOST = 20.0
"""Pixels beyond which a Gaussian counts no more: of a few that fill the picture nothing is learned."""


def main() -> int:
    """Learn and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True, help="a model's folder, or the name of one that ships")
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--seed", type=int, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--held-out", type=int, nargs="*", default=[], help="seeds that angles are told of")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--hidden", type=int, default=96)
    parser.add_argument("--rate", type=float, default=4e-3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun, trained = time.process_time(), load_network(options.checkpoint)
    learned, held_out = [], []
    options.work.mkdir(parents=True, exist_ok=True)
    for data, seed in zip(options.data, options.seed, strict=True):
        people = _people(trained, data, seed, options.work)
        (held_out if seed in options.held_out else learned).extend(people)
        print(f"{data.name}: {len(people)} people, {time.process_time() - begun:.0f} s", flush=True)
    network = _with_normals(trained, options.hidden)
    _learn(network, learned, held_out, options.steps, options.rate)
    record = read_record(find_checkpoint(options.checkpoint).parent)
    write_model(options.output, network.state_dict(), made_with(network.config, network.body), record)
    print(f"Wrote {options.output}, {time.process_time() - begun:.0f} s of the processor")
    return 0


def _people(trained: TrainedNetwork, data: Path, seed: int, work: Path) -> list[KnownNormals]:
    """All people of a dataset, from ``work`` where they are there."""
    dataset = AvatarDataset.open(data)
    reader = CropReader(dataset, CropSizes(trained.sizes.reference, trained.sizes.face, 128, target_lights=32), 1 << 28)
    found = []
    for number, name in enumerate(dataset.subjects):
        path = work / f"{seed}_{number}.pt"
        if not path.is_file():
            person = dataset.subjects[name]
            known = known_normals(trained, reader, person, Truth(seed, number, person), number)
            torch.save(known, path.with_suffix(".part"))
            path.with_suffix(".part").rename(path)
        found.append(torch.load(path, weights_only=False))
    return found


def _with_normals(trained: TrainedNetwork, hidden: int) -> LCA:
    """The model with a fresh network of normals, and without its head's tilt."""
    torch.manual_seed(0)
    config = trained.network.config
    network = LCA(replace(config, relight=replace(config.relight, own_normals=hidden)), trained.body)
    fresh = {name: value for name, value in network.state_dict().items() if ".normal_network." in name}
    network.load_state_dict({**fresh, **trained.network.state_dict()})
    assert network.relight is not None
    without_tilt(network.relight.head)
    return network.requires_grad_(False).eval()


def _learn(network: LCA, learned: list[KnownNormals], held_out: list[KnownNormals], steps: int, rate: float) -> None:
    """Adam, weights by how much is seen of a Gaussian, on the cosine."""
    assert network.relight is not None and network.relight.normal_network is not None
    parameters = list(network.relight.normal_network.requires_grad_(True).parameters())
    optimizer = torch.optim.AdamW(parameters, rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        chosen = torch.randint(len(learned), (_PEOPLE,), generator=generator).tolist()
        terms = [(1 - _cosines(network, learned[number]), _weights(learned[number])) for number in chosen]
        loss = sum((term * weight).sum() for term, weight in terms) / sum(weight.sum() for _, weight in terms)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 250 == 249:
            told = ", ".join(f"{name} {_angle(network, of):.2f}" for name, of in _told(learned, held_out))
            print(f"step {step + 1}, degrees: {told}", flush=True)
    network.requires_grad_(False)


def _told(learned: list[KnownNormals], held_out: list[KnownNormals]) -> list[tuple[str, list[KnownNormals]]]:
    return [("learned", learned[:8]), *([("held out", held_out)] if held_out else [])]


def _weights(person: KnownNormals) -> Float[Tensor, "gaussians"]:
    return person.weights.clamp(0, _MOST)


def _cosines(network: LCA, person: KnownNormals) -> Float[Tensor, "gaussians"]:
    """Of the angle between normals as the model says them and the truth."""
    assert network.relight is not None
    return (network.relight.start_normals(network, person.tokens, person.relative) * person.truth).sum(-1)


@torch.no_grad()
def _angle(network: LCA, people: list[KnownNormals]) -> float:
    """Mean, degrees."""
    angles = [torch.rad2deg(torch.acos(_cosines(network, person).clamp(-1, 1))) for person in people]
    weights = [_weights(person) for person in people]
    return sum(float((angle * weight).sum() / weight.sum()) for angle, weight in zip(angles, weights)) / len(people)


if __name__ == "__main__":
    sys.exit(main())
