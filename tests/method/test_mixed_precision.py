"""In bfloat16 the transformer and heads save time; where a body stands stays exact."""

from dataclasses import replace

import pytest
import torch

from lca_method.networks import LCA


def test_bodies_stand_where_they_stand_in_full_precision(model: LCA, random_references, random_driving) -> None:
    torch.manual_seed(0)
    shape = torch.randn(1, len(model.point_body.shape_names))
    torch.nn.init.normal_(model.pose_head.deltas.weight, std=0.02)
    code, driving = model.encode(random_references((1,), 2), shape), random_driving((1, 3))
    canonical, posed = model.drive(code, driving)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        canonical_half, posed_half = model.drive(code, driving)
    assert torch.equal(canonical.means, canonical_half.means)
    assert posed_half.means.dtype == torch.float32
    distances = (posed.means - posed_half.means).norm(dim=-1)
    assert 0 < float(distances.max()) < 2e-3  # metres: a delta of 10 cm has three digits


@pytest.mark.parametrize("lookup", [0, 8])
def test_a_person_is_encoded_about_alike(config, body, random_references, lookup: int) -> None:
    torch.manual_seed(0)
    model = LCA(replace(config, color_lookup=lookup), body)
    shape = torch.zeros(1, len(body.shape_names))
    full = model.encode(random_references((1,), 2), shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model.encode(random_references((1,), 2), shape)
    assert half.canonical.means.dtype == torch.float32
    assert float((full.tokens - half.tokens).norm() / full.tokens.norm()) < 0.03
    torch.testing.assert_close(half.canonical.means, full.canonical.means, atol=5e-3, rtol=0)
