"""Laws of rotations, over several batch shapes, and derivatives at zero."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from lca_shared import rotations as r

BATCHES = [(), (5,), (2, 3)]


def random_vectors(batch: tuple[int, ...], largest: float = 3.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(batch))
    axis = torch.nn.functional.normalize(torch.randn(*batch, 3, generator=generator, dtype=torch.float64), dim=-1)
    return axis * largest * torch.rand(*batch, 1, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("batch", BATCHES)
def test_round_trips(batch: tuple[int, ...]) -> None:
    vector = random_vectors(batch)
    matrix = r.rotation_vector_to_matrix(vector)
    torch.testing.assert_close(r.matrix_to_rotation_vector(matrix), vector)
    torch.testing.assert_close(r.quaternion_to_rotation_vector(r.rotation_vector_to_quaternion(vector)), vector)
    torch.testing.assert_close(r.quaternion_to_matrix(3.0 * r.matrix_to_quaternion(matrix)), matrix)
    torch.testing.assert_close(r.six_numbers_to_matrix(r.matrix_to_six_numbers(matrix)), matrix)
    torch.testing.assert_close(r.nearest_rotation(2.0 * matrix), matrix)


def test_matrices_and_quaternions_are_scipys() -> None:
    vector = random_vectors((20,))
    theirs = Rotation.from_rotvec(vector.numpy())
    torch.testing.assert_close(r.rotation_vector_to_matrix(vector), torch.from_numpy(theirs.as_matrix()))
    ours = r.rotation_vector_to_quaternion(vector)
    xyzw = torch.from_numpy(theirs.as_quat())
    wxyz = xyzw[:, [3, 0, 1, 2]]
    torch.testing.assert_close(ours * ours[:, :1].sign(), wxyz * wxyz[:, :1].sign())


@pytest.mark.parametrize("batch", BATCHES)
def test_composition(batch: tuple[int, ...]) -> None:
    first, second = random_vectors(batch), random_vectors(batch).flip(-1)
    matrix = r.rotation_vector_to_matrix(first) @ r.rotation_vector_to_matrix(second)
    product = r.quaternion_product(r.rotation_vector_to_quaternion(first), r.rotation_vector_to_quaternion(second))
    torch.testing.assert_close(r.quaternion_to_matrix(product), matrix)
    torch.testing.assert_close(r.rotation_vector_to_matrix(r.compose_rotation_vectors(first, second)), matrix)


def test_quaternion_product_broadcasts_and_inverts() -> None:
    quaternion = r.rotation_vector_to_quaternion(random_vectors((4, 5)))
    identity = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    torch.testing.assert_close(r.quaternion_product(identity, quaternion), quaternion)
    undone = r.quaternion_product(r.quaternion_inverse(quaternion), quaternion)
    torch.testing.assert_close(undone, identity.expand(4, 5, 4))


def test_geodesic_angle_is_the_length_of_the_difference() -> None:
    base = r.rotation_vector_to_matrix(random_vectors((6,)))
    turn = random_vectors((6,))
    angle = r.geodesic_angle(base, base @ r.rotation_vector_to_matrix(turn))
    torch.testing.assert_close(angle, turn.norm(dim=-1))


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-3, 1.0, 3.0])
def test_derivatives(length: float) -> None:
    direction = torch.tensor([[0.6, 0.0, -0.8], [0.0, 1.0, 0.0]], dtype=torch.float64)
    vector = (length * direction).requires_grad_()
    assert torch.autograd.gradcheck(r.rotation_vector_to_matrix, vector)
    assert torch.autograd.gradcheck(r.rotation_vector_to_quaternion, vector)
    if length < math.pi - 0.1:
        assert torch.autograd.gradcheck(
            lambda v: r.matrix_to_rotation_vector(r.rotation_vector_to_matrix(v)), vector, atol=1e-4
        )


def test_derivatives_of_projections() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.eye(3, dtype=torch.float64) + 0.3 * torch.randn(4, 3, 3, generator=generator, dtype=torch.float64)
    matrix.requires_grad_()
    assert torch.autograd.gradcheck(r.nearest_rotation, matrix)
    assert torch.autograd.gradcheck(lambda m: r.six_numbers_to_matrix(r.matrix_to_six_numbers(m)), matrix)
    assert torch.autograd.gradcheck(lambda m: r.matrix_to_quaternion(r.nearest_rotation(m)), matrix)
