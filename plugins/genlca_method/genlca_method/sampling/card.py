"""The card of a shared pipeline."""

from typing import TYPE_CHECKING

from huggingface_hub import ModelCard, ModelCardData

from lca_method.hub.licences import licence_header

if TYPE_CHECKING:
    from genlca_method.sampling.pipeline import GenLCAPipeline

PAPER = "https://arxiv.org/abs/2604.07273"
TAGS = ("lca", "genlca", "avatar", "gaussian-splatting", "3d", "text-to-3d")


def pipeline_card(made: "GenLCAPipeline", hub_id: str, licence: str, trained_on: str) -> ModelCard:
    """What it is, how to use it, what it may be used for.

    Args: the pipeline; where it will be; licence of the weights; what it has learnt from, in the words of who shares
        it (empty: not stated).
    """
    header = ModelCardData(
        library_name="genlca-method", pipeline_tag="text-to-3d", tags=list(TAGS), **licence_header(licence)
    )
    sizes, lca = made.transformer.config, made.decoder.config["checkpoint"] or {}
    million = sum(weights.numel() for weights in made.transformer.parameters()) / 1e6
    encoders = {kind: (sizes["conditioning"] or {})[kind] for kind in ("text", "image") if sizes["conditioning"]}
    named = ", ".join(f"{kind}: `{given['name']}` {given['source']}".strip() for kind, given in encoders.items())
    return ModelCard(
        f"""---
{header.to_yaml()}
---

# {hub_id}

Texts and pictures of parts of the body in, animatable avatars of 3D Gaussians of people who do not exist out: GenLCA
([paper]({PAPER}), an independent implementation). {sizes["anchors"]} latents of {sizes["latent_channels"]} numbers, a
transformer of {million:.2f} million weights; the heads are those of an LCA model after {lca.get("steps", "unknown")}
steps (sha256 `{lca.get("sha256", "unknown")}`).

```python
from genlca_method.sampling.pipeline import GenLCAPipeline

pipeline = GenLCAPipeline.from_pretrained("{hub_id}")
avatar = pipeline("a tall person wearing a long-sleeved red top").avatars[0]
```

or `genlca generate --pipeline {hub_id} --prompt "a tall person wearing a long-sleeved red top" --output-dir made`.

## Data

{trained_on or "Not stated."}

## Licences

- code: Apache-2.0
- these weights: {licence}
- encoders of conditions ({named or "none"}): not part of this model; their own licences hold

## Intended use and limits

For people who do not exist. Not for showing somebody real without their consent, nor for passing generated people off
as real. What the data does not show is not made: clothes, hair and bodies unlike the data's come out wrong, and prompts
in words unlike those of its captions are followed badly.
"""
    )
