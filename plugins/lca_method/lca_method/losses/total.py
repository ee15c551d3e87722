"""All terms of the training objective by name (eq. 10-12), with weights and schedules from a config."""

from dataclasses import dataclass
from typing import Literal

from lca_method.batch import TargetViews
from lca_method.losses.code_losses import CODE_LOSSES, CodeViews
from lca_method.losses.loose_start import loose_start, remaining
from lca_method.losses.node_motion import NodeMotion
from lca_method.losses.photometric import PERSON, alpha_loss, detail_on_person, l1, l1_on_person, lpips_loss, prepare
from lca_method.losses.registry import ARAP, POSITION, SCALE, SPARSITY
from lca_method.losses.transfer_prior import transfer_prior
from lca_method.networks.subject import SubjectCode
from lca_shared.perceptual import LPIPS
from lca_shared.rendering import Rendering
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class LossConfig:
    """Weights of the objective. Those of the paper's own terms were lost in conversion: 1 and LHM's (our choice)."""

    l1: float = 1.0
    person: float = 0.0
    """Weight of L1 over person pixels alone, divided by their area (our choice; 0 = off). The paper's L1 is a mean over
    the whole picture, in which a small person counts little: a short training then makes the person fade."""
    person_loss: Literal["l1", "squared"] = "l1"
    lpips: float = 1.0
    lpips_backbone: Literal["alex", "vgg"] = "vgg"
    lpips_from: int = 0
    """Training step from which LPIPS counts; before that it costs no time."""
    lpips_every: int = 1
    """LPIPS counts every so many steps, with its weight times that number: cheaper on a CPU."""
    mask: float = 1.0
    mask_loss: Literal["l1", "squared", "cross_entropy"] = "squared"
    """LHM's term on alpha; not in LCA's text."""
    canonical: float = 1.0
    """Weight of the terms on the canonical render."""
    posed: float = 1.0
    """Weight of the terms on the render with pose-dependent deltas."""
    position: float = 1000.0
    position_loss: Literal["acap_hinge", "acap_paper"] = "acap_hinge"
    scale: float = 10.0
    scale_loss: Literal["asap_hinge", "asap_covariance"] = "asap_hinge"
    arap: float = 0.0
    """Weight of as-rigid-as-possible on what garments' nodes do (Section 3.4); needs ``LCAConfig.deformer``."""
    arap_loss: Literal["turned", "lengths"] = "turned"
    sparsity: float = 0.0
    """Weight of few corrections of the nodes' skinning weights."""
    sparsity_loss: Literal["l1", "gates"] = "l1"
    loose: float = 0.0
    """Weight of the pull that opens gates where cloth stands off the body (our choice), at the first step."""
    loose_until: int = 0
    """Training steps over which that weight falls to 0."""
    face: float = 0.0
    """Weight of L1 over person pixels of the targets' face crops, rendered with deltas (our choice; 0 = off): in a
    picture of a whole body the face is small, and expressions are smaller."""
    face_detail: float = 0.0
    """The same for differences within small neighbourhoods (see ``detail_on_person``): what expressions change."""
    code_agreement: float = 0.0
    """Weights of the losses on learned expression codes, see ``code_losses.CODE_LOSSES``; 0 = not computed."""
    code_contrast: float = 0.0
    code_cycle: float = 0.0
    code_cycle_every: int = 1
    """``code_cycle`` counts every so many steps, with its weight times that number: it drives and renders once more."""
    code_identity: float = 0.0
    code_range: float = 0.0
    code_texture: float = 0.0
    code_adapter: float = 0.0
    whole_step_every: int = 1
    """In the steps between, only the expression code is learned, from ``code_texture`` above all: nobody's avatar is
    made and nothing rendered, which takes a tenth of the time."""
    transfer: float = 0.0
    """Weight of the prior on radiance transfer of relightable models (our choice): small lobes, open Gaussians."""
    regularizer_ramp: int = 0
    """Training steps over which the regularizers' weights grow from 0."""

    def lpips_weight(self, step: int) -> float:
        """Weight of LPIPS at a training step; 0 = it need not be computed."""
        if step < self.lpips_from or step % self.lpips_every:
            return 0.0
        return self.lpips * self.lpips_every

    def code_alone(self, step: int) -> bool:
        """Whether a training step learns nothing but the expression code."""
        return step % self.whole_step_every != 0

    def code_weights(self, step: int) -> dict[str, float]:
        """Weights of the losses on expression codes at a training step, by name; those of 0 are left out."""
        cycle = 0.0 if step % self.code_cycle_every else self.code_cycle * self.code_cycle_every
        weights = {
            "agreement": self.code_agreement,
            "contrast": self.code_contrast,
            "cycle": cycle,
            "identity": self.code_identity,
            "range": self.code_range,
            "texture": self.code_texture,
            "adapter": self.code_adapter,
        }
        return {name: weight for name, weight in weights.items() if weight}


