"""The whole network: shapes, start values, gradients, what a checkpoint holds."""

from dataclasses import fields, replace

import pytest
import torch

from lca_method.batch import DrivingSignal
from lca_method.networks import LCA, LCAConfig
from lca_method.networks.deformer import skinned
from lca_method.networks.encoder import Encoder
from lca_method.networks.gaussian_heads import CanonicalHead, GaussianHeadsConfig, PoseDependentHead
from lca_shared.body import BodyPose
from lca_shared.rotations import quaternion_to_matrix, rotation_vector_to_matrix


@pytest.mark.parametrize("views", [1, 2, 8])
@pytest.mark.parametrize("batch", [(), (2,), (2, 1)])
def test_shapes(model, body, views, batch, random_references, random_driving):
    code = model.encode(random_references(batch, views), torch.zeros(*batch, len(body.shape_names)))
    canonical, posed = model.drive(code, random_driving((*batch, 3)))
    for gaussians in (canonical, posed):
        assert gaussians.batch_shape == (*batch, 3) and gaussians.count == 48 * 4
        for field in fields(gaussians):
            assert getattr(gaussians, field.name).isfinite().all()


def test_order_of_reference_views_does_not_matter(model, body, random_references):
    references, shape = random_references((), 4), torch.randn(len(body.shape_names))
    order = torch.tensor([3, 1, 0, 2])
    pictures = ["images", "masks", "face_images", "face_masks"]
    shuffled = replace(references, **{name: getattr(references, name)[order] for name in pictures})
    first, second = model.encode(references, shape), model.encode(shuffled, shape)
    for field in fields(first.canonical):
        one, other = getattr(first.canonical, field.name), getattr(second.canonical, field.name)
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_start_values_are_lhms(body, config):
    heads = GaussianHeadsConfig()
    head = CanonicalHead(32, 4, heads)
    gaussians = head(
        torch.randn(2, 10, 32),
        torch.full((40, 3), heads.initial_scale),
        torch.tensor([1.0, 0, 0, 0]).expand(40, 4),
        heads.scale_limit(None),
    )
    torch.testing.assert_close(gaussians.means, torch.zeros(2, 40, 3))
    torch.testing.assert_close(gaussians.opacities, torch.full((2, 40), 0.1))
    torch.testing.assert_close(gaussians.quaternions, torch.tensor([1.0, 0, 0, 0]).expand(2, 40, 4))
    torch.testing.assert_close(gaussians.scales, torch.full((2, 40, 3), 0.006737947))
    assert gaussians.colors.std() > 0.01


def test_gaussians_start_on_the_shaped_body_and_follow_its_skin(model, body, random_references, random_driving):
    """With offsets and deltas at zero the centres are points of the mesh, also after posing."""
    model.config = replace(model.config, template_expression=False)
    shape = torch.randn(2, len(body.shape_names))
    code = model.encode(random_references((2,), 1), shape)
    driving = random_driving((2, 3))
    canonical, posed = model.drive(code, driving)
    vertices = body.skinned(body.shaped(shape[:, None]), driving.pose)
    corners = vertices[..., body.faces[model.gaussian_faces], :]
    on_mesh = (corners * model.gaussian_barycentric[..., None]).sum(-2)
    # blending weights at a point is not blending posed corners: they differ by millimetres where joints bend
    assert (canonical.means - on_mesh).norm(dim=-1).mean() < 2e-3
    for field in fields(canonical):
        torch.testing.assert_close(getattr(canonical, field.name), getattr(posed, field.name))


def test_the_deltas_start_at_zero_and_opacity_is_never_driven(body):
    head = PoseDependentHead(32, 20, 4, GaussianHeadsConfig())
    tokens, driving = torch.randn(2, 1, 10, 32), torch.randn(2, 3, 20)
    deltas = head(head.first_layer_of_tokens(tokens), driving)
    assert deltas.opacities is None
    for name in ("colors", "offsets", "quaternions", "log_scales"):
        assert not getattr(deltas, name).any()


