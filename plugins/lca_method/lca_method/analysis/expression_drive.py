"""What each driving signal is worth: the same frames driven with it and without it, scored where it shows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import torch

from lca_method.analysis.region_pixels import region_pixels
from lca_method.batch import DrivingSignal, FaceViews, SubjectBatch
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.lca import LCA
from lca_shared.body.compact_body import CompactBody
from lca_shared.cameras import Cameras
from lca_shared.metrics import masked_psnr
from lca_shared.rendering import rasterize
from lca_shared.tensors import Float, Tensor

BACKGROUND = 0.5
LEAST_PIXELS = 6
"""Frames with fewer pixels of a region are left out of its score."""


@dataclass(frozen=True)
class Margin:
    """Mean over frames of a driving signal's PSNR on a region, with it and without it."""

    driven: float
    """dB"""
    zeroed: float
    """dB, with the signal set to zero."""
    margin: float
    """dB"""
    error: float
    """Standard error of the margin, over people; NaN for one."""
    frames: int


@dataclass(frozen=True)
class Ablation:
    """A driving signal that is taken away."""

    region: str
    """Of the body, where it shows."""
    at_face: bool
    """Score the face crop rather than the target picture."""
    zeroed: Callable[[LCA, DrivingSignal, CompactBody], DrivingSignal]


def without_expression(network: LCA, driving: DrivingSignal, body: CompactBody) -> DrivingSignal:
    """The zero code and zero coefficients."""
    width, expression = network.driving_vector.expression.width, torch.zeros_like(driving.expression)
    learned = isinstance(network.driving_vector.expression, LearnedExpression)
    code = expression.new_zeros(*expression.shape[:-1], width) if learned else None
    return replace(driving, expression=expression, code=code)


def without_gaze(network: LCA, driving: DrivingSignal, body: CompactBody) -> DrivingSignal:
    """Eyes straight ahead."""
    return replace(driving, pose=replace(driving.pose, gaze=torch.zeros_like(driving.pose.gaze)))


def without_fingers(network: LCA, driving: DrivingSignal, body: CompactBody) -> DrivingSignal:
    """Fingers at rest."""
    kept = torch.tensor([not name.startswith("finger") for name in body.driven_joints])
    rotations = driving.pose.joint_rotations
    return replace(driving, pose=replace(driving.pose, joint_rotations=rotations * kept.to(rotations)[:, None]))


ABLATIONS: Mapping[str, Ablation] = {
    "expression": Ablation("face", True, without_expression),
    "gaze": Ablation("eyes", True, without_gaze),
    "hands": Ablation("hands", False, without_fingers),
}


def driven_comparison(network: LCA, body: CompactBody, batches: Iterable[SubjectBatch]) -> dict[str, Margin]:
    """PSNR with and without each driving signal, on the pixels of the part that it drives.

    Args:
        network: in evaluation mode.
        body: on the network's device.
        batches: one leading axis (people), any number of targets, with ``TargetViews.faces`` where the model has a
            learned code; face regions are scored on the face crops and need them.
    """
    scores: dict[str, dict[str, list[tuple[float, float]]]] = {name: defaultdict(list) for name in ABLATIONS}
    with torch.no_grad():
        for batch in batches:
            targets = batch.targets
            person = network.encode(batch.references, batch.shape)
            driving = network.coded(targets.driving, targets.faces)
            for name, ablation in ABLATIONS.items():
                if ablation.at_face and targets.faces is None:
                    continue
                pictures = targets if targets.faces is None or not ablation.at_face else targets.faces
                pixels = region_pixels(body, batch.shape, targets.driving, pictures.cameras, [ablation.region])
                mask = pixels.to(pictures.masks) * (pictures.masks > 0.5)
                if ablation.at_face and targets.faces is not None:
                    mask = mask * targets.faces.seen[..., None, None, None]
                both = [
                    masked_psnr(_rendered(network, person, signal, pictures.cameras), pictures.images, mask)
                    for signal in (driving, ablation.zeroed(network, driving, body))
                ]
                enough = mask.sum(dim=(-3, -2, -1)) >= LEAST_PIXELS
                for subject, target in enough.nonzero().tolist():
                    pair = tuple(float(values[subject, target]) for values in both)
                    scores[name][batch.ids[subject]].append(pair)  # type: ignore[arg-type]
    return {name: _margin(people) for name, people in scores.items() if people}


def reenacted(
    network: LCA, batch: SubjectBatch, drivers: FaceViews, expressions: Float[Tensor, "*b targets 52"]
) -> Float[Tensor, "*b targets 3 fh fw"]:
    """The batch's people at their own poses and face cameras, driven with the expressions of other faces.

    Args:
        network: in evaluation mode.
        batch: with face crops.
        drivers: as many faces as the batch has targets.
        expressions: the drivers' coefficients, for models without a learned code.

    Raises:
        ValueError: the batch has no face crops.
    """
    if batch.targets.faces is None:
        raise ValueError("re-enactment is shown at face crops: read the targets with faces")
    with torch.no_grad():
        person = network.encode(batch.references, batch.shape)
        driving = network.coded(replace(batch.targets.driving, expression=expressions), drivers)
        return _rendered(network, person, driving, batch.targets.faces.cameras)


def _rendered(network: LCA, person, driving: DrivingSignal, cameras: Cameras) -> Tensor:
    background = driving.expression.new_full((3,), BACKGROUND)
    return rasterize(network.drive(person, driving)[1], cameras, background=background).colors.clamp(0, 1)


def _margin(people: Mapping[str, list[tuple[float, float]]]) -> Margin:
    pairs = [pair for rows in people.values() for pair in rows]
    differences = [fmean(driven - zeroed for driven, zeroed in rows) for rows in people.values()]
    error = stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    driven, zeroed = fmean(pair[0] for pair in pairs), fmean(pair[1] for pair in pairs)
    return Margin(driven, zeroed, driven - zeroed, error, len(pairs))
