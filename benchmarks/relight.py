"""Relit avatars against truth: light stages, maps and lamps never trained on, people never trained on.

    python -m benchmarks.relight --checkpoint RUN --data STAGE --seed SEED --output FOLDER

``STAGE`` is a dataset of ``lca-data synth --kind studio --lights --seed SEED``; people are made from evenly lit frames.
Truth under maps and lamps, of albedo and of normals is ray-cast anew from the same people. Beside the relit avatar
stands the one that is not relit, in each picture scaled by the constant colour (in linear light) that brings it nearest
to the truth. Every person is seen once under each map and lamp at each of ``--turns``, by a camera that changes with
turn, light and person; ``relight_protocol`` says how. Behind ``+-`` stands the standard error over people.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.relight_protocol import Lighting, lightings, rows_of, side_of
from benchmarks.relight_scores import best_constant_color, means, person_score
from benchmarks.relight_truth import Intrinsics, Truth
from lca_dataparsers.dataset.reader import AvatarDataset, Subject
from lca_dataparsers.pictures import write_picture
from lca_method.avatar.relight_maps import shipped_names
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
from lca_shared.lighting.tone import to_srgb, tone_mapped
from lca_shared.rendering import Rendering, rasterize
from lca_shared.tensors import Float, Tensor

REFERENCES = 8
"""As the paper evaluates."""


def draw(gaussians: Gaussians, camera: Cameras) -> Rendering:
    """On the CPU, over black."""
    return rasterize(gaussians, camera)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--seed", type=int, nargs="*", help="of synthetic datasets; without it only their own light")
    parser.add_argument("--strength", type=float, default=SYNTHETIC_STRENGTH, help="of the stage's lights")
    parser.add_argument("--output", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--references", type=int, default=REFERENCES, help="evenly lit pictures a person is made from")
    parser.add_argument("--pictures", type=int, default=4, help="partially lit ones of each person")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--maps", nargs="*", default=list(shipped_names()))
    parser.add_argument("--turns", nargs="*", type=float, default=[0.0, 90.0, 180.0, 270.0], help="of maps, degrees")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    begun = time.process_time()
    trained = load_network(options.checkpoint)
    shone = lightings(options.maps, options.turns)
    sizes = CropSizes(trained.sizes.reference, trained.sizes.face, options.size, target_lights=512)
    rows: list[dict] = []
    for data, seed in zip(options.data, options.seed or [None] * len(options.data), strict=True):
        reader = CropReader(AvatarDataset.open(data), sizes, 1 << 28)
        for number, name in enumerate(list(reader.dataset.subjects)[: options.people]):
            person = reader.dataset.subjects[name]
            truth = None if seed is None else Truth(seed, number, person)
            sheet = options.output / f"{data.name}_{name}.png"
            with torch.no_grad():
                found = measured(trained, reader, person, number, options, shone, truth, sheet)
            rows += [{**row, "person": sheet.stem} for row in found]
            print(f"{sheet.stem}, {time.process_time() - begun:.0f} s", flush=True)
    for kind, values in means(rows).items():
        print(f"{kind}: {values}")
    return 0


def measured(
    trained: TrainedNetwork,
    reader: CropReader,
    person: Subject,
    number: int,
    options: argparse.Namespace,
    shone: list[Lighting],
    truth: Truth | None,
    sheet_path: Path,
) -> list[dict]:
    """One person's rows of figures; writes their sheet."""
    name = person.id
    references, targets = rows_of(person, number, options.references, options.pictures)
    batch = stacked([reader.batch(name, references, targets)])
    code = trained.encode(batch)
    views, network = batch.targets, trained.network
    assert views.lights is not None
    stage = stage_lights(views.lights, options.strength)
    buffers = lit_people(network, code, views.driving, stage, albedo=True)
    _, posed = network.drive(trained.encode(as_photographed(batch)), views.driving)
    drivings = [stacked([reader.batch(name, references, [row])]).targets.driving for row in targets]
    unlit = [draw(posed[0, index], views.cameras[0, index]) for index in range(len(targets))]
    exact = [None if truth is None else truth.intrinsics(r, views.cameras[0, i]) for i, r in enumerate(targets)]
    rows, sheet = [], []
    for index in range(len(targets)):
        mask, image = views.masks[0, index], views.images[0, index]
        lit = relit(buffers[0, index], views.cameras[0, index], lights_of(stage, 0, index), draw)
        flat = best_constant_color(unlit[index].colors, unlit[index].alpha, image, mask)
        rows.append({"kind": "stage", **compared(lit, flat, image, mask)})
        known = exact[index]
        if known is not None:
            rows.append({"kind": "intrinsics", **intrinsic_errors(lit, known, mask)})
        sheet.append(strip(image * mask, flat, lit, known))
    for place, lighting in enumerate(shone if truth is not None else []):
        assert truth is not None
        index = view_of(place, len(options.turns)) % len(targets)
        camera, light = views.cameras[0, index], lighting.lights
        image, mask = truth.under(targets[index], camera, light)
        lit = relit(lit_people(network, code, drivings[index], light, albedo=True)[0, 0], camera, light, draw)
        flat = best_constant_color(unlit[index].colors, unlit[index].alpha, image, mask)
        scores = compared(lit, flat, image, mask)
        rows += [{"kind": kind, **scores} for kind in kinds_of(lighting, camera)]
        sheet.append(strip(image * mask, flat, lit, exact[index]))
    sheet_path.parent.mkdir(parents=True, exist_ok=True)
    picture = torch.cat(sheet, dim=-2).clamp(0, 1)
    write_picture((picture * 255 + 0.5).to(torch.uint8).movedim(0, -1).numpy(), sheet_path)
    return rows


