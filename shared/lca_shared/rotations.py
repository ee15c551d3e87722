"""Rotations: vectors, matrices, quaternions (wxyz) and six numbers; pure, batched, safe to differentiate at zero.

Importing `roma` imports torch's compiler, which takes longer than torch itself: the two functions that need roma import
it late, and what poses a body or drives an avatar does without.
"""

import math
from types import ModuleType

import torch

from lca_shared.tensors import Float, Tensor


def rotation_vector_to_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix of the rotation about ``vector`` by its length (radians): Rodrigues' formula."""
    angle = torch.linalg.vector_norm(vector, dim=-1)[..., None, None]
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    outer = vector[..., :, None] * vector[..., None, :]
    identity = torch.eye(3, dtype=vector.dtype, device=vector.device)
    half = torch.sinc(angle / (2 * math.pi))  # sin(angle / 2) / (angle / 2), smooth through zero
    return angle.cos() * identity + torch.sinc(angle / math.pi) * cross + 0.5 * half * half * outer


def matrix_to_rotation_vector(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of length at most pi: the inverse of :func:`rotation_vector_to_matrix`."""
    return _unit_to_rotation_vector(matrix_to_quaternion(matrix))


def rotation_vector_to_quaternion(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion wxyz."""
    half = 0.5 * torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    return torch.cat([half.cos(), 0.5 * torch.sinc(half / math.pi) * vector], dim=-1)


def quaternion_to_rotation_vector(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of length at most pi from a quaternion wxyz of any length but zero."""
    return _unit_to_rotation_vector(normalized(quaternion))


def _unit_to_rotation_vector(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)  # the shorter way round
    vector = quaternion[..., 1:]
    half = torch.atan2(torch.linalg.vector_norm(vector, dim=-1, keepdim=True), quaternion[..., :1])
    return 2.0 * vector / torch.sinc(half / math.pi)


def matrix_to_quaternion(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion wxyz; its sign is arbitrary.

    Of the four columns of ``4 q q^T``, which are sums of the matrix's entries, the one with the largest diagonal
    (F. L. Markley, "Unit quaternion from rotation matrix", 2008).
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in matrix.unbind(-2))
    outer = torch.stack(
        [
            *(1 + a + e + i, h - f, c - g, d - b),
            *(h - f, 1 + a - e - i, b + d, c + g),
            *(c - g, b + d, 1 - a + e - i, f + h),
            *(d - b, c + g, f + h, 1 - a - e + i),
        ],
        dim=-1,
    ).unflatten(-1, (4, 4))
    largest = outer.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    return normalized(outer.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4))[..., 0, :])


def quaternion_to_matrix(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix of a quaternion wxyz of any length but zero."""
    w, x, y, z = normalized(quaternion).unbind(-1)
    entries = [
        *(w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z),
    ]
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def matrix_to_six_numbers(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """The first two columns: a continuous code for networks (Zhou et al. 2019, "On the continuity of rotation
    representations").
    """
    return matrix[..., :2].mT.flatten(-2)


def six_numbers_to_matrix(six: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Gram-Schmidt of two columns; undefined where they are parallel or zero."""
    first = torch.nn.functional.normalize(six[..., :3], dim=-1)
    second = six[..., 3:]
    second = torch.nn.functional.normalize(second - (first * second).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], dim=-1)


def quaternion_product(
    first: Float[Tensor, "*#batch 4"], second: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*batch 4"]:
    """Quaternion (wxyz) of the rotation ``second``, then ``first``."""
    w1, x1, y1, z1 = first.unbind(-1)
    w2, x2, y2, z2 = second.unbind(-1)
    return torch.stack(
        [
            w1 * w2 - x1 * x2 - y1 * y2 - z1 * z2,
            w1 * x2 + x1 * w2 + y1 * z2 - z1 * y2,
            w1 * y2 - x1 * z2 + y1 * w2 + z1 * x2,
            w1 * z2 + x1 * y2 - y1 * x2 + z1 * w2,
        ],
        dim=-1,
    )


def quaternion_inverse(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Inverse of a unit quaternion wxyz (its conjugate)."""
    return quaternion * quaternion.new_tensor([1.0, -1.0, -1.0, -1.0])


def normalized(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Quaternion of unit length."""
    return torch.nn.functional.normalize(quaternion, dim=-1)


def compose_rotation_vectors(
    first: Float[Tensor, "*batch 3"], second: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3"]:
    """Rotation vector of ``second``, then ``first``: ``exp(first) @ exp(second)``."""
    product = quaternion_product(rotation_vector_to_quaternion(first), rotation_vector_to_quaternion(second))
    return quaternion_to_rotation_vector(product)


def geodesic_angle(
    first: Float[Tensor, "*#batch 3 3"], second: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch"]:
    """Angle in radians, 0 to pi, of the rotation between two rotation matrices."""
    return _roma().rotmat_geodesic_distance(*torch.broadcast_tensors(first, second))


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix nearest to ``matrix`` in the Frobenius norm (orthogonal Procrustes)."""
    rotation = _roma().special_procrustes(matrix)
    assert isinstance(rotation, Tensor)  # without the arguments that make it return more
    return rotation


def _roma() -> ModuleType:
    import roma

    return roma
