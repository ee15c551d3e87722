"""LPIPS held to the lpips package's own code with the same weights."""

import lpips
import pytest
import torch

from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.perceptual import load_lpips
from lca_shared.weights import MODEL_DIR_VARIABLE


@pytest.fixture(scope="module", params=["alex", "vgg"])
def both(request, models):
    """Ours and the package's network with the same convolutions."""
    ours = load_lpips(request.param, models)
    theirs = lpips.LPIPS(net=request.param, pnet_rand=True, verbose=False)
    layers = [m for s in range(1, 6) for m in getattr(theirs.net, f"slice{s}") if isinstance(m, torch.nn.Conv2d)]
    for layer, convolution in zip(layers, ours.convolutions.values(), strict=True):
        layer.weight.data.copy_(convolution.weight)
        layer.bias.data.copy_(convolution.bias)
    return ours, theirs


def pictures(*shape):
    torch.manual_seed(0)
    first = torch.nn.functional.interpolate(torch.rand(2, 3, 6, 7), size=(64, 80), mode="bicubic").clamp(0, 1)
    second = (first.roll(3, dims=-1) + 0.1 * torch.randn_like(first)).clamp(0, 1)
    return first, second


def test_it_is_the_packages_distance(both):
    ours, theirs = both
    first, second = pictures()
    with torch.no_grad():
        expected = theirs(first, second, normalize=True).flatten()
    found = ours(first, second)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert (found > 0.05).all()


def test_equal_pictures_are_at_distance_zero_also_in_gradient(both):
    first = pictures()[0].requires_grad_()
    distance = both[0](first, first.detach())
    assert distance.abs().max() < 1e-6
    distance.sum().backward()
    assert first.grad.isfinite().all()


def test_it_is_frozen_and_takes_any_batch(both):
    ours = both[0].train()
    assert not ours.training and not any(p.requires_grad for p in ours.parameters())
    first, second = pictures()
    torch.testing.assert_close(ours(first[:, None], second[:, None])[:, 0], ours(first, second))
    assert ours(first[0], second[0]).shape == ()


def test_a_full_mask_changes_nothing_and_a_mask_leaves_out_what_is_outside(both):
    ours = both[0]
    first, second = pictures()
    torch.testing.assert_close(ours(first, second, torch.ones(2, 1, 64, 80)), ours(first, second))
    masks = torch.zeros(2, 1, 64, 80)
    assert not ours(first, second, masks).any()
    masks[..., :30] = 1.0
    changed = second.clone()
    changed[..., :40] = first[..., :40]
    assert (ours(first, changed, masks) < 0.2 * ours(first, second, masks)).all()


def test_missing_weights_are_named(tmp_path, monkeypatch):
    monkeypatch.delenv(MODEL_DIR_VARIABLE, raising=False)
    monkeypatch.setattr("lca_shared.weights.platformdirs.user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    monkeypatch.setattr("urllib.request.urlopen", _offline)
    with pytest.raises(MissingWeightsError, match="alexnet"):
        load_lpips("alex", tmp_path)


def _offline(*_, **__):
    raise OSError("no network")


def test_a_file_without_the_weights_is_named(tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "lpips").mkdir()
    save_file({"features.0.weight": torch.zeros(64, 3, 11, 11)}, tmp_path / "lpips" / "alexnet_features.safetensors")
    with pytest.raises(UserError, match=r"alexnet_features.safetensors.*features\.0\.bias"):
        load_lpips("alex", tmp_path)
