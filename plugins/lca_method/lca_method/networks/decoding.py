"""The canonical head: what tokens say of a person at rest, with the nodes that carry loose garments and the light."""

from dataclasses import replace
from typing import TYPE_CHECKING

from lca_method.networks import gaussian_heads as heads
from lca_method.networks.subject import SubjectCode
from lca_method.networks.token_code import TokenCode
from lca_shared.gaussians import Gaussians
from lca_shared.tensors import Float, Tensor

if TYPE_CHECKING:
    from lca_method.networks.lca import LCA


def decoded(
    network: "LCA", code: TokenCode, shape: Float[Tensor, "*b coefficients"], step: int | None = None
) -> SubjectCode:
    """All that driving needs of people. Args: with its heads; the others as of ``LCA.decode``."""
    tokens, surface = code.tokens, network.surface_points(shape)
    template, half = network.point_body.active_weights, network.pose_head.first_layer_of_tokens(tokens)
    relative = _relative(network, code, step)
    nodes = None
    if network.node_head is not None:
        nodes = network.node_head(tokens, surface + relative.means, relative.means, template, code.joined)
        if network.node_head.own is not None:
            added, of_pose = network.node_head.own(tokens, nodes.share())
            relative, half = _relative(network, code, step, added), half + of_pose
    transfer = None
    if network.relight is not None:
        transfer = network.relight.transfer(network, tokens, relative)
    return SubjectCode(
        shape=shape,
        tokens=tokens,
        token_half=half,
        canonical=replace(relative, means=surface + relative.means),
        offsets=relative.means,
        nodes=nodes,
        weights=None if nodes is None else nodes.followed(template),
        relight=transfer,
    )


def _relative(
    network: "LCA", code: TokenCode, step: int | None, added: Float[Tensor, "*b gaussians values"] | None = None
) -> Gaussians:
    """Canonical Gaussians whose ``means`` are offsets from their points. Args: of :func:`decoded`; of ``OwnHeads``."""
    config, looked_up = network.config.heads, code.color_logits
    initial = (network.initial_scales, network.initial_quaternions, config.scale_limit(step))
    if network.canonical_head is not None:
        found = network.canonical_head(code.tokens, *initial, looked_up, code.start, added)
    else:
        if looked_up is None:  # grey
            looked_up = code.tokens.new_zeros(*code.tokens.shape[:-2], len(network.initial_scales), 3)
        found = heads.start_gaussians(config, *initial, looked_up, code.start)
    return replace(found, means=found.means * network.offset_shares)
