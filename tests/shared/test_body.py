"""The compact Anny: laws of a body model, and Anny's own vertices as the truth."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.spatial import cKDTree

from lca_shared.body import BodyModel, BodyPose, CompactBody, ShapedBody, get_body_model
from lca_shared.body.anny_template import load_template
from lca_shared.errors import SchemaError, UserError
from lca_shared.rotations import rotation_vector_to_matrix

REFERENCE = Path(__file__).parent / "anny_reference.safetensors"


@pytest.fixture(scope="module")
def body() -> CompactBody:
    return get_body_model("anny")


def random_pose(body: CompactBody, *batch: int, seed: int = 0) -> BodyPose:
    generator = torch.Generator().manual_seed(seed)
    return BodyPose(
        0.3 * torch.randn(*batch, len(body.driven_joints), 3, generator=generator),
        torch.randn(*batch, 3, generator=generator),
        torch.randn(*batch, 3, generator=generator),
        0.3 * torch.randn(*batch, 2, 2, generator=generator),
    )


def posed_by(body: CompactBody, **rotations: list[float]) -> BodyPose:
    pose = BodyPose.rest(len(body.driven_joints))
    for name, vector in rotations.items():
        pose.joint_rotations[body.driven_joints.index(name.replace("_", "."))] = torch.tensor(vector)
    return pose


def with_shape(body: CompactBody, **values: float) -> torch.Tensor:
    shape = torch.zeros(len(body.shape_names))
    for name, value in values.items():
        shape[body.shape_names.index(name)] = value
    return shape


def with_expression(body: CompactBody, **values: float) -> torch.Tensor:
    expression = torch.zeros(len(body.expression_names))
    for name, value in values.items():
        expression[body.expression_names.index(name)] = value
    return expression


def test_is_a_body_model(body: CompactBody) -> None:
    assert isinstance(body, BodyModel)
    assert len(body.joint_names) == 163 and len(body.expression_names) == 52
    assert all(parent < joint for joint, parent in enumerate(body.joint_parents)) and body.joint_parents[0] == -1
    assert set(body.driven_joints) <= set(body.joint_names) - {"root", "eye.L", "eye.R"}
    assert len(set(body.driven_joints)) == len(body.driven_joints)
    ones = torch.ones(len(body.template_vertices))
    torch.testing.assert_close(body.skinning_weights.sum(dim=1), ones)
    torch.testing.assert_close(body.active_weights.sum(dim=1), ones)


def test_agrees_with_vertices_skinned_by_anny(body: CompactBody) -> None:
    """Three people in random poses, expressions and gaze; 64 vertices each, made by scripts/make_anny_reference.py."""
    stored = load_file(REFERENCE)
    pose = BodyPose(*(stored[name] for name in ("joint_rotations", "root_rotation", "root_translation", "gaze")))
    kept = body.subset(stored["vertex_index"])
    error = (kept.skinned(kept.shaped(stored["shape"], stored["expression"]), pose) - stored["vertices"]).norm(dim=-1)
    assert error.mean() < 0.5e-3 and error.max() < 4e-3


@pytest.mark.slow
def test_agrees_with_the_full_anny(body: CompactBody) -> None:
    pytest.importorskip("anny")
    from anny.shape_distribution import SimpleShapeDistribution

    from lca_shared.body.anny_full import FullAnny

    full, count = FullAnny(), 16
    torch.manual_seed(0)
    ages = torch.distributions.Uniform(torch.tensor(18.0).double(), torch.tensor(80.0).double())
    phenotypes = SimpleShapeDistribution(full.model, morphological_age_distribution=ages).sample(count)[1]
    expression = torch.rand(count, 52) * (torch.rand(count, 52) < 0.3)
    expression[:, [name.startswith("eyeLook") for name in body.expression_names]] = 0.0
    named = {name: expression[:, i] for i, name in enumerate(body.expression_names)}
    pose = random_pose(body, count)
    theirs = full.skinned(body, phenotypes, named, pose).float()
    # From the same rest pose, skinning is Anny's but for rounding.
    rest = full.rest(phenotypes, named)
    same_rest = body.skinned(ShapedBody(rest.vertices.float(), rest.joints.float()), pose)
    assert (same_rest - theirs).norm(dim=-1).max() < 0.05e-3
    # Through the shape basis, what it leaves out is added.
    error = (body.skinned(body.shaped(full.shape_of(body, phenotypes), expression), pose) - theirs).norm(dim=-1)
    assert error.mean() < 0.4e-3 and error.flatten().quantile(0.99) < 1.5e-3 and error.max() < 8e-3


def test_rest_pose_is_the_template(body: CompactBody) -> None:
    shaped = body.shaped(torch.zeros(len(body.shape_names)), torch.zeros(52))
    pose = BodyPose.rest(len(body.driven_joints))
    torch.testing.assert_close(body.skinned(shaped, pose), body.template_vertices, atol=1e-6, rtol=0)
    torch.testing.assert_close(body.posed(shaped.joints, pose).joints, body.template_joints, atol=1e-6, rtol=0)


def test_kinematics_are_those_of_the_contract(body: CompactBody) -> None:
    """The loop of the pose convention, joint by joint, over the whole rig."""
    pose, rest = random_pose(body), body.template_joints
    posed = body.posed(rest, pose)
    rotations: list[torch.Tensor] = []
    positions: list[torch.Tensor] = []
    for joint, (name, parent) in enumerate(zip(body.joint_names, body.joint_parents, strict=True)):
        own = torch.eye(3)
        if name in body.driven_joints:
            own = rotation_vector_to_matrix(pose.joint_rotations[body.driven_joints.index(name)])
        if name in body.eye_joints:
            yaw, pitch = pose.gaze[body.eye_joints.index(name)]
            own = rotation_vector_to_matrix(yaw * torch.tensor([0.0, 0.0, 1.0]))
            own = own @ rotation_vector_to_matrix(pitch * torch.tensor([-1.0, 0.0, 0.0]))
        if parent < 0:
            rotations.append(rotation_vector_to_matrix(pose.root_rotation))
            positions.append(rest[0] + pose.root_translation)
        else:
            rotations.append(rotations[parent] @ own)
            positions.append(positions[parent] + rotations[parent] @ (rest[joint] - rest[parent]))
    torch.testing.assert_close(posed.posed_from_rest[:, :3, :3], torch.stack(rotations), atol=1e-5, rtol=0)
    torch.testing.assert_close(posed.joints, torch.stack(positions), atol=1e-5, rtol=0)
    carried = (posed.posed_from_rest[:, :3, :3] @ rest[..., None])[..., 0] + posed.posed_from_rest[:, :3, 3]
    torch.testing.assert_close(carried, posed.joints, atol=1e-5, rtol=0)


def test_moving_the_root_moves_the_body_rigidly(body: CompactBody) -> None:
    kept = body.subset(torch.arange(0, 13718, 97))
    shaped, pose = kept.shaped(torch.zeros(len(body.shape_names))), random_pose(body)
    turn, shift = torch.tensor([0.3, -1.0, 0.5]), torch.tensor([1.0, 2.0, -3.0])
    still = BodyPose(pose.joint_rotations, torch.zeros(3), torch.zeros(3), pose.gaze)
    moved = BodyPose(pose.joint_rotations, turn, shift, pose.gaze)
    root = shaped.joints[0]
    expected = (kept.skinned(shaped, still) - root) @ rotation_vector_to_matrix(turn).mT + root + shift
    torch.testing.assert_close(kept.skinned(shaped, moved), expected, atol=1e-5, rtol=0)


def test_leading_axes_broadcast(body: CompactBody) -> None:
    kept = body.subset(torch.arange(0, 13718, 211))
    shape = torch.randn(2, 1, len(body.shape_names), generator=torch.Generator().manual_seed(0))
    expression = torch.rand(3, 52, generator=torch.Generator().manual_seed(1))
    pose = random_pose(body, 2, 3)
    shaped = kept.shaped(shape, expression)
    together = kept.skinned(shaped, pose)
    assert shaped.vertices.shape[:2] == (2, 3) and together.shape[:2] == (2, 3)
    assert kept.posed(shaped.joints, pose).posed_from_rest.shape == (2, 3, 163, 4, 4)
    alone = kept.skinned(kept.shaped(shape[1, 0], expression[2]), pose[1, 2])
    torch.testing.assert_close(together[1, 2], alone, atol=1e-5, rtol=0)
    one_shape = kept.shaped(shape[0, 0])
    assert one_shape.vertices.dim() == 2
    torch.testing.assert_close(
        kept.skinned(one_shape, pose)[1, 0], kept.skinned(one_shape, pose[1, 0]), atol=1e-5, rtol=0
    )


def test_a_subset_is_rows_of_the_whole(body: CompactBody) -> None:
    index = torch.randperm(13718, generator=torch.Generator().manual_seed(4))[:500]
    kept = body.subset(index)
    shape, expression, pose = torch.ones(len(body.shape_names)), torch.full((52,), 0.3), random_pose(body)
    whole = body.skinned(body.shaped(shape, expression), pose)
    torch.testing.assert_close(kept.skinned(kept.shaped(shape, expression), pose), whole[index], atol=1e-5, rtol=0)
    assert all(mask.shape == (500,) for mask in kept.regions.values())
    face = body.subset(torch.nonzero(body.regions["face"])[:, 0])
    assert face.faces.max() < len(face.template_vertices) and len(face.faces) == len(face.face_texture_coordinates)
    inside = body.regions["face"][body.faces].all(dim=1)
    torch.testing.assert_close(face.template_vertices[face.faces], body.template_vertices[body.faces[inside]])


def test_derivatives(body: CompactBody) -> None:
    lips = torch.nonzero(body.regions["face"])[:, 0][::700]
    kept = body.subset(torch.cat([lips, torch.tensor([0, 9000])])).to(dtype=torch.float64)
    pose = random_pose(body).to(dtype=torch.float64)
    shape = torch.randn(len(body.shape_names), dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def skinned(shape, expression, joints, root, translation, gaze):
        return kept.skinned(kept.shaped(shape, expression), BodyPose(joints, root, translation, gaze))

    still = pose.joint_rotations.clone()
    still[::2] = 0.0  # half of the joints at rest: derivatives must be right at zero
    inputs = [shape, torch.full((52,), 0.2).double(), still, pose.root_rotation, pose.root_translation, pose.gaze]
    assert torch.autograd.gradcheck(skinned, [x.clone().requires_grad_() for x in inputs])


@pytest.mark.parametrize(("eye", "region"), [(0, "left_eye"), (1, "right_eye")])
def test_gaze_signs(eye: int, region: str, body: CompactBody) -> None:
    shaped = body.shaped(torch.zeros(len(body.shape_names)))
    front = torch.where(body.regions[region], body.template_vertices[:, 1], torch.inf).argmin()
    pose = BodyPose.rest(len(body.driven_joints))
    pose.gaze[eye] = torch.tensor([0.4, 0.0])
    sideways = body.skinned(shaped, pose) - body.template_vertices
    pose.gaze[eye] = torch.tensor([0.0, 0.4])
    upwards = body.skinned(shaped, pose) - body.template_vertices
    assert sideways[front, 0] > 3e-3 and upwards[front, 2] > 3e-3
    moved = sideways.norm(dim=-1) > 2e-3
    assert moved.any() and not (moved & ~body.regions[region]).any()


def test_eye_look_expressions_leave_the_eyeballs_to_gaze(body: CompactBody) -> None:
    rest = body.shaped(torch.zeros(len(body.shape_names)))
    down = body.shaped(torch.zeros(len(body.shape_names)), with_expression(body, eyeLookDownLeft=1.0))
    moved = (down.vertices - rest.vertices).norm(dim=-1)
    assert moved[body.regions["eyes"]].max() == 0.0 and moved[body.regions["face"]].max() > 2e-3


def test_jaw_opens_by_joint_and_by_expression(body: CompactBody) -> None:
    shaped = body.shaped(torch.zeros(len(body.shape_names)))
    in_front = body.regions["face"] & (body.template_vertices[:, 0].abs() < 0.01)
    jaw = body.active.of_joint[body.joint_names.index("jaw")]
    chin = torch.nonzero(in_front & (body.active_weights[:, jaw] > 0.8))[:, 0]
    assert len(chin) > 3
    by_joint = body.skinned(shaped, posed_by(body, jaw=[0.3, 0.0, 0.0])) - shaped.vertices
    by_expression = body.shaped(shaped.joints.new_zeros(len(body.shape_names)), with_expression(body, jawOpen=1.0))
    assert by_joint[chin, 2].max() < -5e-3
    assert (by_expression.vertices - shaped.vertices)[chin, 2].max() < -5e-3


def test_left_and_right_are_mirror_images(body: CompactBody) -> None:
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    distance, partner = cKDTree(body.template_vertices.numpy()).query((body.template_vertices * mirror).numpy())
    assert distance.max() < 1e-3
    pose = random_pose(body)
    swap = [
        body.driven_joints.index(name[:-1] + {"L": "R", "R": "L"}[name[-1]] if name[-2] == "." else name)
        for name in body.driven_joints
    ]
    # A mirrored rotation vector keeps the component along the mirror's normal and turns the others round.
    turned = torch.tensor([1.0, -1.0, -1.0])
    mirrored = BodyPose(
        pose.joint_rotations[swap] * turned,
        pose.root_rotation * turned,
        pose.root_translation * mirror,
        pose.gaze.flip(-2) * torch.tensor([-1.0, 1.0]),
    )
    shaped = body.shaped(torch.zeros(len(body.shape_names)))
    ours, theirs = body.skinned(shaped, mirrored), body.skinned(shaped, pose)
    # Eyeballs' vertices lie too close together for nearest partners; they are symmetric about their own axis.
    outside = ~(body.regions["eyes"] | body.regions["hidden"])
    error = (ours[outside] - (theirs * mirror)[torch.from_numpy(partner)][outside]).norm(dim=-1)
    assert error.max() < 5e-3 and error.mean() < 0.3e-3


def test_regions_lie_where_they_belong(body: CompactBody) -> None:
    at, regions = body.template_vertices, body.regions
    eyes = at[regions["eyes"]].mean(dim=0)
    assert (at[regions["left_hand"], 0] > 0.3).all() and (at[regions["right_hand"], 0] < -0.3).all()
    assert (at[regions["left_foot"], 0] > 0).all() and (at[regions["feet"], 2] < -0.6).all()
    assert (at[regions["left_eye"], 0] > 0).all() and (at[regions["right_eye"], 0] < 0).all()
    assert (regions["face"] <= regions["head"]).all() and 0.4 < regions["face"].sum() / regions["head"].sum() < 0.8
    assert (at[regions["face"], 1] < eyes[1] + 0.09).all()
    assert not (regions["face"] & regions["hidden"]).any() and not (regions["hands"] & regions["head"]).any()
    assert (regions["hands"] == (regions["left_hand"] | regions["right_hand"])).all()
    covered = sum(regions[name].int() for name in ("head", "body", "hands", "feet", "eyes", "eye_sockets"))
    assert (covered + regions["mouth_interior"].int() > 0).all()


@pytest.mark.parametrize(("name", "axis"), [("head_width", 0), ("head_depth", 1), ("head_height", 2)])
def test_a_unit_of_a_head_axis_is_five_percent(name: str, axis: int, body: CompactBody) -> None:
    head = body.skinning_weights[:, [i for i, n in enumerate(body.joint_names) if n == "head"]][:, 0] > 0.999
    plain = body.template_vertices[head, axis]
    wide = body.shaped(with_shape(body, **{name: 2.0})).vertices[head, axis]
    assert (wide.max() - wide.min()) / (plain.max() - plain.min()) == pytest.approx(1.1, abs=0.002)
    feet = body.regions["feet"] | body.regions["hands"]
    moved = body.shaped(with_shape(body, **{name: 2.0})).vertices - body.template_vertices
    assert moved[feet].abs().max() == 0.0


def test_standard_normal_shapes_are_people(body: CompactBody) -> None:
    shape = torch.randn(200, len(body.shape_names), generator=torch.Generator().manual_seed(0))
    vertices = body.subset(torch.arange(0, 13718, 3)).shaped(shape).vertices
    heights = vertices[..., 2].amax(dim=1) - vertices[..., 2].amin(dim=1)
    assert 1.62 < heights.mean() < 1.76 and 0.08 < heights.std() < 0.13


def test_moves_between_precisions(body: CompactBody) -> None:
    double = body.to(dtype=torch.float64)
    assert double.template_vertices.dtype == double.active_weights.dtype == torch.float64
    assert double.faces.dtype == torch.int64 and double.regions["face"].dtype == torch.bool
    pose = random_pose(body)
    shaped = double.shaped(torch.zeros(len(body.shape_names)).double())
    torch.testing.assert_close(
        double.skinned(shaped, pose.to(dtype=torch.float64)).float(),
        body.skinned(body.shaped(torch.zeros(len(body.shape_names))), pose),
        atol=1e-5,
        rtol=0,
    )


def test_unknown_models_and_broken_templates_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no body model 'nobody'.* has: anny"):
        get_body_model("nobody")
    with pytest.raises(UserError, match="does not exist"):
        load_template(tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    header = {"kind_of_file": "anny template", "schema_version": 99}
    save_file({"x": torch.zeros(1)}, other, metadata={"header": json.dumps(header)})
    with pytest.raises(SchemaError, match="schema version 99"):
        load_template(other)
