"""Laws of rotations, over several batch shapes, and derivatives at zero."""

import math
import subprocess
import sys

import pytest
import roma
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


@pytest.mark.parametrize("length", [0.0, 1e-20, 1e-7, 1e-3, 1.0, 3.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_matrices_and_their_derivatives_are_romas(length: float, dtype: torch.dtype) -> None:
    vector = length * torch.nn.functional.normalize(random_vectors((7,)), dim=-1)
    weights = random_vectors((7, 3))
    results = []
    for convert, kind in ((r.rotation_vector_to_matrix, dtype), (roma.rotvec_to_rotmat, torch.float64)):
        leaf = vector.to(kind).requires_grad_()
        matrix = convert(leaf)
        (gradient,) = torch.autograd.grad((matrix * weights.to(kind)).sum(), leaf)
        results.append((matrix.detach().double(), gradient.double()))
    tolerance = 2e-6 if dtype == torch.float64 else 1e-5  # roma is of first order only below a length of 1e-6
    for ours, theirs in zip(*results):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)


def _xyzw(quaternion: torch.Tensor) -> torch.Tensor:
    return quaternion.roll(-1, dims=-1)


@pytest.mark.parametrize("length", [1e-7, 1e-3, 1.0, 2.5, 3.1])
def test_conversions_and_their_derivatives_are_romas(length: float) -> None:
    vector = length * torch.nn.functional.normalize(random_vectors((40,)), dim=-1)
    matrix = roma.rotvec_to_rotmat(vector)
    six = r.matrix_to_six_numbers(matrix) + 0.1 * random_vectors((40, 2)).flatten(-2)
    other = random_vectors((40,)).flip(0)
    pairs = [
        (vector, lambda v: _xyzw(r.rotation_vector_to_quaternion(v)), roma.rotvec_to_unitquat),
        (matrix, lambda m: _xyzw(r.matrix_to_quaternion(m)), roma.rotmat_to_unitquat),
        (matrix, r.matrix_to_rotation_vector, roma.rotmat_to_rotvec),
        (r.matrix_to_quaternion(matrix), r.quaternion_to_matrix, lambda q: roma.unitquat_to_rotmat(
            _xyzw(torch.nn.functional.normalize(q, dim=-1)))),
        (six, r.six_numbers_to_matrix, lambda s: roma.special_gramschmidt(s.unflatten(-1, (2, 3)).mT)),
        (vector, lambda v: r.compose_rotation_vectors(v, other), lambda v: roma.rotvec_composition([v, other])),
    ]  # fmt: skip
    for given, ours, theirs in pairs:
        found = []
        for convert in (ours, theirs):
            leaf = given.clone().requires_grad_()
            value = convert(leaf)
            weights = torch.linspace(-1, 1, value.numel(), dtype=value.dtype).reshape(value.shape)
            found.append((value.detach(), torch.autograd.grad((value * weights).sum(), leaf)[0]))
        for mine, romas in zip(*found):
            torch.testing.assert_close(mine, romas, rtol=1e-5, atol=2e-6)


def test_what_drives_does_not_import_the_compiler() -> None:
    """It takes longer than torch itself, in every command and every process that renders."""
    script = """
import sys, torch, lca_shared.body
from lca_shared import rotations as r
v = r.quaternion_to_rotation_vector(r.matrix_to_quaternion(r.six_numbers_to_matrix(torch.randn(4, 6))))
r.compose_rotation_vectors(v, r.matrix_to_rotation_vector(r.quaternion_to_matrix(r.rotation_vector_to_quaternion(v))))
assert not {'roma', 'torch._dynamo'} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True)


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
