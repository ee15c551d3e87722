"""Points on the surface: even, by area, the same for the same seed, and moved with the body."""

import pytest
import torch
from scipy.spatial import cKDTree

from lca_shared.body import BodyPose, CompactBody, get_body_model
from lca_shared.body.anchors import body_at, face_normals, sample_surface


@pytest.fixture(scope="module")
def body() -> CompactBody:
    return get_body_model("anny")


def test_each_part_gets_its_share_of_the_area(body: CompactBody) -> None:
    points = sample_surface(body.template_vertices, body.faces, 2000)
    areas = face_normals(body.template_vertices, body.faces)[1]
    for name in ("head", "hands", "feet", "body", "left_hand"):
        inside = body.regions[name][body.faces].all(dim=1)
        share = float((areas * inside).sum() / areas.sum())
        assert float(inside[points.faces].float().mean()) == pytest.approx(share, abs=0.006)


def test_neighbours_are_evenly_apart(body: CompactBody) -> None:
    points = sample_surface(body.template_vertices, body.faces, 2000)
    at = points.read(body.template_vertices, body.faces).numpy()
    spacing = float((face_normals(body.template_vertices, body.faces)[1].sum() / 2000).sqrt())
    nearest = cKDTree(at).query(at, 2)[0][:, 1] / spacing
    # Independent random points have a mean of 0.5, and one in twenty closer than 0.13.
    assert nearest.mean() > 0.68
    assert sorted(nearest)[100] > 0.4


def test_barycentric_weights_and_masks(body: CompactBody) -> None:
    mask = body.regions["face"][body.faces].all(dim=1)
    points = sample_surface(body.template_vertices, body.faces, 301, face_mask=mask, seed=3)
    assert len(points) == 301 and mask[points.faces].all()
    assert (points.barycentric >= 0).all()
    torch.testing.assert_close(points.barycentric.sum(dim=1), torch.ones(301))
    normals = points.normals(body.template_vertices, body.faces)
    assert (normals[:, 1] < 0).float().mean() > 0.8  # the face looks along -Y
    with pytest.raises(ValueError, match="no surface"):
        sample_surface(body.template_vertices, body.faces, 5, face_mask=torch.zeros_like(mask))


def test_the_seed_decides(body: CompactBody) -> None:
    first, again, other = (sample_surface(body.template_vertices, body.faces, 64, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.faces, again.faces) and torch.equal(first.barycentric, again.barycentric)
    assert not torch.equal(first.faces, other.faces)


def test_a_body_at_corners_is_the_body(body: CompactBody) -> None:
    points = sample_surface(body.template_vertices, body.faces, 100)
    points.barycentric[:] = torch.tensor([1.0, 0.0, 0.0])
    anchored, corner = body_at(body, points), body.faces[points.faces, 0]
    generator = torch.Generator().manual_seed(0)
    shape, expression = torch.randn(len(body.shape_names), generator=generator), torch.full((52,), 0.2)
    pose = BodyPose.rest(len(body.driven_joints))
    pose.joint_rotations[:] = 0.2
    whole = body.subset(corner)
    torch.testing.assert_close(
        anchored.skinned(anchored.shaped(shape, expression), pose),
        whole.skinned(whole.shaped(shape, expression), pose),
        atol=1e-5,
        rtol=0,
    )


def test_shaped_points_stay_on_the_surface(body: CompactBody) -> None:
    points = sample_surface(body.template_vertices, body.faces, 200)
    shape = torch.randn(2, len(body.shape_names), generator=torch.Generator().manual_seed(0))
    expression = torch.full((2, 52), 0.2)
    on_mesh = points.read(body.shaped(shape, expression).vertices, body.faces)
    torch.testing.assert_close(body_at(body, points).shaped(shape, expression).vertices, on_mesh, atol=1e-5, rtol=0)