def test_the_cached_token_half_is_the_same_as_the_whole_layer():
    head = PoseDependentHead(32, 20, 4, GaussianHeadsConfig())
    tokens, driving = torch.randn(2, 10, 32), torch.randn(2, 20)
    whole = torch.nn.Linear(52, 128)
    whole.weight.data = torch.cat([head.of_tokens.weight, head.of_driving.weight], dim=1)
    whole.bias.data = head.of_tokens.bias.data
    together = whole(torch.cat([tokens, driving[:, None].expand(-1, 10, -1)], dim=-1))
    split = head.first_layer_of_tokens(tokens) + head.of_driving(driving)[:, None]
    torch.testing.assert_close(together, split, atol=1e-5, rtol=1e-4)


def test_frames_leave_the_token_half_alone(model, random_references, random_driving, body):
    """Driving equals a head that reads [token; driving] whole, and never touches the tokens' weights."""
    head, used = model.pose_head, []
    torch.nn.init.normal_(head.deltas.weight, std=0.2)
    head.of_tokens.register_forward_hook(lambda *_: used.append(1))
    with torch.no_grad():
        code = model.encode(random_references((1,), 2), torch.zeros(1, len(body.shape_names)))
        driving = random_driving((1, 3))
        canonical, posed = model.drive(code, driving)
        model.drive(code, random_driving((1, 2), seed=1))
        assert used == [1]
        vector = model.driving_vector(driving)
        whole = torch.cat([head.of_tokens.weight, head.of_driving.weight], dim=1)
        tokens, frames = code.tokens[:, None].expand(-1, 3, -1, -1), vector[..., None, :].expand(-1, -1, 48, -1)
        first = torch.nn.functional.linear(torch.cat([tokens, frames], dim=-1), whole, head.of_tokens.bias)
        hidden = head.layers(torch.nn.functional.leaky_relu(first))
        colors = head.deltas(hidden).unflatten(-1, (4, -1)).flatten(-3, -2)[..., :3].tanh()
    wanted = (code.canonical.colors[:, None] + colors).clamp(0, 1)
    torch.testing.assert_close(posed.colors, wanted, atol=1e-5, rtol=1e-4)
    assert float((posed.colors - canonical.colors).abs().max()) > 0.05


def test_scale_limit_grows_between_its_steps():
    heads = GaussianHeadsConfig()
    assert heads.scale_limit(0) == heads.scale_limit(100) == 0.01
    assert heads.scale_limit(1550) == pytest.approx(0.03)
    assert heads.scale_limit(3000) == heads.scale_limit(None) == 0.05


@pytest.mark.parametrize("background", ["keep", "mask", "drop"])
def test_gradients_reach_every_parameter(config, body, background, random_references, random_driving):
    torch.manual_seed(0)
    model = LCA(replace(config, background_tokens=background), body)
    for parameter in model.parameters():  # zero-initialised layers let nothing through at the very start
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    code = model.encode(random_references((2,), 2), torch.zeros(2, len(body.shape_names)))
    canonical, posed = model.drive(code, random_driving((2, 2)))
    total = sum(
        (getattr(g, f.name) * torch.randn_like(getattr(g, f.name))).sum() for g in (canonical, posed) for f in fields(g)
    )
    total.backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not missing


def test_unseen_joints_are_hidden_from_the_pose_head(model, body, random_driving):
    driving = random_driving((4,))
    confidence = torch.ones(4, len(body.driven_joints))
    confidence[:, 5] = 0.0
    other = driving.pose.joint_rotations.clone()
    other[:, 5] += 1.0
    moved = DrivingSignal(replace(driving.pose, joint_rotations=other), driving.expression, confidence)
    torch.testing.assert_close(
        model.driving_vector(replace(driving, joint_confidence=confidence)), model.driving_vector(moved)
    )
    rest = DrivingSignal(BodyPose.rest(len(body.driven_joints), (4,)), torch.zeros(4, 52))
    assert not model.driving_vector(rest).any()


