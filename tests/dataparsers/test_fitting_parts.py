"""The parts of the body fit, each against a law or against something not written for it."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from made_observations import level_camera, made_observations, moving_pose

from lca_dataparsers.mesh_raster import covered_pixels
from lca_dataparsers.processing.correspondences import HAND_JOINTS, load_correspondences, mirrored_name
from lca_dataparsers.processing.fitting.camera import focal_prior
from lca_dataparsers.processing.fitting.config import FitConfig, TermWeights
from lca_dataparsers.processing.fitting.expression import (
    expression_from_blendshapes,
    gaze_from_blendshapes,
    neutral_blendshapes,
)
from lca_dataparsers.processing.fitting.limits import make_limit_table
from lca_dataparsers.processing.fitting.optimise import nearest_surface_points
from lca_dataparsers.processing.fitting.point_body import affine_mix, get_point_body
from lca_dataparsers.processing.fitting.state import FitState, predict
from lca_dataparsers.processing.fitting.targets import make_targets
from lca_dataparsers.processing.fitting.terms import TERMS, TermContext
from lca_dataparsers.processing.fitting.terms.head_outline import outline_partners
from lca_dataparsers.processing.fitting.windows import blended, coarse_frames, interpolated, joined, windows
from lca_dataparsers.processing.observations import ARKIT_NAMES
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import project
from lca_shared.rotations import geodesic_angle, rotation_vector_to_matrix

BODY = get_body_model("anny")


def test_correspondences_are_symmetric_and_on_the_body() -> None:
    table = load_correspondences()
    body = {p.landmark: p for p in table.body}
    for left in range(11, 33, 2):
        a, b = body[left], body[left + 1]
        assert b.joint == mirrored_name(a.joint)
        assert np.allclose(np.array(a.offset) * [-1, 1, 1], b.offset)
        assert max(map(abs, a.offset)) < 0.1 and a.spread < 0.03
    for point in table.face:
        assert abs(sum(point.barycentric) - 1.0) < 1e-3
    nose = next(p for p in table.face if p.landmark == 4)
    tip = torch.tensor(nose.barycentric) @ BODY.template_vertices[list(nose.vertices)]
    front = BODY.template_vertices[BODY.regions["head"], 1].min()
    assert abs(float(tip[0])) < 0.004 and float(tip[1] - front) < 0.01
    assert len(HAND_JOINTS) == 21


def test_points_move_as_the_body_does() -> None:
    points, random = get_point_body("anny"), torch.Generator().manual_seed(0)
    shape = torch.randn(len(BODY.shape_names), generator=random)
    expression = 0.5 * torch.rand(2, 52, generator=random)
    pose = BodyPose(
        0.3 * torch.randn(2, 52, 3, generator=random), torch.randn(2, 3), torch.randn(2, 3), torch.zeros(2, 2, 2)
    )
    vertices = BODY.skinned(BODY.shaped(shape, expression), pose)
    rest, joints = points.of_shape(shape)
    transforms = points.transforms(
        joints, rotation_vector_to_matrix(pose.root_rotation), pose.joint_rotations, pose.root_translation
    )
    groups = points.posed(rest, transforms, points.face_displacements(expression))
    face = {p.landmark: p for p in load_correspondences().face}
    rows = [face[k] for k in points.face_landmarks]
    truth = torch.einsum(
        "pc,tpcd->tpd",
        torch.tensor([p.barycentric for p in rows]),
        vertices[:, torch.tensor([p.vertices for p in rows])],
    )
    # Expressions move jaw and eye joints a little, which the fit leaves out.
    assert (groups["face"] - truth).norm(dim=-1).quantile(0.9) < 0.004
    wrist = BODY.posed(BODY.shaped(shape).joints, pose).joints[:, BODY.joint_names.index("wrist.L")]
    torch.testing.assert_close(groups["left_hand"][:, 0], wrist, atol=1e-4, rtol=0)


def test_affine_mix_reproduces_points_and_affine_maps() -> None:
    vertices = torch.randn(40, 3)
    point = torch.tensor([0.3, -0.2, 0.9])
    mix = affine_mix(point, vertices)
    torch.testing.assert_close(mix.sum(), torch.tensor(1.0))
    matrix, shift = torch.randn(3, 3), torch.randn(3)
    torch.testing.assert_close(mix @ (vertices @ matrix.T + shift), matrix @ point + shift, atol=1e-4, rtol=1e-4)


def test_hinges_bend_limbs_the_way_people_do() -> None:
    table = make_limit_table(BODY)
    torch.testing.assert_close(table.frames @ table.frames.mT, torch.eye(3).expand(52, 3, 3), atol=1e-5, rtol=0)

    def place(joint: str, bent: str, angle: float) -> torch.Tensor:
        index = BODY.driven_joints.index(bent)
        pose = BodyPose.rest(52)
        pose.joint_rotations[index] = angle * table.frames[index, 0]
        return BODY.posed(BODY.template_joints, pose).joints[BODY.joint_names.index(joint)]

    for side in ("L", "R"):
        assert place(f"foot.{side}", f"lowerleg01.{side}", 1.0)[1] > place(f"foot.{side}", f"lowerleg01.{side}", 0.0)[1]
        shoulder = BODY.template_joints[BODY.joint_names.index(f"upperarm01.{side}")]
        reach = [float((place(f"wrist.{side}", f"lowerarm01.{side}", a) - shoulder).norm()) for a in (-0.69, 0.0, 1.2)]
        assert reach[0] > reach[1] > reach[2]
        straight = (shoulder - BODY.template_joints[BODY.joint_names.index(f"lowerarm01.{side}")]).norm()
        fore = place(f"wrist.{side}", f"lowerarm01.{side}", 0.0) - place(
            f"lowerarm01.{side}", f"lowerarm01.{side}", 0.0
        )
        assert reach[0] > 0.995 * float(straight + fore.norm())  # -40 degrees from rest is a straight arm
        # Fingers curl towards the wrist.
        wrist = BODY.template_joints[BODY.joint_names.index(f"wrist.{side}")]
        tip = [float((place(f"finger3-3.{side}", f"finger3-1.{side}", a) - wrist).norm()) for a in (0.0, 0.8)]
        assert tip[1] < tip[0]


def test_limits_allow_rest_and_keep_only_the_fitted_axes() -> None:
    table = make_limit_table(BODY)
    assert float(table.excess(torch.zeros(52, 3)).max()) == 0.0
    rotations = torch.randn(4, 52, 3)
    once = table.fitted_part(rotations)
    torch.testing.assert_close(table.fitted_part(once), once, atol=1e-5, rtol=0)
    assert float(once[:, BODY.driven_joints.index("jaw")].abs().max()) == 0.0
    twist = once[:, BODY.driven_joints.index("lowerarm02.L")]
    bone = table.frames[BODY.driven_joints.index("lowerarm02.L"), 1]
    assert float(torch.linalg.cross(twist, bone.expand_as(twist)).abs().max()) < 1e-5


@pytest.fixture(scope="module")
def case() -> tuple:
    """Targets of three frames, and a state off the truth, in double precision."""
    pose = moving_pose(3)
    shape = torch.zeros(len(BODY.shape_names))
    seen = made_observations(shape, pose, level_camera(3, 3.0, 500.0, (256, 384)))
    points = get_point_body("anny")
    targets = make_targets(seen, BODY.driven_joints, points)
    targets = replace(targets, foot_still=torch.tensor([[1.0, 0.5], [0.8, 0.0], [1.0, 0.7]]))
    targets = type(targets)(**{name: value.double() for name, value in vars(targets).items()})
    random = torch.Generator().manual_seed(1)

    def noise(*size: int) -> torch.Tensor:
        return 0.05 * torch.randn(*size, generator=random, dtype=torch.float64)

    state = FitState(
        shape=noise(len(shape)),
        log_focal=noise(1)[0],
        root_start=torch.eye(3, dtype=torch.float64).repeat(3, 1, 1),
        root_delta=pose.root_rotation.double() + noise(3, 3),
        translation=pose.root_translation.double() + torch.tensor([0.0, 3.0, 0.0]) + noise(3, 3),
        rotations=pose.joint_rotations.double() + 3 * noise(3, 52, 3),
    )
    return targets, state, points.to(torch.float64)


@pytest.mark.parametrize("name", sorted(TERMS))
def test_gradients_of_terms(name: str, case: tuple) -> None:
    targets, state, points = case
    limits = make_limit_table(BODY).to(torch.float64)
    displacements = points.face_displacements(targets.expression)

    def term(shape, log_focal, delta, translation, rotations):
        moved = FitState(shape, log_focal, state.root_start, delta, translation, rotations)
        prediction = predict(moved, points, displacements, 500.0, targets.picture)
        return TERMS[name](TermContext(prediction, targets, limits, FitConfig(), 0.12, partner, beside, cutoff=5.0))

    prediction = predict(state, points, displacements, 500.0, targets.picture)
    partner, beside = nearest_surface_points(prediction, targets), outline_partners(prediction, targets)
    inputs = (state.shape, state.log_focal, state.root_delta, state.translation, state.rotations)
    inputs = tuple(x.detach().clone().requires_grad_(True) for x in inputs)
    assert float(term(*inputs)) > 0.0
    # body_world holds its scale fixed while differentiating, on purpose.
    tolerance = 0.2 if name == "body_world" else 1e-4
    gradients = torch.autograd.grad(term(*inputs), inputs, allow_unused=True)
    random = torch.Generator().manual_seed(2)
    directions = [torch.randn(x.shape, generator=random, dtype=x.dtype) for x in inputs]
    slope = sum((g * d).sum() for g, d in zip(gradients, directions) if g is not None)
    step = 1e-6
    with torch.no_grad():
        ahead = term(*(x + step * d for x, d in zip(inputs, directions)))
        behind = term(*(x - step * d for x, d in zip(inputs, directions)))
    measured = (ahead - behind) / (2 * step)
    assert abs(float(slope - measured)) <= tolerance * max(1.0, abs(float(measured)))


def test_every_term_has_a_weight() -> None:
    assert set(vars(TermWeights())) == set(TERMS)


def test_body_in_its_own_mask_costs_nothing() -> None:
    """At the truth the picture's terms vanish, but for the mask's coarse pixels."""
    pose = moving_pose(3)
    seen = made_observations(torch.zeros(len(BODY.shape_names)), pose, level_camera(3, 3.0, 500.0, (256, 384)))
    points = get_point_body("anny")
    targets = make_targets(seen, BODY.driven_joints, points)
    state = FitState(
        torch.zeros(len(BODY.shape_names)),
        torch.zeros(()),
        rotation_vector_to_matrix(pose.root_rotation),
        torch.zeros(3, 3),
        pose.root_translation + torch.tensor([0.0, 3.0, 0.0]),
        pose.joint_rotations,
    )
    prediction = predict(state, points, points.face_displacements(targets.expression), 500.0, targets.picture)
    partner, beside = nearest_surface_points(prediction, targets), outline_partners(prediction, targets)
    context = TermContext(prediction, targets, make_limit_table(BODY), FitConfig(), 0.12, partner, beside, 5.0)
    for name in ("body", "body_world", "face", "hands"):
        assert float(TERMS[name](context)) < 1e-3, name
    assert float(TERMS["outside"](context)) < 0.02
    assert float(TERMS["joint_limits"](context)) == 0.0


@pytest.mark.parametrize("frames", [1, 2, 299, 300, 301, 1000, 4321])
def test_windows_cover_the_clip(frames: int) -> None:
    spans = windows(frames, 300, 30)
    assert spans[0][0] == 0 and spans[-1][1] == frames
    for (_, end), (start, _) in pairwise(spans):
        assert end - start == 30
    assert max(end - start for start, end in spans) <= 300
    with pytest.raises(ValueError, match="cannot share"):
        windows(10, 5, 5)


def _line(frames: int) -> FitState:
    time = torch.arange(frames).float()
    turn = torch.stack([0 * time, 0 * time, 0.2 * time], dim=-1)
    return FitState(
        torch.zeros(4),
        torch.zeros(()),
        rotation_vector_to_matrix(turn),
        torch.zeros(frames, 3),
        time[:, None] * torch.ones(3),
        time[:, None, None] * torch.ones(5, 3),
    )


def test_interpolation_is_exact_for_even_motion() -> None:
    whole, times = _line(40), np.arange(40) / 30.0
    at = coarse_frames(times, 10.0)
    assert list(at[:3]) == [0, 3, 6] and at[-1] == 39
    found = interpolated(whole[torch.from_numpy(at)], at, times.astype(np.float32))
    torch.testing.assert_close(found.translation, whole.translation, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.rotations, whole.rotations, atol=1e-3, rtol=0)
    assert float(geodesic_angle(found.root, whole.root).max()) < 1e-3


def test_joined_windows_of_one_motion_are_that_motion() -> None:
    whole, spans = _line(70), windows(70, 30, 8)
    found = joined([whole[start:end] for start, end in spans], spans)
    torch.testing.assert_close(found.translation, whole.translation)
    assert float(geodesic_angle(found.root, whole.root).max()) < 1e-3
    halfway = blended(whole[:2], whole[2:4], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(halfway.translation, torch.stack([whole.translation[0], whole.translation[3]]))


def test_covered_pixels_agree_with_a_ray_caster() -> None:
    import open3d as o3d

    cameras = level_camera(1, 2.5, 300.0, (160, 240))
    pixels, _ = project(cameras[0], BODY.template_vertices)
    ours = covered_pixels(pixels, BODY.faces, 240, 160).numpy()
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(
        o3d.core.Tensor(BODY.template_vertices.numpy()), o3d.core.Tensor(BODY.faces.numpy().astype(np.uint32))
    )
    v, u = np.meshgrid(np.arange(240) + 0.5, np.arange(160) + 0.5, indexing="ij")
    rays = np.zeros((240, 160, 6), np.float32)
    rays[..., 1], rays[..., 3], rays[..., 4], rays[..., 5] = -2.5, (u - 80) / 300, 1.0, -(v - 120) / 300
    theirs = np.isfinite(scene.cast_rays(o3d.core.Tensor(rays))["t_hit"].numpy())
    assert (ours & theirs).sum() / (ours | theirs).sum() > 0.999


def test_neutral_face_is_taken_off_and_eyes_are_gaze() -> None:
    random = np.random.default_rng(0)
    seen = np.ones(100, bool)
    seen[50:] = False
    blendshapes = np.zeros((100, 52), np.float32)
    smile, jaw, look = (ARKIT_NAMES.index(n) for n in ("mouthSmileLeft", "jawOpen", "eyeLookOutLeft"))
    blendshapes[:, jaw] = 0.1 + 0.5 * random.random(100)
    blendshapes[:, smile] = 0.9
    blendshapes[:, look] = 1.0
    neutral = neutral_blendshapes(blendshapes, seen)
    assert 0.1 < neutral[jaw] < 0.2
    assert neutral[smile] == 0.0  # the right side never smiles: this is no neutral face
    expression = expression_from_blendshapes(blendshapes, seen, neutral)
    assert float(expression[:50, jaw].min()) < 0.02 and float(expression[50:].abs().max()) == 0.0
    assert float(expression[:, look].abs().max()) == 0.0
    gaze = gaze_from_blendshapes(blendshapes, seen)
    assert float(gaze[0, 0, 0]) > 0.4  # the left eye looks out: towards +X
    assert float(gaze[0, 1].abs().max()) == 0.0
    assert neutral_blendshapes(blendshapes[:5], seen[:5]).max() == 0.0


def test_a_head_that_fills_the_picture_was_filmed_with_a_long_lens() -> None:
    shape, pose, config = torch.zeros(len(BODY.shape_names)), BodyPose.rest(52, (1,)), FitConfig()
    far = made_observations(shape, pose, level_camera(1, 3.0, 500.0, (256, 384)))
    focal, sigma = focal_prior(far, config)
    assert focal == pytest.approx(192 / np.tan(np.radians(25))) and sigma == config.focal_sigma
    close = made_observations(shape, pose, level_camera(1, 3.0, 4000.0, (512, 512), height=0.75))
    focal, _ = focal_prior(close, config)
    assert 4000 / 3.0 * 0.8 < focal < 4000 / 3.0 * 1.25  # what brings this head to one metre


def test_the_search_begins_with_the_best_turn() -> None:
    from lca_dataparsers.processing.fitting.start import _best_turn
    from lca_shared.rotations import nearest_rotation

    random = torch.Generator().manual_seed(0)
    rest, seen = torch.randn(7, 3, generator=random), torch.randn(20, 7, 3, generator=random)
    weights = torch.rand(7, 1, generator=random)
    torch.testing.assert_close(_best_turn(rest, seen, weights), nearest_rotation((weights * seen).mT @ rest))
