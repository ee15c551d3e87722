"""A pipeline of GenLCA of a few thousand weights, untrained, with no layer at zero."""

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from small_runs import small_network

from genlca_method.conditioning.encoders import Conditioner, tiny_conditioning
from genlca_method.latents.autoencoder import TokenAutoencoder
from genlca_method.sampling.decoder import LCADecoder
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.transformer.mmdit import GenLCATransformer
from lca_method.plain_configs import plain

ANCHORS = 48
LCA_SHA = "0123"


def small_pipeline(decoder: LCADecoder | None = None) -> GenLCAPipeline:
    """48 anchors in groups of 4; ``decoder``: of a model, else of an untrained one."""
    torch.manual_seed(0)
    if decoder is None:
        decoder = LCADecoder(plain(small_network()), "anny", None, {"steps": 0, "sha256": LCA_SHA})
    autoencoder = TokenAutoencoder(ANCHORS, decoder.layout.channels, 8, width=16, layers=1, heads=2).eval()
    conditioning = tiny_conditioning()
    encoders = Conditioner.build(conditioning)
    channels = encoders.text.channels, encoders.image.channels
    sizes = {"width": 32, "layers": 2, "heads": 2, "mlp_ratio": 2.0, "patch": 4, "modalities": 13}
    transformer = GenLCATransformer(ANCHORS, 8, 37, *channels, **sizes, conditioning=plain(conditioning)).eval()
    with torch.no_grad():
        for parameter in transformer.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    for part in (autoencoder, transformer):
        part.set_template(decoder.positions())
    made = GenLCAPipeline(transformer, autoencoder, decoder, FlowMatchEulerDiscreteScheduler())
    made.set_progress_bar_config(disable=True)
    return made
