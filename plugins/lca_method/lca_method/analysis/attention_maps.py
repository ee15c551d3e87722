"""Which patches of the reference views chosen points of the body attend to, in the encoder's last layer."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from lca_method.batch import ReferenceViews
from lca_method.networks.blocks import JointAttentionBlock
from lca_method.networks.image_tokens import ImageTokens
from lca_method.networks.lca import LCA
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class AttentionMaps:
    """Weights of the multimodal attention, mean over heads; patches without a token have none."""

    body: Float[Tensor, "points views rows columns"]
    """On the whole-body pictures, in the second stage, in which every geometric token takes part."""
    body_share: Float[Tensor, "points"]
    """Sum of ``body``: the rest of each point's attention goes to geometric tokens."""
    face: Float[Tensor, "points views face_rows face_columns"]
    """On the face crops, in the first stage; NaN for points whose token is none of the face's."""
    face_share: Float[Tensor, "points"]
    """Sum of ``face``; NaN likewise."""


def last_layer_attention(
    network: LCA, references: ReferenceViews, shape: Float[Tensor, "coefficients"], tokens: list[int]
) -> AttentionMaps:
    """Attention of some geometric tokens of one person.

    The network runs as it always does; hooks keep what entered the last layer's two joint attentions, and from that the
    weights of the chosen tokens alone are computed.

    Args:
        network: in evaluation mode.
        references: of one person, without batch axes.
        shape: of the person.
        tokens: indices of geometric tokens.
    """
    layer = network.encoder.layers[-1]
    assert isinstance(layer.face_attention, JointAttentionBlock) and isinstance(
        layer.body_attention, JointAttentionBlock
    )
    seen: dict[str, tuple[Any, ...]] = {}

    def keep(name: str, _: Any, inputs: tuple[Any, ...], *__: Any) -> None:
        seen[name] = inputs

    def keep_outputs(_: Any, __: Any, outputs: tuple[Any, ...]) -> None:
        seen["images"] = outputs

    handles = [
        layer.face_attention.register_forward_pre_hook(partial(keep, "face")),
        layer.body_attention.register_forward_pre_hook(partial(keep, "body")),
        network.encoder.register_forward_hook(keep_outputs),
    ]
    try:
        with torch.no_grad():
            network.encode(references, shape)
    finally:
        for handle in handles:
            handle.remove()
    chosen = torch.tensor(tokens, device=shape.device)
    grids = [
        network.image_encoder.grid(*pictures.shape[-2:]) for pictures in (references.images, references.face_images)
    ]
    _, body_tokens, face_tokens = seen["images"]
    with torch.no_grad():
        body = _on_grid(_image_weights(layer.body_attention, chosen, seen["body"]), body_tokens, grids[0])
        face_count = network.config.placement.face_tokens
        of_face = chosen < face_count
        inner = _image_weights(layer.face_attention, chosen.clamp(max=max(face_count - 1, 0)), seen["face"])
        face = _on_grid(inner, face_tokens, grids[1])
        face = torch.where(of_face[:, None, None, None], face, torch.nan)
    return AttentionMaps(body, body.sum(dim=(1, 2, 3)), face, face.sum(dim=(1, 2, 3)))


def _image_weights(block: JointAttentionBlock, chosen: Tensor, inputs: tuple[Any, ...]) -> Tensor:
    """[points, all patches], mean over heads."""
    weights = block.weights(chosen, *inputs)
    return weights.mean(dim=-3)[..., inputs[0].shape[-2] :]


def _on_grid(weights: Tensor, images: ImageTokens, grid: tuple[int, int]) -> Tensor:
    """Weights put where their patches are: background patches may have been left out of the tokens."""
    views = images.tokens.shape[-3]
    weights = weights.unflatten(-1, (views, -1))
    index = (images.positions[..., 0] * grid[1] + images.positions[..., 1]).long().expand(weights.shape)
    if images.valid is not None:
        weights = weights * images.valid  # those have weight 0 already, and the place of a patch that another token has
    full = weights.new_zeros(*weights.shape[:-1], grid[0] * grid[1])
    return full.scatter_add(-1, index, weights).unflatten(-1, grid)
