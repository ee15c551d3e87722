"""Captions by a local vision-language model, for people without attributes."""

from collections.abc import Mapping
from typing import Any

import torch

from genlca_method.tokens.captions import Caption
from lca_dataparsers.dataset.schema import SubjectInfo
from lca_shared.errors import MissingWeightsError
from lca_shared.tensors import Float, Tensor

QUESTION = (
    "Describe this person in one sentence: height, build, skin, hair, and each piece of clothing with its colour and "
    "length. Do not guess who it is."
)
"""What models that converse are asked."""
_LONGEST = 80
"""Tokens of an answer."""


class ModelCaptioner:
    """Any image-text-to-text model of the transformers package: those that converse are asked :data:`QUESTION`, others
    (BLIP's kind) say what they see. The likeliest words are taken, so that the same picture gives the same caption."""

    def __init__(self, source: str, device: str = "cpu"):
        """Args: a folder with a model and its processor, or a Hugging Face id; where it runs.

        Raises:
            MissingWeightsError: there is none.
        """
        from transformers import AutoModelForImageTextToText, AutoProcessor

        if not source:
            raise MissingWeightsError(
                "Captions by a model need --caption-model: a folder with a vision-language model and its processor, or "
                "a Hugging Face id."
            )
        try:
            self.processor: Any = AutoProcessor.from_pretrained(source)
            self.model: Any = AutoModelForImageTextToText.from_pretrained(source).eval()
            self.model.to(device)
        except (OSError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise MissingWeightsError(
                f"No vision-language model at {source!r} ({first}). Give a folder with a model and its processor, or a "
                "Hugging Face id and a network."
            ) from error
        self.name = source.rstrip("/").split("/")[-1]

    @torch.no_grad()
    def __call__(self, person: SubjectInfo, pictures: Mapping[str, Float[Tensor, "3 h w"]]) -> Caption:
        """What the model says of the picture of the whole body; nothing where there is no such picture."""
        if "whole" not in pictures:
            return Caption("", "nobody: no picture shows the whole body")
        given = self._given(pictures["whole"].cpu()).to(self.model.device)
        answer = self.model.generate(**given, max_new_tokens=_LONGEST, do_sample=False)
        if getattr(self.processor, "chat_template", None):  # the question comes first in the answer
            answer = answer[:, given["input_ids"].shape[1] :]
        text = self.processor.batch_decode(answer, skip_special_tokens=True)[0]
        return Caption(" ".join(text.split()), f"model {self.name}")

    def _given(self, picture: Float[Tensor, "3 h w"]) -> Any:
        options = {"images": [picture], "do_rescale": False, "return_tensors": "pt"}
        if not getattr(self.processor, "chat_template", None):
            return self.processor(**options)
        asked = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}]
        text = self.processor.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        return self.processor(text=[text], **options)
