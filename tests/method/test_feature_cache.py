from pathlib import Path

import pytest
import torch

from lca_method.feature_cache import FeatureCache
from lca_method.networks import LCA
from lca_shared.encoders.protocol import freeze
from lca_shared.errors import UserError


def test_features_come_from_disk_and_are_nearly_the_encoders(model: LCA, random_references, tmp_path: Path) -> None:
    freeze(model.image_encoder)
    cache = FeatureCache(tmp_path, model)
    references = random_references((2,), 3)
    first = cache.features(references)
    files = sorted(tmp_path.rglob("*.safetensors"))
    assert len(files) == 2 * 3 * 2  # bodies and faces
    plain = model.features(references)
    torch.testing.assert_close(first.body, plain.body, atol=5e-3, rtol=5e-3)
    assert first.face.shape == plain.face.shape

    def fails(*_):
        raise AssertionError("the encoder ran again")

    model.encode_pictures = fails  # type: ignore[method-assign]
    again = cache.features(references)
    assert torch.equal(again.body, first.body) and torch.equal(again.face, first.face)


def test_other_pictures_and_other_encoders_have_other_files(model: LCA, random_references, tmp_path: Path) -> None:
    freeze(model.image_encoder)
    cache = FeatureCache(tmp_path, model)
    images, masks = random_references((), 2).images, random_references((), 2).masks
    key = cache._path(images[0], masks[0])
    assert key != cache._path(images[1], masks[1])
    assert key != cache._path(images[0], torch.zeros_like(masks[0]))
    cache._encoder_key = "another encoder"
    assert key != cache._path(images[0], masks[0])


def test_a_trained_encoder_is_refused(model: LCA, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="frozen"):
        FeatureCache(tmp_path, model)