def test_skinning_by_one_rigid_transform_moves_gaussians_rigidly(model, body, random_references):
    code = model.encode(random_references((), 1), torch.zeros(len(body.shape_names)))
    vector = torch.tensor([0.3, -0.8, 0.5])
    transform = torch.cat([rotation_vector_to_matrix(vector), torch.tensor([[1.0], [2.0], [3.0]])], dim=1)
    weights = torch.softmax(torch.randn(code.canonical.count, 5), dim=-1)
    moved = skinned(code.canonical, weights, transform.expand(5, 3, 4))
    torch.testing.assert_close(moved.means, code.canonical.means @ transform[:, :3].T + transform[:, 3])
    torch.testing.assert_close(
        quaternion_to_matrix(moved.quaternions),
        transform[:, :3] @ quaternion_to_matrix(code.canonical.quaternions),
        atol=1e-5,
        rtol=1e-5,
    )


def test_a_checkpoint_brings_its_sampled_points(config, body, model, random_references, random_driving):
    other = LCA(replace(config, placement=replace(config.placement, seed=7)), body)
    assert not torch.equal(other.gaussian_faces, model.gaussian_faces)
    other.load_state_dict(model.state_dict())
    references, shape = random_references((), 2), torch.randn(len(body.shape_names))
    first = model.drive(model.encode(references, shape), random_driving((2,)))[1]
    second = other.drive(other.encode(references, shape), random_driving((2,)))[1]
    torch.testing.assert_close(first.means, second.means)
    torch.testing.assert_close(first.colors, second.colors)


def test_features_given_are_features_computed(model, body, random_references):
    references, shape = random_references((2,), 2), torch.zeros(2, len(body.shape_names))
    given = model.encode(references, shape, features=model.features(references))
    torch.testing.assert_close(given.tokens, model.encode(references, shape).tokens)


def test_the_papers_sizes():
    """Built without memory; 65,536 Gaussians. The paper's parameter count was lost in conversion."""
    config = LCAConfig()
    assert config.placement.tokens * config.placement.gaussians_per_token == 65_536
    assert config.placement.face_tokens == 4096
    with torch.device("meta"):
        encoder = Encoder(config.transformer)
        head = CanonicalHead(config.transformer.width, 8, config.heads)
    count = sum(p.numel() for p in encoder.parameters())
    print(f"encoder {count / 1e6:.0f} M parameters, head {sum(p.numel() for p in head.parameters()) / 1e6:.2f} M")
    assert 700e6 < count < 900e6
    linears = [m for m in head.modules() if isinstance(m, torch.nn.Linear)]
    assert [m.in_features for m in linears] == [1024, 128, 128, 128, 128]  # the fourth layer in two parts


def test_flat_gaussians_start_along_the_surface(config, body):
    model = LCA(replace(config, heads=replace(config.heads, initial_flatness=0.25)), body)
    axis = quaternion_to_matrix(model.initial_quaternions)[..., 2]
    normals = body.template_vertices[body.faces[model.gaussian_faces]]
    normals = torch.linalg.cross(normals[:, 1] - normals[:, 0], normals[:, 2] - normals[:, 0])
    torch.testing.assert_close(axis, torch.nn.functional.normalize(normals, dim=-1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model.initial_scales[:, 2], 0.25 * model.initial_scales[:, 0])


def test_colours_can_start_exactly_at_what_is_looked_up(config, body, random_references):
    model = LCA(config, body)
    assert config.heads.start_from_lookup and not model.canonical_head.colors.weight.any()
    references = random_references((), 2)
    grey = replace(
        references, images=torch.full_like(references.images, 0.3), face_images=0.3 + 0 * references.face_images
    )
    colors = model.encode(grey, torch.zeros(len(body.shape_names))).canonical.colors
    torch.testing.assert_close(colors, torch.full_like(colors, 0.3))
