"""Two copies of a model that learn from the same frames, for ``benchmarks.garment``: one with nodes, one without."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from lca_method.batch import SubjectBatch, TargetViews, stacked
from lca_method.evaluating.test_set import TestSet
from lca_method.losses import LossConfig
from lca_method.networks import LCA
from lca_method.networks.node_head import DeformerConfig
from lca_method.sampling import SubjectFrames, draw_views, step_generator
from lca_method.trained_network import TrainedNetwork
from lca_method.training_step import training_losses, training_renders
from lca_shared.rendering import rasterize
from lca_shared.storage import atomic_path
from lca_shared.tensors import Tensor

STATE = "state.pt"
HEADS = ("canonical_head.", "pose_head.", "projected_outline.", "node_head.")
LOSSES = LossConfig(l1=0.0, person=1.0, lpips=0.0, position=0.1, scale=0.1, arap=0.1, sparsity=0.01)
PULLED = 0.6
"""Share of the steps over which gates are pulled open (``LossConfig.loose``)."""
NODE_RATE = 6.0
"""Learning rate of the nodes' head over that of the others."""
_FOLLOWS, _LEAST_MASK, _MOST_MASK = 0.03, 0.02, 5.0
"""How fast the outline's weight follows, a step, and its bounds."""
_JUDGES, _JUDGED, _JUDGES_FOLLOWED = 17, 2, 0.06
"""Seed of who of those kept out is looked at, in how many pictures, and how fast the weight follows on them."""
_OWN = ("node_head.layers.", "node_head.last.")


@dataclass(frozen=True)
class Training:
    """How both copies learn."""

    steps: int = 1500
    references: int = 8
    """As many as the paper evaluates with."""
    targets: int = 3
    """Pictures a step."""
    nodes: int = 512
    cloth_surface: bool = True
    """``DeformerConfig.cloth_surface``, of the model with nodes."""
    apart: bool = True
    """The model with nodes has the heads of the one without, as these learn, and learns nodes and their own heads alone
    (``DeformerConfig.alone``, ``.own_heads``): on people whose gates are shut both are the same."""
    ask_outline: bool = True
    """``DeformerConfig.ask_outline``, of the model with nodes."""
    lr: float = 5e-4
    mask: float = 0.5
    """Weight of the outline: with little, cloth that is missing costs more than cloth where there is none, and shapes
    swell (``LossConfig.mask``)."""
    match: Literal["nobody", "trained", "kept_out"] = "kept_out"
    """Let that weight of the model with nodes follow, so that beside garments of these people it draws as much as the
    model without: PSNR on the garment's own pixels alone would reward whichever is wider."""
    person_loss: Literal["l1", "squared"] = "l1"
    """``LossConfig.person_loss``, of both."""
    loose: float = 1.0
    """Weight of the pull that opens gates, at the first step (``LossConfig.loose``)."""
    tokens: int = 1280
    """Geometric tokens of both, placed anew on the template."""
    face_share: float = 0.2
    """Share of the tokens on the face: `demo` has 0.45 there, and on legs too few for patterns of cloth."""
    seed: int = 0


@dataclass
class Arm:
    """A copy of the model that learns."""

    name: str
    network: LCA
    optimizer: torch.optim.Optimizer
    mask: float
    """Weight of the outline (``Training.mask``) as it now is."""


@dataclass(frozen=True)
class Person:
    """Somebody to learn from, read already."""

    tokens: Tensor
    colors: Tensor | None
    """Of ``LCA.encoded``."""
    batch: SubjectBatch
    """The targets are all frames that are not references."""
    loose: bool
    """Whether somebody is in a loose garment."""


def placed_anew(network: LCA, tokens: int, face_share: float) -> LCA:
    """The same weights with other points on the template: tokens are codes of places, and heads are the same for all.

    Args: a trained network; its tokens; their share on the face.
    """
    config = network.config
    placed = LCA(
        replace(config, placement=replace(config.placement, tokens=tokens, face_share=face_share)), network.body
    )
    points = {name: value for name, value in placed.state_dict().items() if name in _POINTS}
    placed.load_state_dict(network.state_dict() | points)
    return placed.eval()


_POINTS = ("token_faces", "token_barycentric", "gaussian_faces", "gaussian_barycentric", "initial_scales")


