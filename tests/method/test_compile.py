"""A compiled transformer trains to the same numbers and keeps its names."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from lca_method.batch import SubjectBatch, TargetViews
from lca_method.losses import LossConfig
from lca_method.networks import LCA, LCAConfig
from lca_method.training_step import training_losses, training_renders
from lca_shared.body import CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.rendering import rasterize

pytestmark = pytest.mark.slow
SIDE = 24


def test_losses_and_gradients_are_those_of_the_plain_transformer(
    config: LCAConfig, body: CompactBody, random_references: Callable, random_driving: Callable
) -> None:
    """A training step with two, then with three reference views: shapes change from step to step."""
    torch.manual_seed(0)
    model = LCA(replace(config, transformer=replace(config.transformer, layers=1)), body)
    names = list(model.state_dict())
    for parameter in model.encoder.parameters():  # modulations begin with zero weights: no gradient behind them
        torch.nn.init.normal_(parameter, std=0.1)
    for layer in (model.pose_head.deltas, model.canonical_head.shapes):  # type: ignore[union-attr]
        torch.nn.init.normal_(layer.weight, std=0.05)
    losses_of, frames = LossConfig(lpips=0.0, position=1.0), 2
    pose = look_at(torch.tensor([0.0, -3.0, 0.0]), torch.zeros(3)).expand(1, frames, 4, 4)
    cameras = Cameras(pose, pinhole_intrinsics(1.2 * SIDE, SIDE, SIDE).expand(1, frames, 3, 3), SIDE, SIDE)
    pictures, masks = torch.rand(1, frames, 3, SIDE, SIDE), torch.ones(1, frames, 1, SIDE, SIDE)
    targets = TargetViews(pictures, masks, cameras, random_driving((1, frames)), torch.ones(1, frames))
    shape = torch.zeros(1, len(model.point_body.shape_names))

    def steps() -> list[tuple[dict[str, float], dict[str, torch.Tensor]]]:
        found = []
        for views in (2, 3):
            model.zero_grad()
            seen = random_references((1,), views)
            code = model.encode(seen, shape, step=500)
            outputs = training_renders(
                model, code, targets, losses_of, 500,
                lambda gaussians, seen_by, color: rasterize(gaussians, seen_by, background=color), torch.ones(3),
            )  # fmt: skip
            losses = training_losses(outputs, SubjectBatch(seen, targets, shape), losses_of, 500, pytest.fail)  # type: ignore[arg-type]
            torch.stack(list(losses.values())).sum().backward()
            gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
            found.append(({name: float(value) for name, value in losses.items()}, gradients))
        return found

    plain = steps()
    model.encoder.compile(dynamic=True)
    compiled = steps()
    assert list(model.state_dict()) == names
    moved = 0
    for (losses, gradients), (wanted_losses, wanted) in zip(compiled, plain, strict=True):
        assert losses == pytest.approx(wanted_losses, rel=1e-5, abs=1e-7)
        assert gradients.keys() == wanted.keys()
        for name, gradient in gradients.items():
            size = float(wanted[name].norm())
            assert float((gradient - wanted[name]).norm()) <= 1e-3 * size + 1e-7, name
            moved += name.startswith("encoder.") and size > 0
    assert moved > 20
