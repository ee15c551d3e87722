"""Expressions found in pictures alone: a painted face looks the same at its points if they are moved rightly."""

from dataclasses import replace

import pytest
import torch

from lca_method.augmentation import flipped_targets, zoomed, zoomed_places
from lca_method.batch import DrivingSignal, FaceViews, TargetViews
from lca_method.face_places import GRID, FaceMarks
from lca_method.losses.code_range import code_range
from lca_method.losses.code_texture import code_texture
from lca_method.losses.photometric import Target, detail_on_person
from lca_method.mirroring import BodyMirror
from lca_method.networks.expression_encoder import laid_out
from lca_method.networks.face_surface import FaceSurface
from lca_method.networks.local_contrast import local_contrast
from lca_shared.body import BodyPose, CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics, project
from lca_shared.gaussians import Gaussians
from lca_shared.rendering import rasterize

SIDE = 96
SHOWN = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")


@pytest.fixture(scope="module")
def painted() -> tuple[CompactBody, torch.Tensor, BodyPose, torch.Tensor, FaceViews]:
    """Two people with three frames each: shapes, poses, expressions and pictures of heads painted at random."""
    from lca_shared.body import get_body_model

    body = get_body_model()
    generator = torch.Generator().manual_seed(0)
    shape = 0.3 * torch.randn(2, len(body.shape_names), generator=generator)
    expression = torch.zeros(2, 3, len(body.expression_names))
    for name in SHOWN:
        expression[..., body.expression_names.index(name)] = torch.rand(2, 3, generator=generator)
    rest = BodyPose.rest(len(body.driven_joints), (2, 3))
    pose = replace(rest, root_rotation=torch.tensor([0.0, 0.0, 1.0]) * 0.3 * torch.randn(2, 3, 1, generator=generator))
    vertices = body.skinned(body.shaped(shape[:, None], expression), pose)
    head = body.regions["head"] & ~body.regions["hidden"]
    middle = vertices[..., body.regions["face"], :].mean(dim=-2)
    eye = middle + 0.9 * torch.tensor([0.1, -1.0, 0.05])
    cameras = Cameras(look_at(eye, middle), pinhole_intrinsics(3.5 * SIDE, SIDE, SIDE).expand(2, 3, 3, 3), SIDE, SIDE)
    points = vertices[..., head, :]
    waves = torch.sin(260 * body.template_vertices[head] @ torch.randn(3, 3, generator=generator) / 2)
    paint = Gaussians(
        means=points,
        quaternions=torch.tensor([1.0, 0, 0, 0]).expand(*points.shape[:-1], 4),
        scales=torch.full_like(points, 0.003),
        opacities=torch.full(points.shape[:-1], 0.95),
        colors=(0.5 + 0.3 * waves).expand(*points.shape),
    )
    drawn = rasterize(paint, cameras, background=torch.full((3,), 0.5))
    faces = FaceViews(drawn.colors.detach(), (drawn.alpha.detach() > 0.5).float(), cameras, torch.ones(2, 3))
    return body, shape, pose, expression, faces


def test_the_right_expression_makes_frames_alike_and_gradients_lead_to_it(painted):
    body, shape, pose, expression, faces = painted
    surface = FaceSurface.of(body)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return code_texture(*surface.read(shape, pose, values, faces))

    neutral, right = loss(torch.zeros_like(expression)), loss(expression)
    assert right < 0.5 * neutral
    found = (0.7 * expression).requires_grad_()
    loss(found).backward()
    rows = [body.expression_names.index(name) for name in SHOWN]
    towards = (found.grad[..., rows] * (expression - found.detach())[..., rows]).sum()
    assert towards < 0


def test_faces_that_are_not_seen_count_for_nothing(painted):
    body, shape, pose, expression, faces = painted
    surface, seen = FaceSurface.of(body), torch.tensor([[1.0, 1, 0], [1, 1, 1]])
    broken = torch.where(seen[..., None, None, None] > 0, faces.images, torch.rand_like(faces.images))
    one, other = (
        code_texture(*surface.read(shape, pose, expression, replace(faces, images=images, seen=seen)))
        for images in (faces.images, broken)
    )
    torch.testing.assert_close(one, other)


