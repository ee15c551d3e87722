"""Colours read where the fitted body projects: right where seen, the fallback where not."""

from dataclasses import replace

import pytest
import torch

from lca_method.batch import ReferenceFit, ReferenceViews
from lca_method.networks import LCA
from lca_method.networks.projected_colors import ProjectedColors
from lca_shared.body import BodyPose
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize
from lca_shared.skinning import skin_points

SIDE = 96


def painted(
    vertices: torch.Tensor, rest: torch.Tensor, eyes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, Cameras]:
    """A posed body whose colour is its rest position, seen from each eye."""
    colors = (rest - rest.amin(0)) / (rest.amax(0) - rest.amin(0))
    count, views = len(rest), len(eyes)
    cameras = Cameras(
        look_at(eyes, vertices.mean(dim=-2).expand(views, 3)),
        pinhole_intrinsics(1.9 * SIDE, SIDE, SIDE).expand(views, 3, 3),
        SIDE,
        SIDE,
    )
    gaussians = Gaussians(
        vertices.expand(views, count, 3),
        torch.tensor([1.0, 0, 0, 0]).expand(views, count, 4),
        torch.full((views, count, 3), 0.006),
        torch.full((views, count), 0.98),
        colors.expand(views, count, 3),
    )
    render = rasterize(gaussians, cameras)
    masks = (render.alpha > 0.5).float()
    return render.colors / render.alpha.clamp(min=1e-3) * masks, masks, cameras


@pytest.fixture(scope="module")
def scene(body):
    torch.manual_seed(0)
    pose = BodyPose(
        0.25 * torch.randn(len(body.driven_joints), 3), torch.tensor([0.0, 0.0, 0.4]), torch.zeros(3), torch.zeros(2, 2)
    )
    shaped = body.shaped(torch.zeros(len(body.shape_names)))
    vertices = skin_points(shaped.vertices, body.skinning_weights, body.posed(shaped.joints, pose).posed_from_rest)
    eyes = vertices.mean(0) + torch.tensor([[0.0, -4.0, 0.3], [3.0, 2.5, 0.0], [-3.0, 2.5, 0.0]])
    images, masks, cameras = painted(vertices, shaped.vertices, eyes)
    many = BodyPose(
        *(
            value.expand(3, *value.shape)
            for value in (pose.joint_rotations, pose.root_rotation, pose.root_translation, pose.gaze)
        )
    )
    no_faces = torch.zeros(3, 3, 16, 16), torch.zeros(3, 1, 16, 16)
    return ReferenceViews(images, masks, *no_faces, ReferenceFit(many, cameras, cameras.resized(16, 16)))


def start_colors(config, body, references):
    """What the canonical head starts from: its own part of the logits set to zero."""
    torch.manual_seed(0)
    model = LCA(replace(config, projected_colors=True), body)
    torch.nn.init.zeros_(model.canonical_head.colors.weight)
    torch.nn.init.zeros_(model.canonical_head.colors.bias)
    with torch.no_grad():
        return model, model.encode(references, torch.zeros(len(body.shape_names))).canonical


def test_points_seen_from_around_get_their_own_colour(config, body, scene):
    model, canonical = start_colors(config, body, scene)
    rest = body.template_vertices
    points = model.surface_points(torch.zeros(len(body.shape_names)))
    truth = ((points - rest.amin(0)) / (rest.amax(0) - rest.amin(0))).clamp(0.02, 0.98)
    error = (canonical.colors - truth).abs().mean(dim=-1)
    assert error.median() < 0.05 and (error < 0.15).float().mean() > 0.85


def test_points_that_no_view_shows_get_the_fallback(body):
    """A wall of points faces the camera; those facing away and those behind it are not read."""
    x, z = torch.meshgrid(torch.linspace(-0.5, 0.5, 15), torch.linspace(-0.5, 0.5, 15), indexing="ij")
    front = torch.stack([x, torch.zeros_like(x), z], dim=-1).reshape(-1, 3)
    points = torch.cat([front, front + torch.tensor([0.0, 0.6, 0.0])])[None]
    normals = torch.tensor([0.0, -1.0, 0.0]).expand_as(points)
    camera = Cameras(
        look_at(torch.tensor([[0.0, -3.0, 0.0]]), torch.zeros(1, 3)), pinhole_intrinsics(100.0, 64, 64)[None], 64, 64
    )
    fit = ReferenceFit(BodyPose.rest(1, (1,)), camera, camera)
    red, empty = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64)
    fallback = torch.tensor([0.0, 0.0, 1.0]).expand(len(points[0]), 3)
    read = ProjectedColors()
    given = (red, torch.ones(1, 1, 64, 64), red, empty, fit, 0.07, fallback)
    seen = read(points, normals, *given)
    assert (seen[:225, 0] > 0.8).all() and (seen[225:, 2] > 0.99).float().mean() > 0.8
    torch.testing.assert_close(read(points, -normals, *given), fallback)


def test_a_model_that_needs_the_fit_says_so(config, body, scene):
    model = LCA(replace(config, projected_colors=True), body)
    with pytest.raises(UserError, match="fit"):
        model.encode(replace(scene, fit=None), torch.zeros(len(body.shape_names)))
    with pytest.raises(UserError, match="color_lookup"):
        LCA(replace(config, projected_colors=True, color_lookup=0), body)