def view_of(place: int, turns: int) -> int:
    """Which of a person's pictures shows a light. Turned light and the next camera would look alike: every second one
    makes a person be lit from all sides. The next person's pictures begin with another camera (``rows_of``). Args: of
    the light in the list; turns of each."""
    light, turn = divmod(place, turns)
    return 2 * turn + light


def kinds_of(lighting: Lighting, camera: Cameras) -> list[str]:
    """Rows of the table that a picture counts in."""
    kinds = [lighting.name]
    if lighting.is_map:
        kinds += ["maps", f"maps, lit from the {side_of(lighting.lights, camera)}"]
        if lighting.turn == 0:
            kinds += ["maps, not turned", f"{lighting.name}, not turned"]
    return kinds


def as_photographed(batch: SubjectBatch) -> SubjectBatch:
    """Without the light of the references: the colours of an avatar that is not relit are those of the pictures."""
    return replace(batch, references=replace(batch.references, lights=None))


def compared(
    lit: Shaded, flat: Float[Tensor, "3 h w"], image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"]
) -> dict[str, float]:
    """PSNR of the relit and of the scaled avatar, dB, on person pixels, and by how much the former wins; and of the
    relit avatar's albedo alone, scaled as well: what its colours gain without light."""
    assert lit.albedo is not None
    shown = tone_mapped(lit.radiance) * lit.alpha
    relit_score, scaled_score = person_score(shown, image, mask), person_score(flat, image, mask)
    even = best_constant_color(to_srgb(lit.albedo) * lit.alpha, lit.alpha, image, mask)
    won = relit_score - scaled_score
    return {"relit": relit_score, "scaled": scaled_score, "won": won, "albedo": person_score(even, image, mask)}


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
    image: Float[Tensor, "3 h w"], flat: Float[Tensor, "3 h w"], lit: Shaded, exact: Intrinsics | None
) -> Float[Tensor, "3 h w8"]:
    """Side by side: truth, scaled, relit; albedo and normals, true (black: not known) and ours; shadow."""
    assert lit.albedo is not None
    none = torch.zeros_like(image)
    parts = [
        image,
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
