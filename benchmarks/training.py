"""Training throughput: people a second, waiting for data, peak memory, and model FLOPs utilisation.

FLOPs are those that the networks need in a step, counted by torch in a forward pass: matrix products and attention of
what is trained three times (forward, and backward to inputs and to weights), of a frozen image encoder once. Losses,
rasterization and what checkpointing computes again are not among them.

    python -m benchmarks.training                                             # the tiny variant, on two CPU cores
    python -m benchmarks.training --method lca-pretrain --device cuda --peak-teraflops 989     # an H100 or H200

Pictures are random and come from memory at the paper's size; with ``--data`` they are a dataset's, and the time that
training waits for them is measured.
"""

import resource
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any, Literal, cast

import torch
import tyro
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import describe
from lca_method.batch import DrivingSignal, FaceViews, ReferenceFit, ReferenceViews, SubjectBatch, TargetViews, moved_to
from lca_method.networks import LCA
from lca_method.training_step import training_losses, training_renders
from lca_shared.body import BodyPose, get_body_model
from lca_shared.cameras import Cameras, look_at, pinhole_intrinsics
from lca_shared.gaussians import Gaussians
from lca_shared.perceptual import LPIPS, load_lpips
from lca_shared.rendering import Rendering, rasterize


@dataclass(frozen=True)
class Options:
    """What to measure."""

    method: str = "lca-pretrain-tiny"
    """A method of ns-train; its sizes, losses and number format."""
    device: Literal["cpu", "cuda"] = "cpu"
    data: Path | None = None
    """A dataset folder; None = random pictures from memory."""
    steps: int = 8
    """Steps that are timed, after two that are not."""
    subjects: int = 1
    references: int = 4
    targets: int = 3
    precision: Literal["method", "float32", "bfloat16"] = "method"
    checkpointing: bool = False
    """Recompute the transformer's layers in the backward pass."""
    image_encoder: Literal["method", "patch"] = "method"
    """patch: a patch encoder of the same width and patch size stands in for a frozen one whose weights are missing; its
    work is then left out of the figures."""
    lpips: bool = False
    """With the LPIPS loss (needs its weights)."""
    peak_teraflops: float | None = None
    """The device's peak in the number format used; with it, utilisation is printed."""


def random_batch(options: Options, manager: Any) -> SubjectBatch:
    """People of the method's picture sizes."""
    body = get_body_model()
    people, views, targets = options.subjects, options.references, options.targets

    def picture(count: int, channels: int, side: int) -> torch.Tensor:
        return torch.rand(people, count, channels, side, side)

    def cameras(count: int, side: int) -> Cameras:
        pose = look_at(torch.tensor([0.0, -3.0, 0.0]), torch.zeros(3)).expand(people, count, 4, 4)
        return Cameras(pose, pinhole_intrinsics(1.5 * side, side, side).expand(people, count, 3, 3), side, side)

    image, face, side = manager.image_size, manager.face_size, manager.target_size
    rest = [BodyPose.rest(len(body.driven_joints), (people, count)) for count in (views, targets)]
    fit = ReferenceFit(rest[0], cameras(views, image), cameras(views, face))
    references = ReferenceViews(
        picture(views, 3, image), torch.ones(people, views, 1, image, image),
        picture(views, 3, face), torch.ones(people, views, 1, face, face), fit,
    )  # fmt: skip
    heads = None
    if manager.target_faces:
        masks = torch.ones(people, targets, 1, face, face)
        heads = FaceViews(picture(targets, 3, face), masks, cameras(targets, face), torch.ones(people, targets))
    driving = DrivingSignal(rest[1], torch.zeros(people, targets, len(body.expression_names)))
    seen = TargetViews(
        picture(targets, 3, side), torch.ones(people, targets, 1, side, side), cameras(targets, side), driving,
        torch.ones(people, targets), None, heads,
    )  # fmt: skip
    return SubjectBatch(references, seen, torch.zeros(people, len(body.shape_names)))