def test_local_contrast_does_not_see_light(painted):
    faces = painted[-1]
    light = torch.linspace(0.8, 1.1, SIDE)
    plain, lit = (local_contrast((i - 0.5).flatten(0, 1), 3) for i in (faces.images, faces.images * light))
    difference = (plain - lit)[..., 8:-8, 8:-8].abs().mean()
    assert difference < 0.1 * plain.abs().mean()


def test_local_contrast_is_what_a_square_neighbourhood_says():
    pictures = torch.rand(2, 3, 20, 20) - 0.5
    around = torch.nn.functional.pad(pictures, (3, 3, 3, 3)).unfold(2, 7, 1).unfold(3, 7, 1)
    inside = torch.nn.functional.pad(torch.ones_like(pictures), (3, 3, 3, 3)).unfold(2, 7, 1).unfold(3, 7, 1)
    detail = pictures - around.sum(dim=(-1, -2)) / inside.sum(dim=(-1, -2))
    square = torch.nn.functional.pad(detail.square().mean(dim=1, keepdim=True), (3, 3, 3, 3)).unfold(2, 7, 1)
    deviation = (square.unfold(3, 7, 1).sum(dim=(-1, -2)) / inside[:, :1].sum(dim=(-1, -2))).sqrt()
    torch.testing.assert_close(local_contrast(pictures, 3), detail / (deviation + 0.02), atol=1e-5, rtol=1e-4)


def test_local_contrast_of_plain_pictures_is_0_and_has_gradients():
    pictures = torch.cat([torch.full((1, 1, 64, 64), 0.37), torch.zeros(1, 1, 64, 64), 0.1 * torch.rand(1, 1, 64, 64)])
    pictures[2, :, 16:] = 0.3333
    pictures.requires_grad_()
    contrast = local_contrast(pictures, 4)
    contrast.square().sum().backward()
    assert contrast.isfinite().all() and pictures.grad is not None and pictures.grad.isfinite().all()
    assert contrast[:2].abs().max() < 1e-3


