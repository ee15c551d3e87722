"""How close models come to pictures of garments, for ``benchmarks.garment``."""

from statistics import fmean

import torch
from torch.nn import functional as F

from benchmarks.garment_table import Measured
from lca_method.batch import SubjectBatch
from lca_method.evaluating.garment_split import garment_split
from lca_method.evaluating.test_set import TestSet
from lca_method.evaluation import person_mask
from lca_method.networks.subject import SubjectCode
from lca_method.trained_network import TrainedNetwork
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import project
from lca_shared.metrics import masked_l1, masked_lpips, masked_psnr
from lca_shared.perceptual import LPIPS
from lca_shared.rendering import Rendering
from lca_shared.tensors import Tensor

AROUND = 12
"""Pixels: about as many centimetres."""
RIM = 2
"""Pixels."""


def measure(data: str, name: str, model: TrainedNetwork, test_set: TestSet, lpips: LPIPS) -> Measured:
    """A model on a test set."""
    of_people = []
    for draw in test_set.draws:
        code, own = None, []
        for row in draw.targets:
            batch = test_set.batch(draw, row)
            code = model.encode(batch) if code is None else code
            drawn, truth, mask = drawn_person(model, code, batch), batch.targets.images[0, 0], person_mask(batch)
            picture = drawn.colors.clamp(0, 1)
            worn = batch.targets.garments
            garment = None if worn is None else mask * worn[0, 0]
            values = {"person": float(masked_psnr(picture, truth, mask)), "split": garment_split(model, code, batch)}
            looked_at = mask if garment is None else garment
            around, on_white = with_surroundings(looked_at, mask), truth * mask + 1 - mask
            beside = around * (mask < 0.5)
            values |= {
                "psnr": float(masked_psnr(picture, truth, looked_at)),
                "around": float(masked_psnr(picture, on_white, around)),
                "beside": float((drawn.alpha * beside).sum() / looked_at.sum()),
                "l1": float(masked_l1(picture, truth, looked_at)),
                "lpips": float(masked_lpips(lpips, picture, truth, looked_at)),
            }
            wrong = (picture - truth).square().mean(dim=0, keepdim=True) * looked_at
            rim = outline(mask)
            values["rim"] = float((wrong * rim).sum() / wrong.sum())
            values["inside"] = float(masked_psnr(picture, truth, looked_at * (1 - rim)))
            if garment is not None:
                values["hem"] = hem_from_hips(model.body, batch, garment)
            own.append(values)
        of_people.append({key: fmean(value[key] for value in own) for key in own[0]})
    return Measured(data, name, of_people)


@torch.no_grad()
def drawn_person(model: TrainedNetwork, code: SubjectCode, batch: SubjectBatch) -> Rendering:
    """As a batch's first target should show them, on the training's background."""
    _, posed = model.network.drive(code, batch.targets.driving)
    return model.render(posed[0, 0], batch.targets.cameras[0, 0])


def with_surroundings(garment: Tensor, person: Tensor) -> Tensor:
    """The garment's pixels and the background's up to :data:`AROUND` pixels beside it, [1, h, w]: there, cloth that is
    drawn where there is none counts too."""
    near = F.max_pool2d((garment > 0.5).to(garment), 2 * AROUND + 1, stride=1, padding=AROUND)
    return near * ((garment > 0.5) | (person < 0.5))


def outline(person: Tensor) -> Tensor:
    """The person's pixels less than :data:`RIM` pixels from the background, [1, h, w]."""
    inner = -F.max_pool2d(-person, 2 * RIM + 1, stride=1, padding=RIM)
    return ((person > 0.5) & (inner < 0.5)).to(person)


@torch.no_grad()
def hem_from_hips(body: CompactBody, batch: SubjectBatch, garment: Tensor) -> float:
    """How far down a garment reaches in a picture: 0 = to the hips, 1 = to the knee of the leg that stands.

    Args: the body model; one person and one target; the garment's mask, [1, h, w].
    """
    targets = batch.targets
    joints = body.posed(body.shaped_joints(batch.shape[:, None]), targets.driving.pose).joints
    rows = project(targets.cameras, joints)[0][0, 0, :, 1]
    hips, knees = (
        rows[[body.joint_names.index(f"{name}.{side}") for side in "LR"]] for name in ("upperleg01", "lowerleg01")
    )
    lowest = float(torch.nonzero((garment[0] > 0.5).any(dim=-1)).max()) + 1
    return (lowest - float(hips.mean())) / float(knees.max() - hips.mean())
