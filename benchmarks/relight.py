"""Relit avatars against truth: light stages and environment maps never trained on, people never trained on.

    python -m benchmarks.relight --checkpoint RUN --data STAGE --seed SEED --output FOLDER

``STAGE`` is a dataset of ``lca-data synth --kind studio --lights --seed SEED``; people are made from evenly lit frames.
Truth under maps, of albedo and of normals is ray-cast anew from the same people. Beside the relit avatar stands the one
that is not relit, in each picture scaled by the constant colour (in linear light) that brings it nearest to the truth.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.relight_scores import best_constant_color, means, person_score
from benchmarks.relight_truth import Intrinsics, Truth
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.pictures import write_picture
from lca_method.avatar.relight_maps import read_environment, shipped_names
from lca_method.batch import SubjectBatch, stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.networks.relight import relit
from lca_method.networks.relight_shading import Shaded
from lca_method.networks.relit_people import lit_people
from lca_method.stage_light import lights_of, stage_lights
from lca_method.target_lights import SYNTHETIC_STRENGTH
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.cameras import Cameras
from lca_shared.gaussians import Gaussians
from lca_shared.lighting.environment import prefiltered
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import to_srgb, tone_mapped
from lca_shared.rendering import Rendering, rasterize
from lca_shared.tensors import Float, Tensor

REFERENCES = 4


def draw(gaussians: Gaussians, camera: Cameras) -> Rendering:
    """On the CPU, over black."""
    return rasterize(gaussians, camera)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, help="of a synthetic dataset; without it only its own light is looked at")
    parser.add_argument("--strength", type=float, default=SYNTHETIC_STRENGTH, help="of the stage's lights")
    parser.add_argument("--output", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--pictures", type=int, default=2, help="partially lit ones of each person")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--maps", nargs="*", default=list(shipped_names()))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begun = time.process_time()
    trained = load_network(options.checkpoint)
    maps = {name: prefiltered(read_environment(name), lights=48) for name in options.maps}
    dataset = AvatarDataset.open(options.data)
    sizes = CropSizes(trained.sizes.reference, trained.sizes.face, options.size, target_lights=512)
    reader = CropReader(dataset, sizes, 1 << 28)
    rows: list[dict[str, float]] = []
    for number, name in enumerate(list(dataset.subjects)[: options.people]):
        with torch.no_grad():
            rows += measured(trained, reader, name, number, options, maps)
        for kind, values in means(rows).items():
            print(f"after {number + 1} people, {kind}: {values}", flush=True)
    print(f"{time.process_time() - begun:.0f} s of the processor")
    return 0


def measured(
    trained: TrainedNetwork, reader: CropReader, name: str, number: int, options: argparse.Namespace, maps: dict
) -> list[dict[str, float]]:
    """One person's rows of figures; writes their sheet."""
    person = reader.dataset.subjects[name]
    assert person.lights is not None
    patterns = person.frames["light_pattern"]
    even = [row for row, n in enumerate(patterns) if person.lights.patterns[int(n)].fully_lit]
    dark = [row for row, n in enumerate(patterns) if not person.lights.patterns[int(n)].fully_lit]
    references = [even[i] for i in np.linspace(0, len(even) - 1, REFERENCES).round().astype(int)]
    targets = [dark[i] for i in np.linspace(0, len(dark) - 1, options.pictures + 2).round().astype(int)[1:-1]]
    batch = stacked([reader.batch(name, references, targets)])
    code = trained.encode(batch)
    views, network = batch.targets, trained.network
    assert views.lights is not None
    truth = None if options.seed is None else Truth(options.seed, number, person)
    stage = stage_lights(views.lights, options.strength)
    buffers = lit_people(network, code, views.driving, stage, albedo=True)
    _, posed = network.drive(trained.encode(as_photographed(batch)), views.driving)
    rows, sheet = [], []
    for index, row in enumerate(targets):
        camera, mask = views.cameras[0, index], views.masks[0, index]
        unlit = draw(posed[0, index], camera)
        lit = relit(buffers[0, index], camera, lights_of(stage, 0, index), draw)
        image = views.images[0, index]
        scores = compared(lit, unlit, image, mask)
        rows += [{"kind": "stage", **scores}, {"kind": "stage and maps", **scores}]
        exact = None if truth is None else truth.intrinsics(row, camera)
        if exact is not None:
            rows.append({"kind": "intrinsics", **intrinsic_errors(lit, exact, mask)})
        sheet.append(strip(image, unlit, lit, exact, mask))
    index, row = 0, targets[0]
    camera = views.cameras[0, index]
    if truth is not None:
        for map_name, environment in maps.items():
            image, mask = truth.under_map(row, camera, environment)
            light = Lights.of_environment(environment)
            lit_one = lit_people(network, code, views.driving, light, albedo=True)[0, index]
            lit = relit(lit_one, camera, light, draw)
            unlit = draw(posed[0, index], camera)
            scores = compared(lit, unlit, image, mask)
            rows += [{"kind": kind, **scores} for kind in ("maps", map_name, "stage and maps")]
            sheet.append(strip(image, unlit, lit, truth.intrinsics(row, camera), mask))
    options.output.mkdir(parents=True, exist_ok=True)
    picture = torch.cat(sheet, dim=-2).clamp(0, 1)
    write_picture((picture * 255 + 0.5).to(torch.uint8).movedim(0, -1).numpy(), options.output / f"{name}.png")
    return rows


