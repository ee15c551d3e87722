"""The part of LCA that makes avatars of tokens, saved on its own."""

from typing import Any

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin

from genlca_method.tokens.layout import TokenLayout
from lca_method.avatar.avatar import Avatar
from lca_method.avatar.from_network import avatar_of
from lca_method.networks.config import LCAConfig
from lca_method.networks.lca import LCA
from lca_method.plain_configs import from_plain, plain
from lca_method.trained_network import TrainedNetwork
from lca_shared.body import get_body_model
from lca_shared.encoders import ImageEncoder
from lca_shared.tensors import Float, Tensor

_OF_PICTURES = (
    "tokenizer",
    "geometric_projection",
    "encoder",
    "color_lookup",
    "projected_colors",
    "projected_outline",
)
"""Parts of LCA that decoding does not use."""


class LCADecoder(ModelMixin, ConfigMixin):
    """LCA's heads, without what reads pictures: tokens and a shape to an avatar."""

    @register_to_config
    def __init__(
        self,
        network: dict[str, Any],
        body: str = "anny",
        training_step: int | None = None,
        checkpoint: dict[str, Any] | None = None,
    ):
        """Args: the LCA's config as plain values; name of its body model; its last training step, for bounds that grow
        in training; ``steps`` and ``sha256`` of its checkpoint."""
        super().__init__()
        config = from_plain(LCAConfig, network)
        self.layout = TokenLayout.of(config)
        self.lca = LCA(config, get_body_model(body), NoEncoder(1))
        for name in _OF_PICTURES:
            setattr(self.lca, name, None)
        self.eval().requires_grad_(False)

    @staticmethod
    def of(trained: TrainedNetwork, checkpoint: dict[str, Any]) -> "LCADecoder":
        """The decoder of a trained model, on the CPU."""
        network = trained.network
        decoder = LCADecoder(plain(network.config), trained.body.name, trained.training_step, checkpoint)
        kept = decoder.lca.state_dict()
        decoder.lca.load_state_dict({name: value.cpu() for name, value in network.state_dict().items() if name in kept})
        return decoder

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, **kwargs: Any) -> "LCADecoder":
        """As of ``ModelMixin``. Points are sampled when the module is made, so it is never made without memory."""
        return super().from_pretrained(pretrained_model_name_or_path, **(kwargs | {"low_cpu_mem_usage": False}))

    def avatar(self, tokens: Float[Tensor, "anchors channels"], shape: Float[Tensor, "coefficients"]) -> Avatar:
        """The avatar of one person, on the decoder's device."""
        with torch.no_grad():
            code = self.lca.decode(self.layout.unpack(tokens), shape, step=self.config["training_step"])
            return avatar_of(self.lca, code)

    def positions(self) -> Float[Tensor, "anchors 3"]:
        """Points of the anchors on the template, metres."""
        body, network = get_body_model(self.config["body"]), self.lca
        corners = body.template_vertices[body.faces[network.token_faces.cpu()]]
        return (corners * network.token_barycentric.cpu()[..., None]).sum(dim=1)


class NoEncoder(ImageEncoder):
    """In the place of an image encoder that is not there."""

    def __init__(self, width: int):
        """Args: length of the features that it does not make."""
        super().__init__()
        self.patch_size, self.width, self.frozen = 1, width, True

    def forward(self, images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b patches width"]:
        """Raises: RuntimeError: always."""
        raise RuntimeError("this part of LCA looks at no pictures")
