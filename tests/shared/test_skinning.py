"""Linear blend skinning: rigid motion, one joint, broadcasting, orientations, derivatives."""

import torch

from lca_shared import skinning
from lca_shared.rotations import quaternion_to_matrix, rotation_vector_to_matrix


def random_rigid(*batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.eye(4, dtype=torch.float64).repeat(*batch, 1, 1)
    vectors = torch.randn(*batch, 3, generator=generator, dtype=torch.float64)
    matrix[..., :3, :3] = rotation_vector_to_matrix(vectors)
    matrix[..., :3, 3] = torch.randn(*batch, 3, generator=generator, dtype=torch.float64)
    return matrix


def random_weights(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(*shape, generator=generator, dtype=torch.float64).softmax(dim=-1)


POINTS = torch.randn(7, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
QUATERNIONS = torch.randn(7, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_is_the_weighted_mean_of_moved_points() -> None:
    joints, weights = random_rigid(4), random_weights(7, 4)
    moved = torch.einsum("jab,nb->nja", joints[:, :3, :3], POINTS) + joints[:, :3, 3]
    torch.testing.assert_close(skinning.skin_points(POINTS, weights, joints), (weights[..., None] * moved).sum(dim=1))


def test_joints_that_move_together_move_rigidly() -> None:
    motion = random_rigid()
    means, quaternions = skinning.skin_gaussian_frames(
        POINTS, QUATERNIONS, random_weights(7, 4), motion.expand(4, 4, 4)
    )
    torch.testing.assert_close(means, POINTS @ motion[:3, :3].mT + motion[:3, 3])
    torch.testing.assert_close(quaternion_to_matrix(quaternions), motion[:3, :3] @ quaternion_to_matrix(QUATERNIONS))


def test_half_way_between_two_rotations_about_one_axis_is_half_the_angle() -> None:
    joints = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    joints[1, :3, :3] = rotation_vector_to_matrix(torch.tensor([0.0, 0.0, 2.0], dtype=torch.float64))
    blended = skinning.blend_transforms(torch.full((1, 2), 0.5, dtype=torch.float64), joints)
    half = rotation_vector_to_matrix(torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(skinning.blended_rotations(blended)[0], half)


def test_orientations_stay_of_unit_length_where_transforms_blend() -> None:
    blended = skinning.blend_transforms(random_weights(7, 4), random_rigid(4))
    unit = torch.nn.functional.normalize(QUATERNIONS, dim=-1)
    lengths = skinning.skin_quaternions(unit, blended).norm(dim=-1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))


def test_shared_and_own_weights_give_the_same_over_batches() -> None:
    joints, weights = random_rigid(2, 3, 4), random_weights(7, 4)
    shared = skinning.skin_gaussian_frames(POINTS, QUATERNIONS, weights, joints)
    own = skinning.skin_gaussian_frames(
        POINTS.expand(2, 3, -1, -1), QUATERNIONS.expand(2, 3, -1, -1), weights.expand(2, 3, -1, -1), joints
    )
    one = skinning.skin_gaussian_frames(POINTS, QUATERNIONS, weights, joints[1, 2])
    for a, b, c in zip(shared, own, one, strict=True):
        assert a.shape[:3] == (2, 3, 7)
        torch.testing.assert_close(a, b)
        torch.testing.assert_close(a[1, 2], c)


def test_derivatives() -> None:
    inputs = [POINTS, QUATERNIONS, random_weights(7, 2), 0.5 * random_rigid(2) + 0.5 * torch.eye(4)]
    assert torch.autograd.gradcheck(
        skinning.skin_gaussian_frames, [x.clone().double().requires_grad_() for x in inputs]
    )


def test_the_last_row_may_be_left_out() -> None:
    joints, weights = random_rigid(4), random_weights(7, 4)
    torch.testing.assert_close(
        skinning.skin_points(POINTS, weights, joints[:, :3]), skinning.skin_points(POINTS, weights, joints)
    )
