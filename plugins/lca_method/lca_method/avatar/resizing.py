"""The same avatar with another number of Gaussians, to see what speed hangs on."""

from dataclasses import fields, replace

import torch

from lca_method.avatar.avatar import Avatar
from lca_shared.gaussians import Gaussians


def resized(avatar: Avatar, count: int) -> Avatar:
    """An avatar of about ``count`` Gaussians that covers the same surface: tokens repeated or left out evenly, scales
    changed so that the Gaussians' summed area stays. It is for timing, not for looking at.
    """
    each = avatar.networks.gaussians_per_token
    tokens = max(1, round(count / each))
    have = len(avatar.token_half)
    chosen = torch.linspace(0, have - 1, tokens, device=avatar.device).round().long()
    points = (chosen[:, None] * each + torch.arange(each, device=avatar.device)).flatten()
    shrink = (have / tokens) ** 0.5
    canonical = avatar.canonical
    picked = Gaussians(**{f.name: getattr(canonical, f.name)[points] for f in fields(Gaussians)})
    picked = replace(picked, scales=picked.scales * shrink)
    nodes = avatar.nodes
    nodes = None if nodes is None else nodes.of_gaussians(points)
    relight = None
    if avatar.relight is not None:
        from lca_method.avatar.relight_avatar import relight_of_gaussians

        relight = relight_of_gaussians(avatar.relight, points, avatar.networks.heads.hidden, each)
    body, half = avatar.body.subset(points), avatar.token_half[chosen]
    other = Avatar(avatar.networks, body, picked, half, avatar.shape, nodes, relight)
    other.driving_vector.load_state_dict(avatar.driving_vector.state_dict())
    other.pose_head.load_state_dict(avatar.pose_head.state_dict())
    return other.to(avatar.device)
