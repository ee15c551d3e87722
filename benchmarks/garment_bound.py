"""How much skinning weights could gain on synthetic garments, whatever a network learns.

    python -m benchmarks.garment_bound --data data/skirt --seed SEED

Gaussians lie on the true cloth of ``lca-data synth --garment``; their colours are read where the cloth truly is, in two
of three moments. Where they are at rest is chosen for the least distance from the true cloth in these moments, and so
are, in the last row, skinning weights. The other moments say how far each way of skinning is from the cloth, and what
the pictures lose by it. ``truth`` is where the cloth is: what light that changes and colours cost alone. With the
colours of the picture itself, only the Gaussians' size is left to cost anything.
"""

import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
import tyro

from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_dataparsers.synthetic.body_fields import body_fields
from lca_dataparsers.synthetic.noise import stream
from lca_dataparsers.synthetic.person import person_mesh, random_appearance
from lca_dataparsers.synthetic.subject import CaptureSpec, moving
from lca_shared.cameras import project
from lca_shared.gaussians import Gaussians
from lca_shared.metrics import masked_psnr
from lca_shared.rendering import rasterize
from lca_shared.skinning import skin_points
from lca_shared.tensors import Float, Tensor

FPS = 4.0
"""Of ``lca-data synth``."""
REACHES = (0.15, 0.3)
"""Metres: deviations of the Gaussians that average the template's weights."""
OWN = "truth, colours of the picture itself"
_UNDER = torch.tensor([0.6, 0.45, 0.36])
_STEPS = 200


@dataclass(frozen=True)
class Options:
    """Whom to look at."""

    data: Path
    """A dataset of ``lca-data synth --garment`` with its defaults for motion."""
    seed: int
    """It was made with."""
    garment: str = "skirt"
    even_light: bool = False
    """As it was made."""
    split: str = "test"
    people: int = 3


@dataclass(frozen=True)
class Cloth:
    """The true cloth of a person."""

    places: Float[Tensor, "moments vertices 3"]
    """Metres, world."""
    rest: Float[Tensor, "vertices 3"]
    columns: int
    """Vertices in a ring."""
    transforms: Float[Tensor, "moments joints 3 4"]
    legs_and_trunk: Float[Tensor, "body joints"]
    """The template's weights at its vertices but those of arms."""
    skin: Float[Tensor, "body 3"]


def main(options: Options) -> int:
    """Measure and print."""
    torch.set_num_threads(1)
    dataset = AvatarDataset.open(options.data)
    names = [name for name, one in dataset.subjects.items() if one.info.split == options.split][: options.people]
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    print("| person | skinned by | mm from the cloth | PSNR (dB) where the garment swings |\n| --- | --- | --- | --- |")
    for name in names:
        for way, (distance, psnr) in measured(dataset.subjects[name], int(name.split("_")[1]), options).items():
            found[way].append((distance, psnr))
            print(f"| {name} | {way} | {distance:.0f} | {psnr:.2f} |", flush=True)
    for way, values in found.items():
        print(
            f"| mean of {len(values)} | {way} | {fmean(v[0] for v in values):.0f} | {fmean(v[1] for v in values):.2f} |"
        )
    return 0


def measured(subject: Subject, number: int, options: Options) -> dict[str, tuple[float, float]]:
    """Root mean square distance, millimetres, and PSNR by way of skinning."""
    cloth = true_cloth(subject, number, options)
    moments = list(range(len(subject.frames)))
    test = moments[1::3]
    seen = [moment for moment in moments if moment not in test]
    colors = read_colors(subject, cloth, seen)
    ways = {}
    for way, weights in weights_to_try(cloth).items():
        ways[way] = (weights, best_rest(cloth, weights, seen))
    start, rest = ways[f"mean over {REACHES[-1]} m"]
    ways["free weights"] = best_weights(cloth, start, rest, seen)
    own = [read_colors(subject, cloth, [moment]) for moment in test]
    alone = fmean(scored(subject, cloth, cloth.places[[moment]], color, [moment]) for moment, color in zip(test, own))
    rows = {OWN: (0.0, alone), "truth": (0.0, scored(subject, cloth, cloth.places[test], colors, test))}
    for way, (weights, rest) in ways.items():
        skinned = skin_points(rest, weights, cloth.transforms[test])
        distance = 1000 * float((skinned - cloth.places[test]).square().sum(-1).mean().sqrt())
        rows[way] = (distance, scored(subject, cloth, skinned, colors, test))
    return rows


def true_cloth(subject: Subject, number: int, options: Options) -> Cloth:
    """Simulated again, as when the dataset was made."""
    count, body = len(subject.frames), body_fields().body
    spec = CaptureSpec(
        "wild", count, 1, 256, FPS, 0.0, options.seed, garment=options.garment, even_light=options.even_light
    )
    person = random_appearance(options.seed, number, options.garment)
    mesh = person_mesh(person)
    random = stream("capture", spec.seed, spec.kind, number)
    made, swung = moving(random, spec, body, person, mesh, np.arange(count) / FPS)
    pose = subject.frames.poses(list(range(count)))
    if (
        swung is None
        or mesh.swinging is None
        or not torch.allclose(made.joint_rotations.float(), pose.joint_rotations.float(), atol=1e-3)
    ):
        raise SystemExit(f"{subject.info.id} is not person {number} of seed {options.seed}")
    places = (swung + (pose.root_translation - made.root_translation)[:, None]).float()
    first = mesh.swinging_start
    rest = torch.from_numpy(mesh.rest[first : first + places.shape[1]]).float()
    shaped = body.shaped(torch.from_numpy(person.shape))
    names = [body.joint_names[joint] for joint in body.active.joints.tolist()]
    arms = [
        i
        for i, n in enumerate(names)
        if n.startswith(("clavicle", "shoulder", "upperarm", "lowerarm", "wrist", "finger", "metacarpal"))
    ]
    kept = body.active_weights[:, arms].sum(-1) < 0.02
    return Cloth(
        places, rest, mesh.swinging.columns, body.active_transforms(shaped.joints, pose).float(),
        body.active_weights[kept], shaped.vertices[kept],
    )  # fmt: skip


