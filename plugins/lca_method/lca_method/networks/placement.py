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

from lca_shared.body.anchors import SIDE_LENGTH, SurfacePoints, face_normals, sample_surface
from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class PlacementConfig:
    """How many tokens and Gaussians, and where."""

    tokens: int = 8192
    """Geometric tokens G."""
    gaussians_per_token: int = 8
    """Gaussians of a token K."""
    face_share: float = 0.5
    """Share of the tokens on the face region (Section B.1)."""
    eye_share: float = 0.0
    """Of the face's tokens, the share on the fronts of the eyes; 0 = as dense as the rest of the face (our choice: an
    iris of 12 mm needs finer Gaussians than a cheek before it can be seen to move)."""
    mouth_share: float = 0.0
    """Of the face's tokens, the share on the inside of the mouth; 0 = as dense as the body (our choice: with few tokens
    its Gaussians are then so large that they show through lips and chin)."""
    hand_share: float = 0.0
    """Of the tokens that are not the face's, the share on the hands; 0 = as dense as the body (our choice: with few
    tokens its Gaussians are wider than a finger)."""
    spread: Literal["own_points", "token_point"] = "own_points"
    """Where the Gaussians of a token start: at K points of the surface near it, or all at its point."""
    seed: int = 0

    @property
    def face_tokens(self) -> int:
        """Tokens on the face; they come first."""
        return round(self.tokens * self.face_share)


@dataclass(frozen=True)
class Placement:
    """Points on the template's surface; the face region's come first."""

    tokens: SurfacePoints
    """One per geometric token."""
    gaussians: SurfacePoints
    """One per Gaussian, the K of one token in a row."""
    spacing: Float[Tensor, "gaussians"]
    """Metres: side of a square whose area is a Gaussian's share of the template's surface."""


def place(body: CompactBody, config: PlacementConfig) -> Placement:
    """Sample the template; the same ``config.seed`` gives the same points.

    The face's share covers the face and the fronts of the eyes. The inside of the mouth counts as body unless it has a
    share of its own: it is as large as the face and mostly out of sight. The eyes' backs and sockets, which no camera
    sees, get nothing.
    """
    regions = body.regions
    eyes = (regions["eyes"] & ~regions["hidden"])[body.faces].all(dim=1)
    in_face = (regions["face"] | (regions["eyes"] & ~regions["hidden"]))[body.faces].all(dim=1)
    in_mouth = regions["mouth_interior"][body.faces].all(dim=1)
    unseen = (regions["hidden"] & ~regions["mouth_interior"])[body.faces].any(dim=1)
    on_hands = regions["hands"][body.faces].all(dim=1)
    others = config.tokens - config.face_tokens
    of_hands = round(others * config.hand_share)
    of_eyes, of_mouth = (round(config.face_tokens * share) for share in (config.eye_share, config.mouth_share))
    counts = [
        (in_face & ~eyes if of_eyes else in_face, config.face_tokens - of_eyes - of_mouth),
        (eyes, of_eyes),
        (in_mouth, of_mouth),
        (on_hands, of_hands),
        (~in_face & ~unseen & ~(in_mouth & (of_mouth > 0)) & ~(on_hands & (of_hands > 0)), others - of_hands),
    ]
    parts = [
        _place_part(body, mask, tokens, config, seed=config.seed + index)
        for index, (mask, tokens) in enumerate(part for part in counts if part[1])
    ]
    return Placement(
        tokens=_together([part.tokens for part in parts]),
        gaussians=_together([part.gaussians for part in parts]),
        spacing=torch.cat([part.spacing for part in parts]),
    )


BARE = ("face", "eyes", "mouth_interior", "hands")
"""Regions where the body model is the person, without hair or clothes above it."""


def offset_shares(body: CompactBody, points: SurfacePoints, bare: float) -> Float[Tensor, "points 1"]:
    """``bare`` for points on faces of the template that lie in one of the regions :data:`BARE`, 1 for the others."""
    on = [body.regions[name][body.faces[points.faces]].all(dim=-1) for name in BARE]
    return torch.where(torch.stack(on).any(dim=0), bare, 1.0)[:, None]


def _place_part(body: CompactBody, mask: Tensor, tokens: int, config: PlacementConfig, seed: int) -> Placement:
    own = config.spread == "own_points"
    each = config.gaussians_per_token
    count = tokens * each if own else tokens
    points = sample_surface(body.template_vertices, body.faces, count, face_mask=mask, seed=seed)
    area = face_normals(body.template_vertices, body.faces[mask])[1].sum()
    spacing = (area / (tokens * each)).sqrt().expand(tokens * each)
    if not own:
        return Placement(points, _chosen(points, torch.arange(tokens).repeat_interleave(each)), spacing)
    positions = points.read(body.template_vertices, body.faces)
    sided = torch.cat([positions, SIDE_LENGTH * points.normals(body.template_vertices, body.faces)], dim=-1)
    groups = torch.from_numpy(compact_groups(sided.double().numpy(), tokens))
    middle = positions[groups].mean(dim=1, keepdim=True)
    nearest = (positions[groups] - middle).square().sum(dim=-1).argmin(dim=1)
    return Placement(_chosen(points, groups[torch.arange(tokens), nearest]), _chosen(points, groups.flatten()), spacing)


def _chosen(points: SurfacePoints, index: Tensor) -> SurfacePoints:
    return SurfacePoints(points.faces[index], points.barycentric[index])


def _together(parts: list[SurfacePoints]) -> SurfacePoints:
    return SurfacePoints(torch.cat([part.faces for part in parts]), torch.cat([part.barycentric for part in parts]))


def compact_groups(points: np.ndarray, groups: int) -> np.ndarray:
    """Put points in ``groups`` compact sets of equal size: halved along their longest extent, again and again.

    Args:
        points: [n, dimensions].
        groups: how many sets.

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
