"""The whole chain learns: a few steps on one small batch, then the colours of somebody it never saw."""

import pytest
import torch

from lca_method.batch import DrivingSignal, ReferenceViews, SubjectBatch, TargetViews, stacked
from lca_method.losses import LossConfig, total
from lca_method.networks import LCA
from lca_shared.body import BodyPose, CompactBody
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.metrics import masked_psnr
from lca_shared.rendering import rasterize
from lca_shared.skinning import skin_points

SIDE = 48
BACKGROUND = torch.ones(3)


def person(body: CompactBody, seed: int, frames: int = 5) -> SubjectBatch:
    """Somebody with one colour above the hip and one below, rendered from their vertices; the last two are targets."""
    generator = torch.Generator().manual_seed(seed)
    rotations = torch.zeros(frames, len(body.driven_joints), 3)
    arms = [i for i, name in enumerate(body.driven_joints) if name.startswith("upperarm")]
    rotations[:, arms] = 0.4 * torch.randn(frames, len(arms), 3, generator=generator)
    turn = torch.zeros(frames, 3)
    turn[:, 2] = torch.randn(frames, generator=generator)
    pose = BodyPose(rotations, turn, torch.zeros(frames, 3), torch.zeros(frames, 2, 2))
    shaped = body.shaped(torch.zeros(len(body.shape_names)))
    vertices = skin_points(shaped.vertices, body.skinning_weights, body.posed(shaped.joints, pose).posed_from_rest)[
        :, ::4
    ]
    colors = torch.rand(2, 3, generator=generator)[(shaped.vertices[::4, 2] > shaped.joints[0, 2]).long()]
    count = len(colors)
    truth = Gaussians(
        vertices,
        torch.tensor([1.0, 0, 0, 0]).expand(frames, count, 4),
        torch.full((frames, count, 3), 0.012),
        torch.full((frames, count), 0.95),
        colors.expand(frames, count, 3),
    )
    middle = (vertices.amin(dim=1) + vertices.amax(dim=1)) / 2
    poses = look_at(middle + torch.tensor([0.0, -4.0, 0.0]), middle)
    cameras = Cameras(poses, pinhole_intrinsics(2.0 * SIDE, SIDE, SIDE).expand(frames, 3, 3), SIDE, SIDE)
    render = rasterize(truth, cameras, background=BACKGROUND)
    images, masks = render.colors.clamp(0, 1), (render.alpha > 0.5).float()
    references = ReferenceViews(images[:3], masks[:3], torch.zeros(3, 3, 16, 16), torch.zeros(3, 1, 16, 16))
    driving = DrivingSignal(pose[3:], torch.zeros(frames - 3, len(body.expression_names)))
    targets = TargetViews(images[3:], masks[3:], cameras[3:], driving, torch.ones(frames - 3))
    return SubjectBatch(references, targets, torch.zeros(len(body.shape_names)))


@pytest.fixture
def trained(model: LCA, body: CompactBody) -> tuple[LCA, list[float]]:
    batch = stacked([person(body, seed) for seed in range(3)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    history = []
    for step in range(30):
        code = model.encode(batch.references, batch.shape, step=step)
        canonical, posed = model.drive(code, batch.targets.driving)
        cameras = batch.targets.cameras
        renders = [rasterize(gaussians, cameras, background=BACKGROUND) for gaussians in (canonical, posed)]
        terms = total(LossConfig(lpips=0.0), None, renders[0], renders[1], batch.targets, BACKGROUND, code, step)
        loss = sum(terms.values(), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        history.append(float(loss.detach()))
    return model, history


def test_the_loss_falls_and_a_new_persons_colours_come_over(trained, body):
    model, history = trained
    assert history[-1] < 0.75 * history[0], history[:: len(history) - 1]
    new = person(body, seed=99)
    with torch.no_grad():
        code = model.encode(new.references, new.shape)
        posed = model.drive(code, new.targets.driving)[1]
        flat = posed.with_colors(code.canonical.colors.mean(dim=0).expand_as(posed.colors))
        scores = [
            float(masked_psnr(rasterize(g, new.targets.cameras).colors, new.targets.images, new.targets.masks).mean())
            for g in (posed, flat)
        ]
    assert scores[0] > scores[1] + 3, scores