def as_photographed(batch: SubjectBatch) -> SubjectBatch:
    """Without the light of the references: the colours of an avatar that is not relit are those of the pictures."""
    return replace(batch, references=replace(batch.references, lights=None))


def compared(
    lit: Shaded, unlit: Rendering, image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"]
) -> dict[str, float]:
    """PSNR of the relit and of the scaled avatar, dB, on person pixels."""
    shown = tone_mapped(lit.radiance) * lit.alpha
    flat = best_constant_color(unlit.colors, unlit.alpha, image, mask)
    return {"relit": person_score(shown, image, mask), "scaled": person_score(flat, image, mask)}


def intrinsic_errors(lit: Shaded, exact: Intrinsics, mask: Float[Tensor, "1 h w"]) -> dict[str, float]:
    """L1 of albedo (as sRGB) and mean angle of normals, on whole person pixels that both have."""
    assert lit.albedo is not None
    seen = (mask[0] > 0.99) & exact.hit & (lit.alpha[0] > 0.5)
    difference = (to_srgb(lit.albedo) - to_srgb(exact.albedo))[:, seen]
    return {
        "albedo_l1": float(difference.abs().mean()),
        "normal_degrees": angle(lit.normal[:, seen], exact.normal[:, seen]),
    }


def angle(one: Float[Tensor, "3 n"], other: Float[Tensor, "3 n"]) -> float:
    """Mean angle between unit vectors, degrees."""
    return float(torch.rad2deg(torch.acos((one * other).sum(0).clamp(-1, 1))).mean())


def strip(
    image: Tensor, unlit: Rendering, lit: Shaded, exact: Intrinsics | None, mask: Tensor
) -> Float[Tensor, "3 h w8"]:
    """Side by side: truth, scaled, relit; albedo and normals, true (black: not known) and ours; shadow."""
    assert lit.albedo is not None
    none = torch.zeros_like(image)
    flat = best_constant_color(unlit.colors, unlit.alpha, image, mask)
    parts = [
        image * mask,
        flat,
        tone_mapped(lit.radiance) * lit.alpha,
        none if exact is None else to_srgb(exact.albedo),
        to_srgb(lit.albedo) * lit.alpha,
        none if exact is None else 0.5 + 0.5 * exact.normal,
        0.5 + 0.5 * lit.normal,
        (lit.shadow * lit.alpha).expand(3, -1, -1),
    ]
    return torch.cat([part.clamp(0, 1) for part in parts], dim=-1)


if __name__ == "__main__":
    sys.exit(main())
