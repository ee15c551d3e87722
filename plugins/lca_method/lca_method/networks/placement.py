"""Where geometric tokens and their Gaussians sit on the template body (Sections 3.1 and B.1).

The paper samples G points on the template, a share of them on the face, and lets each give K Gaussians as offsets from
it. With ``own_points`` (our choice) each of the K Gaussians starts from a surface point of its own near its token's:
G x K points are sampled and grouped into compact sets of K. At the start the Gaussians then cover the body evenly and
each is skinned with the weights of its own point, which matters when tokens are few. With ``token_point`` all K start
at the token's point, as the paper's text says.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from lca_shared.body.anchors import sample_surface
from lca_shared.body.model import BodyModel
from lca_shared.tensors import Float, Int, Tensor


@dataclass(frozen=True)
class PlacementConfig:
    """How many tokens and Gaussians, and where."""

    tokens: int = 8192
    """Geometric tokens G."""
    gaussians_per_token: int = 8
    """Gaussians of a token K."""
    face_share: float = 0.5
    """Share of the tokens on the face region (Section B.1)."""
    spread: Literal["own_points", "token_point"] = "own_points"
    """Where the Gaussians of a token start: at K points of the surface near it, or all at its point."""
    seed: int = 0

    @property
    def face_tokens(self) -> int:
        """Tokens on the face; they come first."""
        return round(self.tokens * self.face_share)


@dataclass(frozen=True)
class Placement:
    """Points on the template's surface, as barycentric coordinates: they follow any shape and expression."""

    token_faces: Int[Tensor, "tokens"]
    """Triangle of each token's point; the face region's tokens come first."""
    token_barycentric: Float[Tensor, "tokens 3"]
    gaussian_faces: Int[Tensor, "gaussians"]
    """Triangle of each Gaussian's point; the K of one token in a row."""
    gaussian_barycentric: Float[Tensor, "gaussians 3"]
    spacing: Float[Tensor, "gaussians"]
    """Metres: side of a square whose area is a Gaussian's share of the template's surface."""


def place(body: BodyModel, config: PlacementConfig) -> Placement:
    """Sample the template; the same ``config.seed`` gives the same points.

    The face's share covers the face and the fronts of the eyes. The inside of the mouth counts as body: it is as large
    as the face and mostly out of sight.
    """
    regions = body.regions
    in_face = (regions["face"] | (regions["eyes"] & ~regions["hidden"]))[body.faces].all(dim=1)
    counts = [(in_face, config.face_tokens), (~in_face, config.tokens - config.face_tokens)]
    parts = [
        _place_part(body, mask, tokens, config, seed=config.seed + index)
        for index, (mask, tokens) in enumerate(counts)
        if tokens
    ]
    return Placement(*(torch.cat(field) for field in zip(*parts)))


def _place_part(
    body: BodyModel, mask: Tensor, tokens: int, config: PlacementConfig, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    own = config.spread == "own_points"
    each = config.gaussians_per_token
    samples = sample_surface(
        body.template_vertices, body.faces, tokens * each if own else tokens, face_mask=mask, seed=seed
    )
    corners = body.template_vertices[body.faces[mask]]
    area = 0.5 * torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]).norm(dim=-1).sum()
    spacing = (area / (tokens * each)).sqrt().expand(tokens * each)
    faces, barycentric = samples.faces, samples.barycentric
    if not own:
        return faces, barycentric, faces.repeat_interleave(each), barycentric.repeat_interleave(each, dim=0), spacing
    points = surface_points(body.template_vertices, body.faces, faces, barycentric)
    groups = torch.from_numpy(compact_groups(points.double().numpy(), tokens))
    middle = points[groups].mean(dim=1, keepdim=True)
    nearest = (points[groups] - middle).square().sum(-1).argmin(dim=1)
    chosen = groups[torch.arange(tokens), nearest]
    return faces[chosen], barycentric[chosen], faces[groups.flatten()], barycentric[groups.flatten()], spacing


def surface_points(
    vertices: Float[Tensor, "*b vertices channels"],
    faces: Int[Tensor, "faces 3"],
    face_index: Int[Tensor, "points"],
    barycentric: Float[Tensor, "points 3"],
) -> Float[Tensor, "*b points channels"]:
    """Any channels given at vertices (positions, skinning weights), read at points of the surface."""
    corners = faces[face_index]
    return sum(vertices[..., corners[:, i], :] * barycentric[:, i, None] for i in range(3))  # type: ignore[return-value]


def compact_groups(points: np.ndarray, groups: int) -> np.ndarray:
    """Points [n, 3] in ``groups`` sets of equal size, each compact: halved along the longest axis again and again.

    Returns:
        Indices [groups, n / groups].

    Raises:
        ValueError: ``n`` is not a multiple of ``groups``.
    """
    if len(points) % groups:
        raise ValueError(f"{len(points)} points cannot be put into {groups} sets of equal size")
    size = len(points) // groups
    pending, done = [np.arange(len(points))], []
    while pending:
        index = pending.pop()
        count = len(index) // size
        if count == 1:
            done.append(index)
            continue
        extent = np.ptp(points[index], axis=0)
        order = index[np.argsort(points[index, extent.argmax()], kind="stable")]
        half = (count // 2) * size
        pending += [order[half:], order[:half]]
    return np.stack(done)
