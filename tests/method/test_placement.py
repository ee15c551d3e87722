from dataclasses import replace

import numpy as np
import pytest
import torch

from lca_method.networks import LCA
from lca_method.networks.placement import PlacementConfig, compact_groups, place

CONFIG = PlacementConfig(tokens=128, gaussians_per_token=8, face_share=0.5)


def points_of(surface, body):
    return surface.read(body.template_vertices, body.faces)


def test_half_of_the_tokens_lie_on_the_face_and_come_first(body):
    placement = place(body, CONFIG)
    assert len(placement.tokens) == 128 and len(placement.gaussians) == 1024
    seen_face = body.regions["face"] | (body.regions["eyes"] & ~body.regions["hidden"])
    in_face = seen_face[body.faces[placement.tokens.faces]].all(dim=1)
    assert in_face[:64].all() and not in_face[64:].any()
    assert placement.spacing[:512].max() < 0.3 * placement.spacing[512:].min()


@pytest.mark.parametrize("spread", ["own_points", "token_point"])
def test_gaussians_lie_around_their_token(body, spread):
    placement = place(body, replace(CONFIG, spread=spread))
    tokens, gaussians = points_of(placement.tokens, body), points_of(placement.gaussians, body).reshape(128, 8, 3)
    distance = (gaussians - tokens[:, None]).norm(dim=-1)
    if spread == "token_point":
        assert not distance.any()
    else:
        assert distance.min(dim=1).values.max() < 1e-6  # a token's point is one of its Gaussians'
        assert (distance.mean(dim=1) < 3 * placement.spacing.reshape(128, 8)[:, 0]).float().mean() > 0.95


def test_the_same_seed_gives_the_same_points(body):
    first, again, other = (place(body, replace(CONFIG, seed=seed)) for seed in (0, 0, 1))
    assert torch.equal(first.gaussians.barycentric, again.gaussians.barycentric)
    assert not torch.equal(first.gaussians.barycentric, other.gaussians.barycentric)


def test_nothing_lies_where_no_camera_sees(body):
    placement = place(body, replace(CONFIG, tokens=512))
    unseen = body.regions["hidden"] & ~body.regions["mouth_interior"]
    assert not unseen[body.faces[placement.gaussians.faces]].all(dim=1).any()


def test_compact_groups_are_a_partition_of_equal_sizes():
    points = np.random.default_rng(0).normal(size=(60, 3))
    groups = compact_groups(points, 12)
    assert groups.shape == (12, 5) and sorted(groups.flatten()) == list(range(60))
    within = np.mean([points[g].std(axis=0).mean() for g in groups])
    assert within < 0.7 * points.std(axis=0).mean()
    with pytest.raises(ValueError, match="equal size"):
        compact_groups(points, 7)


def test_eyes_mouth_and_hands_get_their_shares(body):
    config = replace(CONFIG, tokens=256, eye_share=0.1, mouth_share=0.1, hand_share=0.25)
    placement = place(body, config)
    assert len(placement.tokens) == 256 and len(placement.gaussians) == 2048

    def count(region: str) -> int:
        return int(body.regions[region][body.faces[placement.tokens.faces]].all(dim=1).sum())

    assert (count("eyes"), count("mouth_interior"), count("hands")) == (13, 13, 32)
    plain = place(body, replace(config, eye_share=0.0, mouth_share=0.0, hand_share=0.0))
    assert placement.spacing.min() < 0.9 * plain.spacing.min()


def test_gaussians_on_bare_skin_stay_near_their_points(body, config, random_references):
    """The same weights, with a tenth of the reach: offsets there are a tenth, the others as they were."""
    torch.manual_seed(0)
    free = LCA(replace(config, placement=replace(config.placement, face_share=0.3, hand_share=0.3)), body)
    assert free.canonical_head is not None
    torch.nn.init.normal_(free.canonical_head.shapes.weight)
    held = LCA(replace(free.config, bare_offsets=0.1), body)
    held.load_state_dict(free.state_dict())
    references, shape = random_references((), 2), torch.zeros(len(body.shape_names))
    far, near = (network.encode(references, shape).offsets for network in (free, held))
    corners = body.faces[free.gaussian_faces]
    on = [body.regions[name][corners].all(dim=-1) for name in ("face", "eyes", "mouth_interior", "hands")]
    bare = torch.stack(on).any(dim=0)
    assert 40 < int(bare.sum()) < len(bare) - 40 and far.norm(dim=-1).min() > 1e-3
    torch.testing.assert_close(near[bare], 0.1 * far[bare])
    torch.testing.assert_close(near[~bare], far[~bare])
