"""Laws of the garments' benchmark: models placed anew, where a hem is, and what is counted beside a garment."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from benchmarks.garment_scores import AROUND, hem_from_hips, with_surroundings
from benchmarks.garment_training import followed, placed_anew, share_heads
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.node_head import DeformerConfig
from lca_shared.body import CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project


def test_placing_anew_keeps_all_weights_and_what_they_are_worth_at_the_same_places(model: LCA) -> None:
    here = model.config.placement
    same = placed_anew(model, here.tokens, here.face_share).state_dict()
    assert all(torch.equal(value, same[name]) for name, value in model.state_dict().items())
    placed = placed_anew(model, 2 * here.tokens, 0.25)
    assert len(placed.initial_scales) == 2 * len(model.initial_scales)
    assert placed.config.placement.face_tokens == here.tokens // 2
    assert all(torch.equal(value, dict(placed.named_parameters())[name]) for name, value in model.named_parameters())


def test_a_hem_at_the_knee_of_the_leg_that_stands_is_at_one(body: CompactBody, random_driving: Any) -> None:
    eye, target = torch.tensor([[[0.0, -4.0, 0.0]]]), torch.zeros(1, 1, 3)
    cameras = Cameras(look_at(eye, target), pinhole_intrinsics(500.0, 512, 512)[None, None], 512, 512)
    targets = SimpleNamespace(cameras=cameras, driving=random_driving((1, 1)))
    batch = cast(Any, SimpleNamespace(shape=torch.zeros(1, len(body.shape_joints)), targets=targets))
    joints = body.posed(body.shaped_joints(batch.shape[:, None]), batch.targets.driving.pose).joints
    rows = project(batch.targets.cameras, joints)[0][0, 0, :, 1]
    knee = max(rows[body.joint_names.index(f"lowerleg01.{side}")] for side in "LR")
    garment = torch.zeros(1, 512, 512)
    garment[:, 100 : round(float(knee)), 200:300] = 1.0
    assert hem_from_hips(body, batch, garment) == pytest.approx(1.0, abs=0.05)


def test_beside_a_garment_background_counts_and_skin_does_not() -> None:
    garment, person = torch.zeros(1, 64, 64), torch.zeros(1, 64, 64)
    garment[:, 20:40, 20:40] = 1.0
    person[:, 10:40, 20:40] = 1.0
    counted = with_surroundings(garment, person)
    assert (counted[:, 20:40, 20:40] == 1).all() and (counted[:, 10:20, 20:40] == 0).all()
    assert counted[0, 30, 20 - AROUND] == 1 and counted[0, 30, 19 - AROUND] == 0


def test_with_shared_heads_and_shut_gates_both_models_are_the_same(
    model: LCA, config: LCAConfig, body: CompactBody, random_references: Any
) -> None:
    with_nodes = LCA(replace(config, deformer=DeformerConfig(nodes=16, hidden=8, own_heads=True)), body).eval()
    with_nodes.load_state_dict(model.state_dict(), strict=False)
    learned = LCA(config, body).eval()
    learned.load_state_dict(model.state_dict())
    assert learned.canonical_head is not None
    torch.nn.init.normal_(learned.canonical_head.shapes.weight, std=0.1)
    torch.nn.init.normal_(learned.pose_head.of_tokens.weight, std=0.1)
    references, shape = random_references((1,), 2), torch.zeros(1, len(body.shape_names))
    expected = learned.encode(references, shape)
    assert not torch.equal(with_nodes.encode(references, shape).canonical.means, expected.canonical.means)
    share_heads(learned, with_nodes)
    found = with_nodes.encode(references, shape)
    assert torch.equal(found.canonical.means, expected.canonical.means)
    assert torch.equal(found.token_half, expected.token_half)


def test_the_outlines_weight_grows_while_more_is_drawn_beside_people_than_shall_be() -> None:
    assert followed(0.5, 10.0, 10.0) == pytest.approx(0.5)
    assert followed(0.5, 20.0, 10.0) > 0.5 > followed(0.5, 10.0, 20.0)
    assert followed(followed(0.5, 20.0, 10.0), 10.0, 20.0) == pytest.approx(0.5)
    weight, drawn = 0.5, 40.0
    for _ in range(400):  # of somebody who draws less the more it weighs
        weight = followed(weight, drawn, 20.0)
        drawn = 30.0 - 10.0 * math.log(weight)
    assert drawn == pytest.approx(20.0, rel=0.01)
