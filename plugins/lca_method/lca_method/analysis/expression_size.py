"""How large the template's expressions are that a learned code moves, against the true ones."""

from dataclasses import dataclass

from lca_shared.body.compact_body import CompactBody
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class ExpressionSize:
    """Displacements of the face's vertices by the expressions read from codes, against those by true coefficients, both
    without their means over frames."""

    size: float
    """Root mean square, over the true ones' (1 = as large as true, right or wrong)."""
    slope: float
    """Share of the true displacements that the read ones have (1 = all; ``size`` times ``correlation``)."""
    correlation: float
    deviation: float
    """Mean deviation of the read coefficients; different coefficients may move a face alike."""
    true_deviation: float
    """Of the true coefficients."""


def expression_size(
    body: CompactBody, read: Float[Tensor, "n coefficients"], true: Float[Tensor, "n coefficients"]
) -> ExpressionSize:
    """Of frames of any people; the displacements are those of the template's own shape.

    Args:
        body: whole, on any device.
        read: coefficients read from codes.
        true: those of the same frames.
    """
    vertices = (body.regions["face"] & ~body.regions["hidden"]).nonzero()[:, 0]
    face = body.subset(vertices).to(read.device)
    shape = read.new_zeros(len(read), len(face.shape_names))
    first, second = (face.shaped(shape, values).vertices.flatten(1) for values in (read, true))
    first, second = first - first.mean(dim=0), second - second.mean(dim=0)
    product, large, truth = (float((x * y).sum()) for x, y in ((first, second), (first, first), (second, second)))
    least = 1e-12
    return ExpressionSize(
        size=(large / max(truth, least)) ** 0.5,
        slope=product / max(truth, least),
        correlation=product / max(large * truth, least) ** 0.5,
        deviation=float(read.std(dim=0).mean()),
        true_deviation=float(true.std(dim=0).mean()),
    )
