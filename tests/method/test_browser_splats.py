"""``--client-side``: an avatar in rigid pieces, which the browser is told to move."""

from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from lca_method.avatar.avatar import Avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.networks import LCA
from lca_method.viewing.browser_splats import FAR, BrowserSplats
from lca_method.viewing.pieces import PieceMotion, pieces_of
from lca_shared.rotations import normalized, quaternion_product, quaternion_to_matrix


@pytest.fixture(scope="module")
def avatar(config, body, random_references) -> Avatar:
    torch.manual_seed(0)
    model = LCA(config, body).eval()
    with torch.no_grad():
        return avatar_of(model, model.encode(random_references((), 2), torch.zeros(len(body.shape_names))))


def test_pieces_are_near_and_alike(avatar) -> None:
    pieces = pieces_of(avatar, 20)
    assert torch.equal(pieces, pieces_of(avatar, 20))
    assert sorted(set(pieces.tolist())) == list(range(int(pieces.max()) + 1)) and 10 <= int(pieces.max()) + 1 <= 20
    means = avatar.canonical.means

    def spread(of: torch.Tensor) -> torch.Tensor:
        return torch.stack([means[of == piece].std(dim=0, unbiased=False).norm() for piece in range(int(of.max()) + 1)])

    assert spread(pieces).mean() < 0.5 * spread(pieces[torch.randperm(len(pieces))]).mean()


def test_what_moves_as_one_is_exact(avatar) -> None:
    start = avatar.canonical
    motion = PieceMotion(start, pieces_of(avatar, 20))
    turn = normalized(torch.tensor([0.3, 0.5, -0.6, 0.2]))
    shift = torch.tensor([1.0, -2.0, 0.5])
    sign = torch.where(torch.arange(start.count) % 2 == 0, 1.0, -1.0)[:, None]  # q and -q are one rotation
    now = replace(
        start,
        means=start.means @ quaternion_to_matrix(turn).mT + shift,
        quaternions=sign * quaternion_product(turn, start.quaternions),
    )
    rotation, place = motion.to(now)
    assert motion.distance(rotation, place, now).max() < 1e-5
    assert (quaternion_to_matrix(rotation) - quaternion_to_matrix(turn)).abs().max() < 1e-5
    assert (place - shift).abs().max() < 1e-5


class _Scene:
    """What viser's scene does with splats: names and poses."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}

    def _add_gaussian_splats(self, name: str, **arrays: np.ndarray) -> Any:
        self.nodes[name] = SimpleNamespace(arrays=arrays, wxyz=(1.0, 0, 0, 0), position=(0.0, 0, 0))
        self.nodes[name].remove = lambda: self.nodes.pop(name)
        return self.nodes[name]

    def points(self) -> torch.Tensor:
        """Where the page draws the splats."""
        placed = []
        for node in self.nodes.values():
            turn = quaternion_to_matrix(torch.tensor(node.wxyz, dtype=torch.float32))
            placed.append(torch.from_numpy(node.arrays["centers"]) @ turn.mT + torch.tensor(node.position))
        return torch.cat(placed)


def test_splats_are_sent_once_and_then_moved(avatar, random_driving) -> None:
    scene = _Scene()
    shown = BrowserSplats(cast(Any, SimpleNamespace(scene=scene, atomic=nullcontext)), avatar)
    rest = avatar.drive(avatar.rest_pose)
    shown.show(rest, True)
    first = dict(scene.nodes)
    assert scene.points().sort(dim=0).values.allclose(rest.means.sort(dim=0).values)
    signal = random_driving((1,))
    moved = avatar.drive(signal.pose[0], signal.expression[0])
    shown.show(moved, False)
    assert scene.nodes.keys() == first.keys()  # nothing is sent anew while it moves
    assert shown._motion is not None
    order = torch.cat([(shown._motion.pieces == piece).nonzero()[:, 0] for piece in range(shown._motion.count)])
    off = (scene.points() - moved.means[order]).norm(dim=1)
    assert off.mean() < 0.2 * (rest.means - moved.means).norm(dim=1).mean()
    shown.show(rest, True)  # comes back
    assert (scene.points() - rest.means[order]).norm(dim=1).max() < 1e-3
    assert scene.nodes.keys() == first.keys()
    torn = replace(rest, means=rest.means + 2 * FAR * torch.randn_like(rest.means))
    shown.show(torn, True)  # no pieces lie like this
    assert scene.nodes.keys().isdisjoint(first) and (scene.points() - torn.means[order]).norm(dim=1).max() < 1e-6
    colored = replace(torn, colors=1 - torn.colors.round())
    shown.show(colored, True)
    assert np.allclose(next(iter(scene.nodes.values())).arrays["rgbs"], colored.colors[order][:1])