def weights_to_try(cloth: Cloth) -> dict[str, Float[Tensor, "vertices joints"]]:
    """The template's at the nearest point of the body, and averaged over its surroundings."""
    apart = torch.cdist(cloth.rest, cloth.skin)
    ways = {"the template": cloth.legs_and_trunk[apart.argmin(dim=1)]}
    for reach in REACHES:
        mean = torch.exp(-0.5 * (apart / reach).square()) @ cloth.legs_and_trunk
        ways[f"mean over {reach} m"] = mean / mean.sum(dim=1, keepdim=True)
    return ways


def best_rest(
    cloth: Cloth, weights: Float[Tensor, "vertices joints"], moments: list[int]
) -> Float[Tensor, "vertices 3"]:
    """Places at rest with the least distance from the cloth in some moments (linear least squares)."""
    blended = (weights @ cloth.transforms[moments].flatten(-2)).unflatten(-1, (3, 4)).movedim(0, 1)
    matrix, held = blended[..., :3].flatten(1, 2), 0.1
    wanted = (cloth.places[moments].movedim(0, 1) - blended[..., 3]).flatten(1)
    normal = matrix.mT @ matrix + held * torch.eye(3)
    return torch.linalg.solve(normal, (matrix.mT @ wanted[..., None])[..., 0] + held * cloth.rest)


def best_weights(
    cloth: Cloth, start: Tensor, rest: Tensor, moments: list[int]
) -> tuple[Float[Tensor, "vertices joints"], Float[Tensor, "vertices 3"]]:
    """Smooth weights and places at rest with the least distance, by gradient descent."""
    near = torch.cdist(cloth.rest, cloth.rest).topk(7, largest=False).indices[:, 1:]
    change, places = torch.zeros_like(start, requires_grad=True), rest.clone().requires_grad_()
    optimizer = torch.optim.Adam([{"params": [change], "lr": 0.1}, {"params": [places], "lr": 2e-3}])

    def weights() -> Tensor:
        return (change + start.clamp(min=1e-9).log()).softmax(-1)

    for _ in range(_STEPS):
        skinned = skin_points(places, weights(), cloth.transforms[moments])
        rough = (weights()[near] - weights()[:, None]).abs().sum(-1).mean()
        loss = 1e4 * (skinned - cloth.places[moments]).square().sum(-1).mean() + 3 * rough
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights().detach(), places.detach()


def finer(values: Float[Tensor, "*b vertices 3"], columns: int) -> Float[Tensor, "*b points 3"]:
    """Three times as many rings, twice as many columns."""
    grid = values.unflatten(-2, (-1, columns)).movedim(-1, -3)
    size = (3 * grid.shape[-2] - 2, 2 * columns - 1)
    found = torch.nn.functional.interpolate(
        grid.reshape(1, -1, *grid.shape[-2:]), size, mode="bilinear", align_corners=True
    )
    return found.reshape(*grid.shape[:-2], -1).movedim(-2, -1)


def gaussians(places: Float[Tensor, "points 3"], colors: Float[Tensor, "points 3"]) -> Gaussians:
    """Round and opaque, a centimetre wide."""
    count = len(places)
    upright = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(count, 4)
    return Gaussians(places, upright, torch.full((count, 3), 0.011), torch.full((count,), 0.97), colors)


def read_colors(subject: Subject, cloth: Cloth, moments: list[int]) -> Float[Tensor, "points 3"]:
    """Mean colour of each point over the pictures that show it."""
    fine = finer(cloth.places, cloth.columns)
    total, count = torch.zeros(fine.shape[1], 3), torch.zeros(fine.shape[1], 1)
    for moment in moments:
        frame = subject.load(moment)
        assert frame.garment is not None
        drawn = rasterize(gaussians(fine[moment], torch.zeros_like(fine[moment])), frame.camera)
        pixels, depth = project(frame.camera, fine[moment])
        height, width = frame.image.shape[-2:]
        column, row = pixels.floor().long().unbind(-1)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        column, row = column.clamp(0, width - 1), row.clamp(0, height - 1)
        shown = inside & (depth < drawn.depth[0, row, column] + 0.02) & (frame.garment[0, row, column] > 0.9)
        total[shown] += frame.image[:, row, column].mT[shown]
        count[shown] += 1
    return torch.where(count > 0, total / count.clamp(min=1), total.sum(0) / count.sum())


def scored(
    subject: Subject, cloth: Cloth, places: Float[Tensor, "moments vertices 3"], colors: Tensor, moments: list[int]
) -> float:
    """Mean PSNR on the pixels of the garment that show the part that swings; skin colour is where no cloth is."""
    values = []
    true = finer(cloth.places[moments], cloth.columns)
    for moment, at, there in zip(moments, finer(places, cloth.columns), true):
        frame = subject.load(moment)
        assert frame.garment is not None
        drawn = rasterize(gaussians(at, colors), frame.camera, background=_UNDER)
        swings = rasterize(gaussians(there, colors), frame.camera).alpha > 0.5
        values.append(float(masked_psnr(drawn.colors, frame.image, frame.garment * frame.mask * swings)))
    return fmean(values)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