def total(
    config: LossConfig,
    lpips: LPIPS | None,
    canonical_render: Rendering,
    posed_render: Rendering,
    targets: TargetViews,
    background: Float[Tensor, "3"],
    code: SubjectCode,
    step: int,
    *,
    face_render: Rendering | None = None,
    faces: TargetViews | None = None,
    codes: CodeViews | None = None,
    nodes: NodeMotion | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """The objective's terms, already weighted: their sum is what is minimised.

    Args:
        config: weights.
        lpips: None leaves LPIPS out.
        canonical_render: of the canonical Gaussians, skinned; on ``background``.
        posed_render: of the Gaussians with deltas, skinned; on ``background``.
        targets: pictures and masks.
        background: colour behind the renders.
        code: the persons, for the regularizers.
        step: training step.
        face_render: of the Gaussians with deltas at the face crops' cameras, on ``background``.
        faces: the face crops.
        codes: learned expression codes.
        nodes: of loose garments.
    """
    lpips_weight = config.lpips_weight(step)
    used = lpips if lpips_weight > 0 else None
    target = prepare(targets, background, used)
    terms: dict[str, Tensor] = {}
    for name, render, weight in [
        ("canonical", canonical_render, config.canonical),
        ("posed", posed_render, config.posed),
    ]:
        if weight == 0:
            continue
        terms[f"{name}_l1"] = weight * config.l1 * l1(render.colors, target)
        if config.person:
            terms[f"{name}_person"] = weight * config.person * PERSON[config.person_loss](render.colors, target)
        if config.mask:
            terms[f"{name}_mask"] = weight * config.mask * alpha_loss(config.mask_loss, render.alpha, target)
        if used is not None:
            terms[f"{name}_lpips"] = weight * lpips_weight * lpips_loss(used, render.colors, target)
    if face_render is not None and faces is not None:
        face = prepare(faces, background, None)
        if config.face:
            terms["face"] = config.face * l1_on_person(face_render.colors, face)
        if config.face_detail:
            terms["face_detail"] = config.face_detail * detail_on_person(face_render.colors, face)
    if codes is not None:
        terms |= code_terms(config, codes, step)
    ramp = min(1.0, (step + 1) / config.regularizer_ramp) if config.regularizer_ramp else 1.0
    if config.position:
        terms["position"] = ramp * config.position * POSITION[config.position_loss](code).mean()
    if config.transfer and code.relight is not None:
        terms["transfer"] = config.transfer * transfer_prior(code.relight)
    if config.scale:
        terms["scale"] = ramp * config.scale * SCALE[config.scale_loss](code).mean()
    if nodes is not None:
        if config.arap:
            terms["arap"] = config.arap * ARAP[config.arap_loss](nodes).mean()
        if config.sparsity:
            terms["sparsity"] = config.sparsity * SPARSITY[config.sparsity_loss](nodes).mean()
        if pull := config.loose * remaining(step, config.loose_until):
            terms["loose"] = pull * loose_start(nodes.nodes, code.offsets, nodes.legs).mean()
    return terms


def code_terms(config: LossConfig, codes: CodeViews, step: int) -> dict[str, Float[Tensor, ""]]:
    """The weighted losses on expression codes alone."""
    weights = config.code_weights(step)
    if codes.recoded is None:
        weights.pop("cycle", None)  # nothing was rendered
    return {f"code_{name}": weight * CODE_LOSSES[name](codes) for name, weight in weights.items()}
