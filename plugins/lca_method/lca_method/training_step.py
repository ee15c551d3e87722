"""What a training step computes from a batch, without nerfstudio."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from lca_method.batch import SubjectBatch, TargetViews
from lca_method.expression_training import (
    coded_driving,
    face_targets,
    of_all_processes,
    with_reference_faces,
    with_swap,
)
from lca_method.losses import LossConfig, total
from lca_method.losses.code_losses import CodeViews
from lca_method.losses.node_motion import NodeMotion
from lca_method.losses.total import code_terms
from lca_method.networks.cloth_surface import leg_joints
from lca_method.networks.lca import LCA
from lca_method.networks.subject import SubjectCode
from lca_method.relit_targets import relit_targets
from lca_method.target_lights import SYNTHETIC_STRENGTH
from lca_shared.cameras import Cameras
from lca_shared.errors import UserError
from lca_shared.gaussians import Gaussians
from lca_shared.perceptual import LPIPS
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor

Render = Callable[[Gaussians, Cameras, Tensor], Rendering]
"""Gaussians, cameras and background colour -> pictures."""


@dataclass(frozen=True)
class TrainingOutputs:
    """What a training step renders."""

    canonical: Rendering
    """Canonical attributes, skinned to the target pose; ``[subjects targets ...]``."""
    posed: Rendering
    """The same with the pose-dependent deltas."""
    code: SubjectCode
    background: Float[Tensor, "3"]
    """sRGB behind both renders."""
    face: Rendering | None = None
    """The posed Gaussians at the targets' face crops; None = no loss looks at them."""
    expression: CodeViews | None = None
    """Learned expression codes; None for models driven by coefficients."""
    nodes: NodeMotion | None = None
    """Of loose garments; None for models without."""


@dataclass(frozen=True)
class CodeOutputs:
    """What a step computes in which only the expression code is learned (``LossConfig.whole_step_every``)."""

    expression: CodeViews


def code_step(network: LCA, batch: SubjectBatch, losses: LossConfig) -> CodeOutputs:
    """Codes of the faces of targets and references, and nothing else.

    Raises:
        UserError: the model has no learned code, or the batch comes without face crops.
    """
    _, expression = coded_driving(network, batch.shape, with_reference_faces(batch), losses)
    if expression is None:
        raise UserError("--pipeline.model.losses.whole-step-every is for models with a learned expression code.")
    return CodeOutputs(of_all_processes(expression))


def training_renders(
    network: LCA,
    code: SubjectCode,
    targets: TargetViews,
    losses: LossConfig,
    step: int,
    render: Render,
    background: Float[Tensor, "3"],
    stage_strength: float = SYNTHETIC_STRENGTH,
) -> TrainingOutputs:
    """Render people twice: canonical attributes skinned to the target poses, and with the deltas (Section 3.2).

    A relightable model whose targets come with their lights is rendered once, with the deltas, in that light.

    Args:
        network: the networks.
        code: the people, as the network's ``encode`` makes them.
        targets: poses and cameras.
        losses: decide what else has to be rendered.
        step: training step.
        render: draws Gaussians.
        background: behind the renders.
        stage_strength: of the lights, see ``stage_light.stage_lights``.
    """
    driving, expression = coded_driving(network, code.shape, targets, losses)
    if network.relight is not None and targets.lights is not None:
        picture = relit_targets(network, code, replace(targets, driving=driving), stage_strength, render, background)
        return TrainingOutputs(picture, picture, code, background)
    canonical, posed = network.drive(code, driving)
    renders = [render(gaussians, targets.cameras, background) for gaussians in (canonical, posed)]
    looked_at = targets.faces if losses.face or losses.face_detail else None
    face = None if looked_at is None else render(posed, looked_at.cameras, background)
    if expression is not None and "cycle" in losses.code_weights(step):
        expression = with_swap(network, code, targets, expression, render)
    expression = None if expression is None else of_all_processes(expression)
    nodes = None
    if code.nodes is not None and (losses.arap or losses.sparsity or losses.loose):
        nodes = NodeMotion(code.nodes, network.frame(code, driving).transforms, leg_joints(network.body))
    return TrainingOutputs(renders[0], renders[1], code, background, face, expression, nodes)


def training_losses(
    outputs: TrainingOutputs | CodeOutputs,
    batch: SubjectBatch,
    losses: LossConfig,
    step: int,
    lpips: Callable[[], LPIPS],
) -> dict[str, Float[Tensor, ""]]:
    """The weighted losses by name; ``lpips`` is asked for the network only at steps that need it."""
    if isinstance(outputs, CodeOutputs):
        return code_terms(losses, outputs.expression, step)
    return total(
        losses,
        lpips() if losses.lpips_weight(step) > 0 else None,
        outputs.canonical,
        outputs.posed,
        batch.targets,
        outputs.background,
        outputs.code,
        step,
        face_render=outputs.face,
        faces=face_targets(batch.targets),
        codes=outputs.expression,
        nodes=outputs.nodes,
    )