def test_places_say_where_the_face_is_however_the_crop_lies(painted):
    """The grid's nodes lie on the face of the fitted body: read at a vertex's place of the layout, it gives the
    vertex's pixel, for other people, other poses and a tilted camera alike."""
    body, shape, pose, _, faces = painted
    marks = FaceMarks.of(body.name)
    roll = torch.tensor([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    cameras = faces.cameras[0]
    flat = marks.body.template_vertices[:, [0, 2]]
    middle = torch.tensor([0.0, 0.715])
    layout = (flat - middle) / 0.095 * torch.tensor([1.0, -1.0])
    assert layout.abs().max() < 1.2
    within = layout.abs().amax(dim=-1) < 1
    for view in (cameras, replace(cameras, camera_from_world=roll @ cameras.camera_from_world)):
        places = marks.places(shape[0], pose[0], view)
        assert places.shape == (3, GRID, GRID, 2)
        vertices = marks.body.skinned(marks.body.shaped(shape[0]), pose[0])
        pixels = project(view, vertices)[0] / SIDE * 2 - 1
        read = torch.nn.functional.grid_sample(
            places.movedim(-1, 1), layout.expand(3, 1, -1, 2), align_corners=True, padding_mode="border"
        )[:, :, 0].mT
        apart = (read - pixels)[:, within].norm(dim=-1)
        assert apart.mean() < 0.01 and apart.max() < 0.06  # of a crop that is 2 wide


def test_a_face_laid_out_looks_the_same_for_every_shape_pose_and_framing(painted):
    """Paint that sticks to the surface comes to lie in the same places, whoever wears it."""
    body, shape, pose, _, faces = painted
    marks = FaceMarks.of(body.name)
    generator = torch.Generator().manual_seed(1)
    wave = 60 * torch.randn(3, 3, generator=generator)
    head = body.regions["head"] & ~body.regions["hidden"]

    def picture(person: int) -> torch.Tensor:
        vertices = body.skinned(body.shaped(shape[person]), pose[person, :1])[:, head]
        paint = Gaussians(
            means=vertices,
            quaternions=torch.tensor([1.0, 0, 0, 0]).expand(*vertices.shape[:-1], 4),
            scales=torch.full_like(vertices, 0.003),
            opacities=torch.full(vertices.shape[:-1], 0.95),
            colors=(0.5 + 0.3 * torch.sin(body.template_vertices[head] @ wave)).expand(*vertices.shape),
        )
        cameras = faces.cameras[person, :1]
        if person:  # framed otherwise
            tilt = torch.tensor([[0.96, -0.28, 0, 0], [0.28, 0.96, 0, 0.03], [0, 0, 1, 0], [0, 0, 0, 1]])
            cameras = replace(cameras, camera_from_world=tilt @ cameras.camera_from_world)
        image = rasterize(paint, cameras, background=torch.full((3,), 0.5)).colors
        places = marks.places(shape[person], pose[person, :1], cameras)
        return torch.stack([laid_out(image - 0.5, places, 32), laid_out(image - 0.5, None, 32)])[..., 8:-8, 10:-10]

    first, second = picture(0), picture(1)

    def alike(index: int) -> float:
        return float(torch.corrcoef(torch.stack([first[index].flatten(), second[index].flatten()]))[0, 1])

    assert alike(0) > 0.9 and alike(0) > alike(1) + 0.1


def test_places_follow_mirrored_and_enlarged_crops(painted):
    body, shape, pose, expression, faces = painted
    marks = FaceMarks.of(body.name)
    symmetric = torch.zeros_like(shape[0])
    views = replace(
        faces,
        images=faces.images[0],
        masks=faces.masks[0],
        cameras=faces.cameras[0],
        seen=faces.seen[0],
        places=marks.places(symmetric, pose[0], faces.cameras[0]),
    )
    driving = DrivingSignal(pose[0], expression[0])
    targets = TargetViews(views.images, views.masks, views.cameras, driving, torch.ones(3), faces=views)
    mirrored = flipped_targets(targets, BodyMirror.of(body))
    assert mirrored.faces is not None and mirrored.faces.places is not None
    again = marks.places(symmetric, mirrored.driving.pose, mirrored.faces.cameras)
    torch.testing.assert_close(mirrored.faces.places, again, atol=2e-3, rtol=0)  # the template is nearly symmetric
    zooms = torch.tensor([[1.2, 0.1, -0.05]]).expand(3, 3)
    assert views.places is not None
    larger = zoomed(views.images, views.masks, None, views.cameras, zooms)[-1]
    torch.testing.assert_close(
        zoomed_places(views.places, zooms), marks.places(symmetric, pose[0], larger), atol=1e-4, rtol=0
    )


def test_detail_is_what_light_does_not_change():
    images, masks = torch.rand(1, 2, 3, 32, 32), torch.ones(1, 2, 1, 32, 32)
    target = Target(images, masks, masks, torch.ones(1, 2), None)
    torch.testing.assert_close(detail_on_person(images + 0.2, target), torch.tensor(0.0), atol=1e-6, rtol=0)
    moved = images.clone()
    moved[..., 10:12, 10:20] += 0.2
    assert detail_on_person(moved, target) > 0


def test_the_range_is_between_neutral_and_full():
    seen = torch.tensor([[1.0, 1.0, 0.0]])

    def cost(first: float, second: float) -> float:
        return float(code_range(torch.tensor([[[first, 0.0], [second, 0.0], [5.0, 5.0]]]), seen))

    assert cost(0, 0) == 0
    assert cost(-0.5, 0.5) > cost(0.0, 0.5)
    assert cost(0.0, 1.5) > 0.125
    assert cost(0.0, 1.0) < cost(0.7, 0.7)  # as large, but everybody's
