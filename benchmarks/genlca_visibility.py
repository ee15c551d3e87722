"""Which anchors count as seen, against exact truth: ``python benchmarks/genlca_visibility.py``.

Synthetic people in random poses before one camera. *rays*: the test against every triangle by brute force (naked body).
*depth picture*: the rasterized depth against rays (naked body). *dressed*: against what rays hit of the dressed person,
told by the template position that skin and clothes carry; the test knows the body alone, not the clothes.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from genlca_method.visibility.anchor_views import VisibilityConfig, anchor_views
from genlca_method.visibility.depth_tests import hidden_by_rays
from lca_dataparsers.synthetic.person import random_appearance
from lca_method.networks.placement import PlacementConfig, place
from lca_shared.body import get_body_model

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests" / "support")]

from visible_truth import camera_in_front, clothed_truth, hidden_by_brute_force, random_pose  # noqa: E402

from benchmarks.machine import describe  # noqa: E402


@dataclass(frozen=True)
class Config:
    """What to measure."""

    people: int = 8
    anchors: int = 1024
    size: int = 768
    """Pixels of the truth's pictures."""
    angles: tuple[float, ...] = (60.0, 70.0, 80.0)
    """Degrees."""


def main(config: Config) -> None:
    torch.set_num_threads(1)
    body = get_body_model()
    anchors = place(body, PlacementConfig(tokens=config.anchors, gaussians_per_token=1)).tokens
    camera = camera_in_front(config.size)
    everywhere = torch.ones(1, 1, config.size, config.size)
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for index in range(config.people):
        person, pose = random_appearance(1, index), random_pose(body, index)
        vertices = body.skinned(body.shaped(torch.from_numpy(person.shape)), pose)
        points = anchors.read(vertices, body.faces)
        chosen = np.arange(index, config.anchors, 16)
        center = camera.world_centers().numpy()
        truth = hidden_by_brute_force(vertices.numpy(), body.faces.numpy(), points.numpy()[chosen], center, 0.01)
        found = hidden_by_rays(vertices, body.faces, camera, points, 0.01).numpy()[chosen]
        rows.setdefault("rays, not hidden", []).append((~found, ~truth))

        def seen(mask: torch.Tensor, vertices: torch.Tensor = vertices, **options: object) -> np.ndarray:
            settings = VisibilityConfig(**options)  # type: ignore[arg-type]
            return anchor_views(anchors, vertices[None], body.faces, camera[None], mask, settings).seen[0].numpy()

        pair = seen(everywhere, depth="raster"), seen(everywhere, depth="embree")
        rows.setdefault("depth picture, seen", []).append(pair)
        for angle in config.angles:
            truth, told, mask = clothed_truth(person, pose, camera, anchors, angle)
            found = seen(torch.from_numpy(mask)[None, None], angle=angle)
            rows.setdefault(f"dressed, seen within {angle:.0f} degrees", []).append((found[told], truth[told]))
    print(f"{config.people} people, {config.anchors} anchors, on {describe()}\n")
    print("| | precision | recall | anchors |\n|---|---|---|---|")
    for name, pairs in rows.items():
        found, truth = (np.concatenate(values) for values in zip(*pairs))
        both = (found & truth).sum()
        print(f"| {name} | {both / found.sum():.3f} | {both / truth.sum():.3f} | {len(truth)} |")


if __name__ == "__main__":
    main(tyro.cli(Config))