def main(options: Options) -> None:
    """Measure and print a table."""
    from nerfstudio.configs.method_configs import all_methods

    method = cast(Any, deepcopy(all_methods[options.method]))
    manager, config = method.pipeline.datamanager, method.pipeline.model
    sizes = replace(
        config.network, transformer=replace(config.network.transformer, checkpointing=options.checkpointing)
    )
    if options.image_encoder == "patch":
        sizes = replace(sizes, encoder=replace(sizes.encoder, name="patch", patch_size=16))
    network = LCA(sizes, get_body_model()).to(options.device).train()
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-5)
    half = options.precision == "bfloat16" or (options.precision == "method" and method.mixed_precision)

    @cache
    def lpips() -> LPIPS:
        return load_lpips(losses.lpips_backbone, config.model_dir).to(options.device)

    draw = _drawer(options, manager)
    background = torch.ones(3, device=options.device)

    losses = replace(config.losses, lpips=config.losses.lpips if options.lpips else 0.0)

    def render(gaussians: Gaussians, cameras: Cameras, color: torch.Tensor) -> Rendering:
        with torch.autocast(options.device, enabled=False):
            return rasterize(gaussians, cameras, background=color)

    def step_on(batch: SubjectBatch, step: int) -> None:
        optimizer.zero_grad()
        with torch.autocast(options.device, dtype=torch.bfloat16, enabled=half):
            code = network.encode(batch.references, batch.shape, step=step)
            outputs = training_renders(network, code, batch.targets, losses, step, render, background)
            terms = training_losses(outputs, batch, losses, step, lpips)
        torch.stack(list(terms.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()

    first = moved_to(draw(0), options.device)
    flops = model_flops(network, first)
    step_on(first, 0)
    step_on(first, 1)
    waits, times = [], []
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for step in range(2, options.steps + 2):
        start = time.perf_counter()
        batch = moved_to(draw(step), options.device)
        waited = time.perf_counter()
        step_on(batch, step)
        if options.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
        waits.append(waited - start)
    _print(options, network, half, flops, times, waits)


def model_flops(network: LCA, batch: SubjectBatch) -> int:
    """FLOPs that a training step on a batch needs in the networks (see above)."""
    targets, frozen = batch.targets, 0
    with torch.no_grad():
        if network.image_encoder.frozen:
            with FlopCounterMode(display=False) as counter:
                features = network.features(batch.references)
            frozen = counter.get_total_flops()
        else:
            features = None
        with FlopCounterMode(display=False) as counter:
            code = network.encode(batch.references, batch.shape, features=features, step=0)
            network.drive(code, network.coded(targets.driving, targets.faces))
    return 3 * counter.get_total_flops() + frozen


def utilisation(flops: int, seconds: float, peak_teraflops: float) -> float:
    """Model FLOPs utilisation: FLOPs a second that the step's matrix products need, over the device's peak."""
    return flops / seconds / (peak_teraflops * 1e12)


def _drawer(options: Options, manager: Any) -> Callable[[int], SubjectBatch]:
    """What gives the batch of a step."""
    if options.data is None:
        fixed = random_batch(options, manager)
        return lambda step: fixed
    manager.data, manager.subjects_per_step = options.data, options.subjects
    manager.references, manager.targets_per_step = (options.references, options.references), options.targets
    made = manager.setup(device="cpu", test_mode="val", world_size=1, local_rank=0)
    return lambda step: made.next_train(step)[1]["subject_batch"]


def _print(options: Options, network: LCA, half: bool, flops: int, times: list[float], waits: list[float]) -> None:
    seconds = median(times)
    if options.device == "cuda":
        memory = torch.cuda.max_memory_allocated() / 2**30
    else:
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "linux" else 2**30)
    weights = sum(parameter.numel() for parameter in network.parameters())
    rows = {
        "machine": f"{describe()}, {torch.get_num_threads()} threads",
        "method": f"{options.method}, {'bfloat16' if half else 'float32'}, {weights / 1e6:.1f} M weights",
        "step": f"{options.subjects} people x ({options.references} references + {options.targets} targets), "
        f"{'random pictures' if options.data is None else options.data}",
        "seconds a step": f"{seconds:.3f} (median of {len(times)}; {min(times):.3f} to {max(times):.3f})",
        "people a second": f"{options.subjects / seconds:.2f}",
        "target pictures a second": f"{options.subjects * options.targets / seconds:.2f}",
        "waiting for data": f"{100 * sum(waits) / sum(times):.1f} %",
        "peak memory": f"{memory:.2f} GiB",
        "model FLOPs a step": f"{flops / 1e12:.3f} T",
        "achieved": f"{flops / seconds / 1e12:.3f} TFLOP/s",
    }
    if options.peak_teraflops:
        rows["model FLOPs utilisation"] = f"{100 * utilisation(flops, seconds, options.peak_teraflops):.1f} %"
    print("| | |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value} |")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
