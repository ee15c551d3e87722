from pathlib import Path

import pytest
import torch

from lca_dataparsers.dataset.reader import AvatarDataset
from lca_method.crops import Crop, CropCache, CropReader, CropSizes, crop_of, frame_weights
from lca_shared.body import get_body_model
from lca_shared.cameras import Cameras, pinhole_intrinsics, project


@pytest.fixture
def reader(people: Path) -> CropReader:
    return CropReader(AvatarDataset.open(people), CropSizes(reference=48, face=24, target=64), cache_bytes=10**7)


def test_batches_have_the_sizes_asked_for(reader: CropReader) -> None:
    batch = reader.batch("anna", [0, 1, 2], [3, 4])
    assert batch.references.images.shape == (3, 3, 48, 48)
    assert batch.references.face_images.shape == (3, 3, 24, 24)
    assert batch.targets.images.shape == (2, 3, 64, 64)
    assert (batch.targets.cameras.width, batch.targets.cameras.batch_shape) == (64, (2,))
    assert batch.targets.driving.expression.shape[0] == 2
    assert batch.ids == ("anna",)


def test_the_posed_body_covers_the_mask_of_the_crop(reader: CropReader) -> None:
    body = get_body_model()
    targets = reader.targets("bela", [1, 4])
    shaped = body.shaped(reader.dataset.subjects["bela"].shape)
    vertices = body.skinned(shaped, targets.driving.pose)
    pixels, _ = project(targets.cameras, vertices)
    inside = ((pixels >= 0) & (pixels < 64)).all(-1)
    for mask, at, seen in zip(targets.masks[:, 0], pixels, inside):
        column, row = at[seen].long().unbind(-1)
        assert (mask[row, column] > 0.3).float().mean() > 0.97


def test_what_lies_outside_the_picture_is_not_valid(reader: CropReader) -> None:
    frame = reader.dataset.subjects["anna"].load(0)
    width = frame.image.shape[2]
    crop = crop_of(frame, torch.tensor([width / 2, 0.0, width * 1.5, float(width)]), 32)
    assert bool((crop.valid[..., :16] == 255).all()) and bool((crop.valid[..., 16:] == 0).all())


def test_somebody_without_a_seen_body_weighs_nothing(reader: CropReader) -> None:
    columns = reader.dataset.subjects["cleo"].frames.columns
    columns["confidence_body"] = columns["confidence_body"] * (torch.arange(6) != 2).numpy()  # type: ignore[index]
    weights = frame_weights(reader.dataset, "cleo")
    assert weights[2] == 0 and weights[3] == 1


def crop_of_side(side: int) -> Crop:
    empty = torch.zeros(1, side, side, dtype=torch.uint8)
    camera = Cameras(torch.eye(4), pinhole_intrinsics(1.0, side, side), side, side)
    return Crop(empty.expand(3, -1, -1), empty, empty, camera)


def test_the_cache_stays_within_its_bound_and_drops_the_longest_unused() -> None:
    cache, made = CropCache(capacity=3 * crop_of_side(10).bytes), []

    def make(key: int):
        return lambda: made.append(key) or crop_of_side(10)

    for key in (0, 1, 2, 0, 3):
        cache.get((key,), make(key))
    assert made == [0, 1, 2, 3] and len(cache) == 3 and cache.size <= cache.capacity
    cache.get((0,), make(0))
    cache.get((1,), make(1))
    assert made == [0, 1, 2, 3, 1]