def new_arm(name: str, trained: TrainedNetwork, options: Training) -> Arm:
    """A copy of a model, whose heads learn. Args: ``with`` or ``without`` nodes; the model; how it learns."""
    nodes = options.nodes if name == "with" else 0
    deformer = DeformerConfig()
    if nodes:
        deformer = DeformerConfig(
            nodes=nodes,
            hidden=64,
            cloth_surface=options.cloth_surface,
            ask_outline=options.ask_outline,
            own_heads=options.apart,
            alone=options.apart,
        )
    torch.manual_seed(options.seed)
    network = LCA(replace(trained.network.config, deformer=deformer), trained.body)
    missing, unexpected = network.load_state_dict(trained.network.state_dict(), strict=False)
    assert not unexpected and all(key.startswith("node_head.") for key in missing)
    learning = ("node_head.",) if deformer.alone else HEADS
    heads = [value for key, value in network.requires_grad_(False).named_parameters() if key.startswith(learning)]
    own = [value for key, value in network.named_parameters() if key.startswith(_OWN)]
    known = {id(value) for value in own}
    for value in heads:
        value.requires_grad_()
    groups = [{"params": [value for value in heads if id(value) not in known], "lr": options.lr}]
    if own:  # it begins with nothing
        groups.append({"params": own, "lr": NODE_RATE * options.lr})
    optimizer = torch.optim.AdamW(groups, weight_decay=0.01)
    for group in optimizer.param_groups:
        group["highest"] = group["lr"]
    return Arm(name, network.train(), optimizer, options.mask)


def save(arms: Mapping[str, Arm], step: int, output: Path) -> None:
    """Write both networks and their optimisers after a step."""
    output.mkdir(parents=True, exist_ok=True)
    state = {name: (arm.network.state_dict(), arm.optimizer.state_dict(), arm.mask) for name, arm in arms.items()}
    with atomic_path(output / STATE) as temporary:
        torch.save({"step": step, "arms": state}, temporary)


def resumed(arms: Mapping[str, Arm], output: Path) -> int:
    """The step to begin with, and everything as it was then."""
    if not (output / STATE).exists():
        return 0
    state = torch.load(output / STATE, weights_only=True)
    for name, (network, optimizer, mask) in state["arms"].items():
        arms[name].network.load_state_dict(network)
        arms[name].optimizer.load_state_dict(optimizer)
        arms[name].mask = mask
    return state["step"]


def begin_with(arms: Mapping[str, Arm], earlier: Path) -> None:
    """Give both the networks of an earlier run's output folder and its weights of outlines, not its optimisers."""
    for name, (network, _, mask) in torch.load(earlier / STATE, weights_only=True)["arms"].items():
        arms[name].network.load_state_dict(network)
        arms[name].mask = mask


def read_person(trained: TrainedNetwork, test_set: TestSet, person: SubjectFrames, options: Training) -> Person:
    """Draw somebody's references; all other frames are targets, without the garments' masks."""
    generator = step_generator(options.seed, int.from_bytes(person.subject.encode()[-4:], "big"))
    draw = draw_views(generator, person, options.references, len(person.references) - options.references)
    batch = stacked([test_set.reader.batch(draw.subject, draw.references, draw.targets)])
    loose = batch.targets.garments is not None
    batch = replace(batch, targets=replace(batch.targets, garments=None))
    with torch.no_grad():
        tokens, colors = trained.network.encoded(batch.references, batch.shape)
    return Person(tokens, colors, batch, loose)


