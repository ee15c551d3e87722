"""Meshes that hang on the body's skeleton, and cutting them along the zero line of a scalar field."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Layer:
    """One mesh of a person: skin, a garment, hair."""

    name: str
    rest: np.ndarray
    """[vertices, 3] the person's rest pose, metres."""
    weights: np.ndarray
    """[vertices, active] skinning weights of the joints that move."""
    faces: np.ndarray
    """[faces, 3]"""
    paint: np.ndarray
    """[vertices, 4] what materials are evaluated on: template position (metres) and arm weight; hair gives azimuth,
    distance from the crown, length share and strand noise instead."""


def cut_at_zero(faces: np.ndarray, scalar: np.ndarray) -> tuple[np.ndarray, sp.csr_matrix]:
    """Keep the part of a mesh where ``scalar`` > 0, cutting triangles along the zero line.

    Args:
        faces: [faces, 3].
        scalar: [vertices].

    Returns:
        The kept faces, over new vertices, and the matrix [new, vertices] that interpolates any vertex attribute.
    """
    positive = scalar > 0
    count = positive[faces].sum(axis=1)
    pieces = [faces[count == 3]]
    edges: dict[tuple[int, int], int] = {}
    size = len(scalar)

    def on_edge(a: int, b: int) -> int:
        key = (a, b) if a < b else (b, a)
        return edges.setdefault(key, size + len(edges))

    cut: list[tuple[int, int, int]] = []
    for face in faces[(count == 1) | (count == 2)]:
        inside = [bool(positive[v]) for v in face]
        lone = inside.index(True) if sum(inside) == 1 else inside.index(False)
        a, b, c = (int(face[(lone + k) % 3]) for k in range(3))
        ab, ac = on_edge(a, b), on_edge(a, c)
        if inside[lone]:
            cut.append((a, ab, ac))
        else:
            cut += [(ab, b, c), (ab, c, ac)]
    if cut:
        pieces.append(np.array(cut, faces.dtype))
    kept = np.concatenate(pieces)
    first, second = np.array(list(edges), int).reshape(-1, 2).T
    share = scalar[first] / (scalar[first] - scalar[second])
    new = np.arange(len(edges)) + size
    rows = np.concatenate([np.arange(size), new, new])
    columns = np.concatenate([np.arange(size), first, second])
    values = np.concatenate([np.ones(size), 1.0 - share, share])
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(size + len(edges), size))
    used, renumbered = np.unique(kept, return_inverse=True)
    return renumbered.reshape(kept.shape), matrix[used]


def averaging(faces: np.ndarray, vertices: int) -> sp.csr_matrix:
    """The matrix that replaces each vertex by the mean of its neighbours (itself where it has none)."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    adjacency = sp.csr_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(vertices, vertices))
    adjacency.data[:] = 1.0
    degree = np.asarray(adjacency.sum(axis=1)).ravel()
    lonely = sp.diags((degree == 0).astype(float))
    return (sp.diags(1.0 / np.maximum(degree, 1.0)) @ adjacency + lonely).tocsr()


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [vertices, 3], areas as weights; zero where a vertex has no face."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    flat = faces.ravel()
    total = np.stack([np.bincount(flat, np.repeat(normals[:, k], 3), len(vertices)) for k in range(3)], axis=-1)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
