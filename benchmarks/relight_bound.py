"""What limits a relit picture: each factor in turn replaced, pixel by pixel, by the truth; nothing is trained.

    python -m benchmarks.relight_bound --checkpoint RUN --data STAGE --seed SEED

``STAGE`` as of ``benchmarks.relight``, whose people, poses and maps these are. PSNR on person pixels, dB.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.relight import REFERENCES, as_photographed, draw
from benchmarks.relight_scores import best_constant_color, means, person_score
from benchmarks.relight_truth import Factors, Truth
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.avatar.relight_maps import read_environment, shipped_names
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.networks.relight import relit
from lca_method.networks.relight_shading import Shaded
from lca_method.networks.relit_people import lit_people
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.lighting.environment import Environment, prefiltered
from lca_shared.lighting.lights import Lights
from lca_shared.lighting.tone import tone_mapped
from lca_shared.tensors import Float, Tensor

_DARK = 0.004
"""Albedo below which light is not asked what it was."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--size", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.process_time()
    trained = load_network(options.checkpoint)
    maps = {name: prefiltered(read_environment(name), lights=48) for name in shipped_names()}
    dataset = AvatarDataset.open(options.data)
    sizes = CropSizes(trained.sizes.reference, trained.sizes.face, options.size, target_lights=512)
    reader = CropReader(dataset, sizes, 1 << 28)
    rows: list[dict] = []
    for number, name in enumerate(list(dataset.subjects)[: options.people]):
        with torch.no_grad():
            rows += _person(trained, reader, name, Truth(options.seed, number, dataset.subjects[name]), maps)
    for kind, values in means(rows).items():
        print(kind, *values.split(", "), sep="\n    ")
    print(f"{time.process_time() - begun:.0f} s of the processor")
    return 0


def _person(
    trained: TrainedNetwork, reader: CropReader, name: str, truth: Truth, maps: dict[str, Environment]
) -> list[dict]:
    person = reader.dataset.subjects[name]
    assert person.lights is not None
    patterns = person.frames["light_pattern"]
    even, dark = (
        [row for row, n in enumerate(patterns) if person.lights.patterns[int(n)].fully_lit is wanted]
        for wanted in (True, False)
    )
    references = [even[i] for i in np.linspace(0, len(even) - 1, REFERENCES).round().astype(int)]
    batch = stacked([reader.batch(name, references, dark[len(dark) // 3 : len(dark) // 3 + 1])])
    code, views, row = trained.encode(batch), batch.targets, dark[len(dark) // 3]
    camera = views.cameras[0, 0]
    _, posed = trained.network.drive(trained.encode(as_photographed(batch)), views.driving)
    unlit = draw(posed[0, 0], camera)
    rows = []
    for kind, environment in maps.items():
        light = Lights.of_environment(environment)
        lit = relit(lit_people(trained.network, code, views.driving, light, albedo=True)[0, 0], camera, light, draw)
        image, mask = truth.under_map(row, camera, environment)
        pictures = _replaced(lit, truth.factors(row, camera, environment), environment, mask)
        pictures["not relit but scaled"] = best_constant_color(unlit.colors, unlit.alpha, image, mask)
        pictures["relit and scaled"] = best_constant_color(pictures["relit"], lit.alpha, image, mask)
        scores = {name: person_score(picture, image, mask) for name, picture in pictures.items()}
        rows += [{"kind": "maps", **scores}, {"kind": kind, **scores}]
    return rows


def _replaced(
    lit: Shaded, exact: Factors, environment: Environment, mask: Float[Tensor, "1 h w"]
) -> dict[str, Float[Tensor, "3 h w"]]:
    """Pictures by what of them is true. Light that is put together anew leaves out lobes and shine."""
    assert lit.albedo is not None
    there = (exact.coverage > 0) & (lit.alpha > 0.02)
    ours = environment.matt_light(lit.normal.movedim(0, -1)).movedim(-1, 0)
    theirs = environment.matt_light(exact.normal.movedim(0, -1)).movedim(-1, 0)
    share = exact.light.sum(0, keepdim=True) / exact.unshadowed.sum(0, keepdim=True).clamp(min=1e-4)
    shading = lit.radiance / lit.albedo.clamp(min=_DARK)

    def shown(radiance: Tensor) -> Tensor:
        return tone_mapped(torch.where(there, radiance, lit.radiance)) * lit.alpha

    return {
        "relit": tone_mapped(lit.radiance) * lit.alpha,
        "true outline": tone_mapped(lit.radiance) * mask,
        "true albedo": shown(exact.albedo * shading),
        "true normals": shown(lit.albedo * theirs * lit.shadow),
        "true shadows": shown(lit.albedo * ours * share),
        "true normals and shadows": shown(lit.albedo * exact.light),
        "true albedo and normals": shown(exact.albedo * theirs * lit.shadow),
        "true albedo and shadows": shown(exact.albedo * ours * share),
        "all but shine and outline true": shown(exact.albedo * exact.light),
    }


if __name__ == "__main__":
    sys.exit(main())
