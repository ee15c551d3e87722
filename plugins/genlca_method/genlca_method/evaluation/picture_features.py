"""Features of pictures for distances between sets, and CLIP scores."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from genlca_method.conditioning.images import FrozenPartEncoder, PartEncoderConfig
from lca_shared.errors import MissingWeightsError
from lca_shared.tensors import Float, Tensor

_TOGETHER = 16


class PictureFeatures:
    """One vector a picture, of a named encoder."""

    def __init__(self, name: str, source: str) -> None:
        """Args: ``pixels`` or an encoder of ``lca_shared.encoders``; where its weights are.

        Raises:
            UserError: no such encoder, or its weights are missing.
        """
        self.name = f"{name} {source}".strip()
        self.encoder = None if name == "pixels" else FrozenPartEncoder(PartEncoderConfig(name, source, size=224))

    @torch.no_grad()
    def __call__(self, pictures: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n features"]:
        """Mean over patches; of ``pixels``, the picture at 32 x 32."""
        if self.encoder is None:
            return F.interpolate(pictures, size=(32, 32), mode="bilinear", antialias=True).flatten(1)
        return torch.cat([self.encoder(some).mean(dim=1) for some in pictures.split(_TOGETHER)])


class ClipScore:
    """Cosine between a picture and a text, times 100, not below 0 (Hessel et al. 2021, without their factor 2.5)."""

    def __init__(self, source: str) -> None:
        """Args: a folder with a CLIP model and its processor, or a Hugging Face id.

        Raises:
            MissingWeightsError: there is none.
        """
        from transformers import CLIPModel, CLIPProcessor

        try:
            self.model = CLIPModel.from_pretrained(source).eval()
            self.processor: Any = CLIPProcessor.from_pretrained(source)
        except (OSError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise MissingWeightsError(
                f"No CLIP model at {source!r} ({first}). Give a folder with a model and its processor, or a Hugging "
                "Face id and a network."
            ) from error

    @torch.no_grad()
    def __call__(self, pictures: Float[Tensor, "n 3 h w"], texts: Sequence[str]) -> float:
        """Mean over pictures and their texts."""
        scores = []
        for start in range(0, len(texts), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            given = self.processor(
                text=list(texts[part]),
                images=[picture for picture in pictures[part]],
                return_tensors="pt",
                padding=True,
                truncation=True,
                do_rescale=False,
            )
            found = self.model(**given)
            scores.append((found.image_embeds * found.text_embeds).sum(dim=-1).clamp(min=0))
        return 100 * float(torch.cat(scores).mean())
