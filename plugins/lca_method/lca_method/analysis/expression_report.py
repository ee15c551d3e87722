"""Everything about a model's expression code on a dataset, as numbers: what ``lca eval`` calls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lca_method.analysis.expression_drive import driven_comparison
from lca_method.analysis.expression_probe import IdentityResult, ProbeResult, identity_probe, numbered, ridge_probe
from lca_method.analysis.expression_size import ExpressionSize, expression_size
from lca_method.batch import SubjectBatch, moved_to, stacked
from lca_method.networks.driving import LearnedExpression
from lca_method.networks.lca import LCA
from lca_method.sampling import Draw
from lca_shared.body.compact_body import CompactBody
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_dataparsers.dataset.reader import Subject
    from lca_method.crops import CropReader

Rows = Mapping[str, Sequence[int]]
"""Rows of subjects by id, in the order of time."""


@dataclass(frozen=True)
class CodeTable:
    """Codes of the frames whose face was seen."""

    codes: Float[Tensor, "n code"]
    coefficients: Float[Tensor, "n 52"]
    people: tuple[str, ...]


def code_table(network: LCA, reader: "CropReader", rows: Rows) -> CodeTable:
    """The encoder's codes of some rows; frames without a face are left out.

    Raises:
        UserError: the model has no learned code, or no row shows a face.
    """
    expression = network.driving_vector.expression
    if not isinstance(expression, LearnedExpression):
        raise UserError("This model is driven by coefficients: there is no learned expression code to look into.")
    device, was_training = network.initial_scales.device, network.training
    network.eval()
    codes, coefficients, people = [], [], []
    with torch.no_grad():
        for subject, own in rows.items():
            faces = moved_to(reader.faces(subject, own), device)
            seen = faces.seen > 0
            codes.append(expression.encoder.of(faces)[seen].cpu())
            coefficients.append(reader.driving(subject, own).expression[seen.cpu()])
            people += [subject] * int(seen.sum())
    network.train(was_training)
    if not people:
        raise UserError(f"No frame of {reader.dataset.root} shows a face.")
    return CodeTable(torch.cat(codes), torch.cat(coefficients), tuple(people))


@dataclass(frozen=True)
class CodeProbes:
    """What the code tells, beside what the coefficients themselves tell about identity on the same frames."""

    expression: ProbeResult
    identity: IdentityResult
    identity_from_coefficients: IdentityResult
    size: ExpressionSize | None
    """Of the template's expressions on the others; None = the model does not move them by the code."""


def code_probes(
    network: LCA, body: CompactBody, reader: "CropReader", fitted: Rows, held_out: Rows
) -> CodeProbes | None:
    """Expression: fitted to some people, scored on others. Identity: of the others, from their codes. Size: on the
    others. None where too few faces are seen: of two of the others in two frames at least.

    Raises:
        UserError: see :func:`code_table`.
    """
    people_of = reader.dataset.subjects
    seen = {name: sum(_shows_face(people_of[name], row) for row in rows) for name, rows in held_out.items()}
    if sum(count >= 2 for count in seen.values()) < 2:
        return None
    train, test = code_table(network, reader, fitted), code_table(network, reader, held_out)
    probe = ridge_probe(train.codes, train.coefficients, numbered(train.people), test.codes, test.coefficients)
    people = numbered(test.people)
    expression, size = network.driving_vector.expression, None
    if isinstance(expression, LearnedExpression) and network.config.template_expression:
        with torch.no_grad():
            read = expression.readout(test.codes.to(expression.readout.weight.device)).cpu()
        size = expression_size(body.to("cpu"), read, test.coefficients)
    return CodeProbes(probe, identity_probe(test.codes, people), identity_probe(test.coefficients, people), size)


def _shows_face(person: "Subject", row: int) -> bool:
    box = person.frames["face_box"][row]
    return bool(np.isfinite(box).all() and person.frames["confidence_face"][row] > 0)


def expression_report(
    network: LCA, body: CompactBody, reader: "CropReader", fitted: Rows, held_out: Sequence[Draw]
) -> dict[str, Any]:
    """All figures as plain numbers.

    Args:
        network: the model.
        body: on the network's device.
        reader: of the dataset; for models with a learned code it cuts faces (``CropSizes.target_faces``).
        fitted: people to whom the probe is fitted: those trained on.
        held_out: references and targets of the others, whose targets are driven with and without each signal.
    """
    device, was_training = network.initial_scales.device, network.training
    network.eval()

    def batches() -> Iterator[SubjectBatch]:
        for draw in held_out:
            yield moved_to(stacked([reader.batch(draw.subject, draw.references, draw.targets)]), device)

    report: dict[str, Any] = {name: asdict(m) for name, m in driven_comparison(network, body, batches()).items()}
    if isinstance(network.driving_vector.expression, LearnedExpression):
        rows = {draw.subject: sorted((*draw.references, *draw.targets)) for draw in held_out}
        probes = code_probes(network, body, reader, fitted, rows)
        names = body.expression_names
        report["probe"] = (
            None
            if probes is None
            else {
                "r2": probes.expression.mean_r2,
                "ridge": probes.expression.ridge,
                "r2_by_coefficient": {
                    name: float(r2) for name, r2 in zip(names, probes.expression.r2) if bool(r2.isfinite())
                },
                "identity": asdict(probes.identity),
                "identity_from_coefficients": asdict(probes.identity_from_coefficients),
                "size": None if probes.size is None else asdict(probes.size),
            }
        )
    network.train(was_training)
    return report
