"""What ``lca eval`` says of loose garments."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_people import HEIGHT, WIDTH, view, write_people

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_dataparsers.pictures import write_picture
from lca_method.batch import stacked
from lca_method.crops import CropReader, CropSizes
from lca_method.evaluating.garment_split import drift, on_surface
from lca_method.evaluating.report import Part, cells, headings, shown_regions
from lca_method.evaluating.scores import METRICS, REGIONS, PictureScore, intervals, means_of_people, region_masks
from lca_shared.body import CompactBody
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize


def sheet() -> torch.Tensor:
    """900 points two centimetres apart, in the plane y = 0."""
    grid = 0.02 * torch.arange(30).float()
    return torch.stack(torch.meshgrid(grid, torch.zeros(1), grid, indexing="ij"), dim=-1).reshape(-1, 3)


def test_drift_of_a_sheet() -> None:
    rest = sheet()
    assert drift(rest, rest + 3.0) == pytest.approx(0, abs=0.01)
    assert 9.99 < drift(rest, 1.5 * rest) < 14.2  # half of two centimetres, or of a diagonal at the edge
    right = (rest[:, 0] > 0.29).float()[:, None]
    torn = rest + right * torch.tensor([0.1, 0.0, 0.0])
    assert drift(rest, torn) == pytest.approx(100, abs=0.1)
    assert drift(rest, 0.5 * rest) == 0  # coming together is no split
    assert math.isnan(drift(rest[:10], rest[:10]))


def test_gaussians_on_the_surface_that_is_seen() -> None:
    front = sheet() - torch.tensor([0.3, 0.0, 0.3])
    means = torch.cat([front, front + torch.tensor([0.0, 0.2, 0.0])])  # the second hangs 20 cm behind
    count = len(means)
    gaussians = Gaussians(
        means,
        torch.tensor([1.0, 0, 0, 0]).repeat(count, 1),
        torch.full((count, 3), 0.015),
        torch.full((count,), 0.95),
        torch.ones(count, 3),
    )
    camera = view(0.0)
    mask = torch.zeros(1, HEIGHT, WIDTH)
    mask[..., WIDTH // 2 :] = 1
    seen = on_surface(gaussians, camera, rasterize(gaussians, camera), mask)
    assert not bool(seen[len(front) :].any())
    assert bool(seen[: len(front)][front[:, 0] > 0.02].all())
    assert not bool(seen[: len(front)][front[:, 0] < -0.02].any())


@pytest.fixture(scope="module")
def worn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A person whose lower half is a loose garment."""
    root = write_people(tmp_path_factory.mktemp("worn") / "worn", {"anna": "test"}, frames=2)
    person = AvatarDataset.open(root).subjects["anna"]
    for row in range(2):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[HEIGHT // 2 :] = 255
        person.garment_path(row).parent.mkdir(exist_ok=True)
        write_picture(mask, person.garment_path(row))
    return root


def test_garment_pixels_are_person_pixels_in_its_mask(worn: Path, people: Path, body: CompactBody) -> None:
    sizes = CropSizes(32, 16, 64, target_garments=True)
    batch = stacked([CropReader(AvatarDataset.open(worn), sizes, 0).batch("anna", [0], [1])])
    assert batch.targets.garments is not None
    masks = region_masks(batch, body)
    assert 16 < int(masks["garment"].sum()) < int(masks["person"].sum())
    assert not bool((masks["garment"] & ~masks["person"]).any())
    assert int(masks["garment"][:, :16].sum()) == 0
    without = stacked([CropReader(AvatarDataset.open(people), sizes, 0).batch("anna", [0], [1])])
    assert without.targets.garments is None
    assert not bool(region_masks(without, body)["garment"].any())
    unasked = CropReader(AvatarDataset.open(worn), replace(sizes, target_garments=False), 0).batch("anna", [0], [1])
    assert unasked.targets.garments is None


def test_the_table_has_garments_where_they_were_measured() -> None:
    values = {f"{region}_{metric}": 1.0 for region in REGIONS for metric in METRICS} | {"garment_split": 12.34}
    bare = {name: math.nan if name.startswith("garment") else value for name, value in values.items()}
    parts = []
    for own in (values, bare):
        scores = [PictureScore("anna", 0, own)]
        parts.append(Part("set", 1, intervals(scores, 10, 0), means_of_people(scores), scores))
    assert "garment split (mm)" not in headings(shown_regions(parts[1:]))
    regions = shown_regions(parts)
    assert headings(regions)[-1] == "garment split (mm)"
    assert [cells(part, regions)[-1] for part in parts] == ["12.3", "-"]
