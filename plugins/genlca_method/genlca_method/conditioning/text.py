"""Text encoders by name."""

import hashlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

from lca_shared.errors import MissingWeightsError, UserError
from lca_shared.tensors import Bool, Float, Tensor

_WORD = re.compile(r"[a-z0-9]+")
_NEXT_WORD = 0.7
"""Weight of each further word over that of the one before."""


@dataclass(frozen=True)
class TextEncoderConfig:
    """Which text encoder."""

    name: str = "transformers"
    """words: no weights, each word a fixed random vector (small models learn what the words mean); transformers: a
    pretrained encoder."""
    source: str = ""
    """transformers: a local folder or a Hugging Face id, e.g. google/t5-v1_1-xl, openai/clip-vit-large-patch14."""
    tokens: int = 128
    """Longest text, tokens; what is longer is cut."""
    channels: int = 128
    """Length of a vector (``words``; the others bring their own)."""


class TextEncoder(ABC):
    """Texts to one vector per token."""

    channels: int

    @abstractmethod
    def __call__(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "texts tokens channels"], Bool[Tensor, "texts tokens"]]:
        """Features, and which tokens are there. An empty text has none."""


class WordEncoder(TextEncoder):
    """Lower-case words, each a fixed random direction with the code of its place added: any word is known, and it
    costs nothing. The first half of a vector is the word's own; the second half is the sum of the words after it, each
    weighing less than the one before, so that a colour tells what it is the colour of. What words mean is left to the
    layers that read them."""

    def __init__(self, config: TextEncoderConfig):
        """Args: length of texts and vectors."""
        self.tokens, self.channels = config.tokens, config.channels

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See :class:`TextEncoder`."""
        words = [_WORD.findall(text.lower())[: self.tokens] for text in texts]
        longest = max([1, *map(len, words)])
        features, seen = torch.zeros(len(texts), longest, self.channels), torch.zeros(len(texts), longest).bool()
        half = self.channels // 2
        for row, sentence in enumerate(words):
            after = torch.zeros(self.channels - half)
            for place in reversed(range(len(sentence))):
                own = _word_vector(sentence[place], self.channels)
                features[row, place, :half], features[row, place, half:] = own[:half], after
                after = _NEXT_WORD * after + own[half:]
            seen[row, : len(sentence)] = True
        places = 0.5 * _place_code(longest, self.channels)
        return (features + places) * seen[..., None], seen


@lru_cache(maxsize=4096)
def _word_vector(word: str, channels: int) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:7], "big")
    return torch.randn(channels, generator=torch.Generator().manual_seed(seed))


def _place_code(length: int, channels: int) -> Tensor:
    speeds = torch.exp(-math.log(100.0) * torch.arange(channels // 2) / max(channels // 2 - 1, 1))
    angles = torch.arange(length)[:, None] * speeds
    return torch.nn.functional.pad(torch.cat([angles.sin(), angles.cos()], dim=-1), (0, channels % 2))


class PretrainedTextEncoder(TextEncoder):
    """The encoder of a pretrained model of the transformers package (T5's encoder, CLIP's text side, BERT's kind):
    its last hidden states."""

    def __init__(self, config: TextEncoderConfig):
        """Args: where it is.

        Raises:
            MissingWeightsError: it is neither a folder with a model and a tokenizer nor an id that can be fetched.
        """
        from transformers import AutoConfig, AutoModel, AutoTokenizer, CLIPTextModel, T5EncoderModel

        if not config.source:
            raise MissingWeightsError(
                "The text encoder 'transformers' needs its source: a folder or a Hugging Face id."
            )
        try:
            kind = AutoConfig.from_pretrained(config.source).model_type
            loader = {"t5": T5EncoderModel, "clip": CLIPTextModel, "clip_text_model": CLIPTextModel}.get(
                kind, AutoModel
            )
            self.tokenizer = AutoTokenizer.from_pretrained(config.source)
            self.model = loader.from_pretrained(config.source).eval().requires_grad_(False)
        except (OSError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise MissingWeightsError(
                f"No text encoder at {config.source!r} ({first}). Give a folder with a model and its tokenizer, or a "
                "Hugging Face id and a network."
            ) from error
        self.tokens = min(config.tokens, self.tokenizer.model_max_length)
        sizes = self.model.config
        self.channels = getattr(sizes, "hidden_size", None) or sizes.d_model

    @torch.no_grad()
    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See :class:`TextEncoder`."""
        given = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.tokens, return_tensors="pt"
        ).to(self.model.device)
        hidden = self.model(input_ids=given["input_ids"], attention_mask=given["attention_mask"]).last_hidden_state
        spoken = torch.tensor([bool(text.strip()) for text in texts], device=hidden.device)
        return hidden, given["attention_mask"].bool() & spoken[:, None]


def build_text_encoder(config: TextEncoderConfig) -> TextEncoder:
    """The encoder that ``config`` names.

    Raises:
        UserError: no such encoder, or its weights are missing.
    """
    kinds = {"words": WordEncoder, "transformers": PretrainedTextEncoder}
    if config.name not in kinds:
        raise UserError(f"There is no text encoder {config.name!r}. Choose one of: {', '.join(kinds)}.")
    return kinds[config.name](config)
