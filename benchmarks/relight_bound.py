"""What limits a relit picture: each factor in turn replaced, pixel by pixel, by the truth; nothing is trained.

    python -m benchmarks.relight_bound --checkpoint RUN --data STAGE --seed SEED

``STAGE``, people, poses and maps as of ``benchmarks.relight``. PSNR on person pixels, dB; then of each part of people
the mean squared error (sRGB, thousandths) with our factors and with true ones, and the angle between normals, degrees.
"""

import argparse
import sys
import time
from pathlib import Path

import torch

from benchmarks.relight import REFERENCES, as_photographed, draw, view_of
from benchmarks.relight_protocol import Lighting, lightings, rows_of
from benchmarks.relight_scores import best_constant_color, means, person_score
from benchmarks.relight_truth import Factors, Truth
from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.avatar.relight_maps import shipped_names
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.networks.relight import relit
from lca_method.networks.relight_shading import Shaded
from lca_method.networks.relit_people import lit_people
from lca_method.trained_network import TrainedNetwork, load_network
from lca_shared.lighting.environment import Environment
from lca_shared.lighting.tone import tone_mapped
from lca_shared.tensors import Float, Tensor

_DARK = 0.004
"""Albedo below which light is not asked what it was."""
_OF_PARTS = ("relit", "true albedo", "true normals and shadows")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--references", type=int, default=REFERENCES)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--turns", nargs="*", type=float, default=[0.0, 90.0, 180.0, 270.0], help="of maps, degrees")
    options = parser.parse_args()
    torch.set_num_threads(1)
    begun = time.process_time()
    trained = load_network(options.checkpoint)
    shone = lightings(shipped_names(), options.turns)
    dataset = AvatarDataset.open(options.data)
    sizes = CropSizes(trained.sizes.reference, trained.sizes.face, options.size, target_lights=512)
    reader = CropReader(dataset, sizes, 1 << 28)
    pictures, parts = [], []
    for number, name in enumerate(list(dataset.subjects)[: options.people]):
        truth = Truth(options.seed, number, dataset.subjects[name])
        with torch.no_grad():
            found = _person(trained, reader, name, number, truth, options, shone)
        pictures += [{**row, "person": name} for row in found[0]]
        parts += found[1]
    for kind, values in {**means(pictures), **means(parts)}.items():
        print(kind, *values.split(", "), sep="\n    ")
    print(f"{time.process_time() - begun:.0f} s of the processor")
    return 0


def _person(
    trained: TrainedNetwork,
    reader: CropReader,
    name: str,
    number: int,
    truth: Truth,
    options: argparse.Namespace,
    shone: list[Lighting],
) -> tuple[list[dict], list[dict]]:
    """Rows of pictures, and of the parts of people in them."""
    person = reader.dataset.subjects[name]
    references, targets = rows_of(person, number, options.references, pictures=4)
    pictures, parts = [], []
    code = plain = None
    for place, lighting in enumerate(shone):
        environment = lighting.lights.environment
        if environment is None:
            continue
        row = targets[view_of(place, len(options.turns)) % len(targets)]
        batch = stacked([reader.batch(name, references, [row])])
        if code is None:  # once a person
            code, plain = trained.encode(batch), trained.encode(as_photographed(batch))
        assert plain is not None
        views = batch.targets
        camera = views.cameras[0, 0]
        _, posed = trained.network.drive(plain, views.driving)
        unlit = draw(posed[0, 0], camera)
        buffers = lit_people(trained.network, code, views.driving, lighting.lights, albedo=True)
        lit = relit(buffers[0, 0], camera, lighting.lights, draw)
        image, mask = truth.under(row, camera, lighting.lights)
        exact = truth.factors(row, camera, environment)
        shown = _replaced(lit, exact, environment, mask)
        shown["not relit but scaled"] = best_constant_color(unlit.colors, unlit.alpha, image, mask)
        shown["relit and scaled"] = best_constant_color(shown["relit"], lit.alpha, image, mask)
        scores = {name: person_score(picture, image, mask) for name, picture in shown.items()}
        pictures += [{"kind": kind, **scores} for kind in ("maps", lighting.name)]
        angle = torch.rad2deg(torch.acos((lit.normal * exact.normal).sum(0).clamp(-1, 1)))
        regions = truth.regions(row, camera)
        for region in sorted(set(regions[regions != ""])):
            here = torch.from_numpy(regions == region) & (mask[0] > 0.99) & (lit.alpha[0] > 0.5)
            if not bool(here.any()):
                continue
            errors = {name: 1e3 * float((shown[name] - image)[:, here].square().mean()) for name in _OF_PARTS}
            share = float(here.sum() / (mask[0] > 0.99).sum())
            parts.append({"kind": region, "share": share, **errors, "normal_degrees": float(angle[here].mean())})
    return pictures, parts


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