def learn(
    arms: Mapping[str, Arm],
    trained: TrainedNetwork,
    people: Sequence[Sequence[Person]],
    step: int,
    options: Training,
) -> None:
    """A step of both, on the same pictures of one person: datasets take turns."""
    random = np.random.default_rng([options.seed, step])
    of_set = people[step % len(people)]
    person = of_set[int(random.integers(len(of_set)))]
    shown = person.batch.targets
    seen = _some(shown, random.choice(shown.weights.shape[1], options.targets, replace=False).tolist())
    batch = replace(person.batch, targets=seen)
    background = torch.from_numpy(random.random(3, dtype=np.float32))
    rate = min(1.0, (step + 1) / 10) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / options.steps)))
    terms = replace(
        LOSSES,
        person_loss=options.person_loss,
        loose=options.loose,
        loose_until=round(PULLED * options.steps),
    )
    said, spilt = [], {}
    for arm in arms.values():
        terms = replace(terms, mask=arm.mask)
        read = arm.network.started(person.tokens, person.colors, batch.references, batch.shape)
        if not person.loose:  # a photo of somebody who stands upright does not tell trousers from skirts: gates must
            read = replace(read, joined=None)
        code = arm.network.decode(read, batch.shape, trained.training_step)
        outputs = training_renders(arm.network, code, seen, terms, step, _render, background)
        losses = training_losses(outputs, batch, terms, step, trained.lpips)
        spilt[arm.name] = float((outputs.posed.alpha.detach() * (1 - seen.masks)).sum())
        total = torch.stack(list(losses.values())).sum()
        arm.optimizer.zero_grad()
        total.backward()
        for group in arm.optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
        for group in arm.optimizer.param_groups:
            group["lr"] = group["highest"] * rate
        arm.optimizer.step()
        if arm.name == "without" and options.apart:
            share_heads(arm.network, arms["with"].network)
        gates = "" if code.nodes is None else f", gates {float(code.nodes.gates.detach().mean()):.3f}"
        said.append(f"{arm.name} {float(losses['posed_person'].detach()):.4f}{gates}")
    if person.loose and options.match == "trained":
        arms["with"].mask = followed(arms["with"].mask, spilt["with"], spilt["without"])
    if step % 10 < len(people):
        print(f"step {step}: {'; '.join(said)}, outline {arms['with'].mask:.3f}", flush=True)


@torch.no_grad()
def match(arms: Mapping[str, Arm], trained: TrainedNetwork, people: Sequence[Person], step: int) -> None:
    """Let the outline's weight of the model with nodes follow on somebody kept out. Args: those kept out, in loose
    garments; the step of training; the others as of :func:`learn`."""
    random = np.random.default_rng([_JUDGES, step])
    person = people[int(random.integers(len(people)))]
    shown = person.batch.targets
    seen = _some(shown, random.choice(shown.weights.shape[1], _JUDGED, replace=False).tolist())
    spilt = {}
    for name, arm in arms.items():
        network = arm.network
        read = network.started(person.tokens, person.colors, person.batch.references, person.batch.shape)
        code = network.decode(read, person.batch.shape, trained.training_step)
        drawn = _render(network.drive(code, seen.driving)[1], seen.cameras, torch.ones(3))
        spilt[name] = float((drawn.alpha * (1 - seen.masks)).sum())
    arms["with"].mask = followed(arms["with"].mask, spilt["with"], spilt["without"], _JUDGES_FOLLOWED)


@torch.no_grad()
def share_heads(learned: LCA, other: LCA) -> None:
    """Give the other network the heads that both have, as they are now."""
    theirs = dict(other.named_parameters())
    for name, value in learned.named_parameters():
        if name.startswith(HEADS):
            theirs[name].copy_(value)


def followed(weight: float, spilt: float, wanted: float, rate: float = _FOLLOWS) -> float:
    """The outline's next weight. Args: as it is; how much was drawn beside people, in pixels, and how much shall be;
    how fast it follows."""
    change = max(-1.0, min(1.0, math.log((spilt + 1) / (wanted + 1))))
    return max(_LEAST_MASK, min(_MOST_MASK, weight * math.exp(rate * change)))


def _some(targets: TargetViews, chosen: list[int]) -> TargetViews:
    """Those of one person's targets."""
    driving = targets.driving
    sure = driving.joint_confidence
    return replace(
        targets,
        images=targets.images[:, chosen],
        masks=targets.masks[:, chosen],
        cameras=targets.cameras[:, chosen],
        driving=replace(
            driving,
            pose=driving.pose[:, chosen],
            expression=driving.expression[:, chosen],
            joint_confidence=None if sure is None else sure[:, chosen],
        ),
        weights=targets.weights[:, chosen],
        valid=None if targets.valid is None else targets.valid[:, chosen],
    )


def _render(gaussians, cameras, background):
    return rasterize(gaussians, cameras, background=background)
