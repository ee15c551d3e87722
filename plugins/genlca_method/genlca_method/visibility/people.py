"""Visibility of a person's reference views."""

from genlca_method.visibility.anchor_views import AnchorViews, VisibilityConfig, anchor_views
from lca_method.batch import ReferenceViews
from lca_shared.body.anchors import SurfacePoints
from lca_shared.body.compact_body import CompactBody
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


def person_views(
    body: CompactBody,
    anchors: SurfacePoints,
    shape: Float[Tensor, "*b coefficients"],
    references: ReferenceViews,
    config: VisibilityConfig,
) -> AnchorViews:
    """Test the anchors of people against the body fitted to each of their reference views.

    Args:
        body: on the references' device.
        anchors: points on its triangles.
        shape: of each person.
        references: with ``fit``.
        config: what counts as seen.

    Raises:
        UserError: nobody fitted a body to the views.
    """
    fit = references.fit
    if fit is None:
        raise UserError("Visibility needs the body that was fitted to each reference view (ReferenceViews.fit).")
    vertices = body.skinned(body.shaped(shape[..., None, :], fit.expression), fit.pose)
    return anchor_views(anchors, vertices, body.faces, fit.cameras, references.masks, config)
