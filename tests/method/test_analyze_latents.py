"""Principal components with known answers; shares of variance between groups."""

from dataclasses import fields, replace

import pytest
import torch

from lca_method.analysis.latents import group_share, mean_token, numbered_groups, principal_components
from lca_method.analysis.latents_sheet import draw_latents


def test_components_of_a_stretched_cloud():
    torch.manual_seed(0)
    axes = torch.linalg.qr(torch.randn(5, 5))[0]
    cloud = torch.randn(4000, 5) * torch.tensor([3.0, 1.0, 0.1, 0.1, 0.1])
    found = principal_components(cloud @ axes + 7.0, 3)
    assert float((found.components[0] @ axes[0]).abs()) == pytest.approx(1.0, abs=1e-2)
    assert float(found.shares[0]) == pytest.approx(9 / 10.03, abs=0.01)
    torch.testing.assert_close(found.components @ found.components.mT, torch.eye(3), atol=1e-5, rtol=0)
    assert bool((found.shares.diff() <= 0).all()) and float(found.coordinates.mean(dim=0).abs().max()) < 1e-4


def test_all_components_together_are_the_vectors():
    torch.manual_seed(0)
    vectors = torch.randn(6, 9)
    found = principal_components(vectors, 20)
    assert found.coordinates.shape == (6, 5)  # six points span five dimensions
    torch.testing.assert_close(found.coordinates @ found.components + found.mean, vectors, atol=1e-5, rtol=0)
    assert float(found.shares.sum()) == pytest.approx(1.0)


def test_the_order_of_people_does_not_matter():
    torch.manual_seed(0)
    vectors, order = torch.randn(12, 9), torch.randperm(12)
    plain, shuffled = principal_components(vectors, 3), principal_components(vectors[order], 3)
    torch.testing.assert_close(plain.coordinates[order], shuffled.coordinates, atol=1e-4, rtol=0)


@pytest.mark.parametrize("vectors", [torch.zeros(1, 3), torch.ones(4, 3)])
def test_nothing_to_decompose_is_refused(vectors):
    with pytest.raises(ValueError):
        principal_components(vectors, 2)


def test_far_groups_explain_everything_and_random_ones_what_chance_does():
    torch.manual_seed(0)
    groups = torch.arange(2).repeat_interleave(10)
    same = torch.randn(20, 30)
    far = group_share(same * 1e-3 + groups[:, None], groups)
    assert far.share > 0.999 and far.at_least < 0.01
    near = group_share(same, groups)
    assert near.chance == pytest.approx(1 / 19, rel=0.1)  # (groups - 1) / (people - 1)
    assert abs(near.share - near.chance) < 0.03 and near.at_least > 0.05
    assert group_share(same + 5.0, 1 - groups).share == pytest.approx(near.share, rel=1e-4)


def test_groups_are_numbered_by_name():
    assert numbered_groups(["wild", "studio", "wild"]).tolist() == [1, 0, 1]


def test_mean_tokens_do_not_depend_on_the_order_of_views(model, body, random_references):
    references, shape = random_references((), 3), torch.zeros(len(body.shape_names))
    views = [f.name for f in fields(references) if f.name not in ("fit", "lights")]
    turned = replace(references, **{name: getattr(references, name)[[2, 0, 1]] for name in views})
    token = mean_token(model.eval(), references, shape)
    assert token.shape == (32,) and not token.requires_grad
    torch.testing.assert_close(mean_token(model, turned, shape), token, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_the_picture_is_written_whole(tmp_path, suffix):
    path = tmp_path / "new" / f"latents{suffix}"
    coordinates = torch.randn(6, 2)
    kinds, names = ["wild"] * 3 + ["studio"] * 3, ["a"] * 3 + ["b"] * 3
    draw_latents(path, coordinates, torch.tensor([0.5, 0.2]), kinds, names, "title")
    assert path.stat().st_size > 2000 and [p.name for p in path.parent.iterdir()] == [path.name]
