"""Colours and outlines of the reference pictures, read where people's own skinning carries each point.

A Gaussian of a skirt that nodes carry lies, in a picture of a stride, elsewhere than the template's weights say: read
with these, its colour is another Gaussian's, and its outline that of one leg. So people with nodes are read twice: with
the template's weights, from which the nodes follow, and then with the weights that the nodes give.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from lca_method.batch import ReferenceFit, ReferenceViews
from lca_method.networks.cloth_surface import DISTANCES
from lca_method.networks.gaussian_heads import SCALE_PER_SPACING, GaussianStart
from lca_method.networks.joined_legs import joined_legs
from lca_method.networks.projected_outline import outline_profile
from lca_method.networks.reference_light import light_in_references
from lca_shared.body.model import ShapedBody
from lca_shared.errors import UserError
from lca_shared.skinning import apply_blended, blend_transforms
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA


@dataclass(frozen=True)
class _Reading:
    """A person's points in the reference views."""

    network: "LCA"
    references: ReferenceViews
    fit: ReferenceFit
    shaped: ShapedBody
    """At the Gaussians' points, as each view shows the person: ``[*b views]``."""
    fallback: Float[Tensor, "*b gaussians 3"]
    light: Float[Tensor, "*b views gaussians"] | None
    """That reached each point, see ``light_in_references``."""

    def read(
        self,
        weights: Float[Tensor, "*b gaussians joints"] | None,
        outline_alone: bool = False,
        replaced: Float[Tensor, "*b gaussians"] | None = None,
    ) -> tuple[Float[Tensor, "*b gaussians 3"], GaussianStart | None]:
        """Colours and starts. Args: skinning weights, None = the template's; whether colours at the starts are not
        needed; share of each Gaussian's weights that nodes replaced, None = nothing."""
        network, views, fit = self.network, self.references, self.fit
        spacing = float(network.initial_scales[:, 0].median()) / SCALE_PER_SPACING
        body = network.point_body
        with torch.no_grad():
            own = body.active_weights if weights is None else weights[..., None, :, :]
            blended = blend_transforms(own, body.active_transforms(self.shaped.joints, fit.pose))
            points = apply_blended(blended, self.shaped.vertices)
            turn = blended[..., :3]
            normals = nn.functional.normalize((turn @ network.normals[..., None])[..., 0], dim=-1)

        def colors(at: Tensor) -> Tensor:
            assert network.projected_colors is not None
            pictures = (views.images, views.masks, views.face_images, views.face_masks)
            known = (fit, spacing, self.fallback, network.likenesses, self.light)
            return network.projected_colors(at, normals, *pictures, *known)

        if network.projected_outline is None:
            return colors(points), None
        profile = outline_profile(points, normals, views.masks, fit.cameras, spacing)
        found = colors(points)
        start = network.projected_outline(profile, network.point_code, found.detach(), network.normals)
        if outline_alone:
            return found, start
        surface = None if network.node_head is None else network.node_head.surface
        if replaced is not None and surface is not None:
            away = nn.functional.normalize((turn @ surface.away[..., None])[..., 0], dim=-1)
            around = apply_blended(blended, self.shaped.vertices + surface.shift)
            profile = outline_profile(around, away, views.masks, fit.cameras, spacing, DISTANCES, votes=True)
            known = (network.point_code, found.detach(), replaced, start)
            start = surface(profile, *known)
            share = surface.share(replaced)[..., None, :, :]
            facing = nn.functional.normalize(torch.lerp(normals, away, share), dim=-1)
            normals = torch.where(share > 0, facing, normals)  # to the bit, where no node acts
        moved = self.shaped.vertices + (start.offsets.detach() * network.offset_shares)[..., None, :, :]
        return colors(apply_blended(blended, moved)), start

    def joined(self) -> Float[Tensor, "*b gaussians"]:
        """Of :func:`joined_legs`."""
        network, fit = self.network, self.fit
        body = network.body
        joints = body.posed(self.shaped.joints, fit.pose).joints
        return joined_legs(joints, self.references.masks, fit, network.point_body, body)


def read_projections(
    network: "LCA",
    references: ReferenceViews,
    shape: Float[Tensor, "*b coefficients"],
    tokens: Float[Tensor, "*b tokens width"],
    fallback: Float[Tensor, "*b gaussians 3"],
) -> tuple[Float[Tensor, "*b gaussians 3"], GaussianStart | None, Float[Tensor, "*b gaussians"] | None]:
    """Colours of each Gaussian's point in the reference views (see ``ProjectedColors``), moved first to where the
    outline says that the surface is, if the config says so (see ``ProjectedOutline``), and where nodes may act.

    Args:
        network: with ``projected_colors``.
        references: views of people, with their fit.
        shape: of the people.
        tokens: after the encoder.
        fallback: colours of points that no view shows.

    Raises:
        UserError: the references come without their fit.
    """
    fit = references.fit
    if fit is None:
        raise UserError("This model reads colours where the fitted body projects: give ReferenceViews.fit.")
    expression, body = network.driving_vector.expression, network.point_body
    with torch.no_grad():  # at rest, open mouths and shut eyes would be read beside lips and lids
        shown = expression.shown_in(references) if network.config.template_expression else None
        shaped = body.shaped(shape[..., None, :], shown)
    light = light_in_references(network, references, shape)
    reading = _Reading(network, references, fit, shaped, fallback, light)
    if network.node_head is None:
        return *reading.read(None), None
    joined = reading.joined() if network.config.deformer.ask_outline else None
    with torch.no_grad():
        _, start = reading.read(None, outline_alone=True)
        surface = network.surface_points(shape)
        offsets = torch.zeros_like(surface) if start is None else start.offsets * network.offset_shares
        nodes = network.node_head(tokens, surface + offsets, offsets, body.active_weights, joined)
        weights = nodes.followed(body.active_weights)
        replaced = nodes.share()
    return *reading.read(weights, replaced=replaced), joined
