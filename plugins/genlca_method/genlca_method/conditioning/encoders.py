"""Texts and pictures of people to condition tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from genlca_method.conditioning.images import PartEncoder, PartEncoderConfig, build_part_encoder
from genlca_method.conditioning.text import TextEncoder, TextEncoderConfig, build_text_encoder
from genlca_method.conditioning.tokens import MODALITIES, ConditionTokens
from genlca_method.tokens.parts import IMAGE_PARTS, PICTURES
from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class ConditioningConfig:
    """Which encoders."""

    text: TextEncoderConfig = field(default_factory=TextEncoderConfig)
    image: PartEncoderConfig = field(default_factory=PartEncoderConfig)


def tiny_conditioning() -> ConditioningConfig:
    """Encoders without weights."""
    return ConditioningConfig(
        TextEncoderConfig("words", tokens=64, channels=128), PartEncoderConfig("pixels", size=32, patch=16)
    )


@dataclass(frozen=True)
class Conditioner:
    """Encodes what is said and shown of people."""

    text: TextEncoder
    image: PartEncoder

    @staticmethod
    def build(config: ConditioningConfig) -> "Conditioner":
        """The encoders that ``config`` names.

        Raises:
            UserError: weights are missing.
        """
        return Conditioner(build_text_encoder(config.text), build_part_encoder(config.image))

    def __call__(
        self, texts: Sequence[str], pictures: Sequence[Mapping[str, Float[Tensor, "3 size size"]]]
    ) -> ConditionTokens:
        """Conditions of people, on the CPU. An empty text and what nobody's picture shows are not there.

        Args: a text and the pictures and line drawings of parts (names of :data:`PICTURES`) of each person.

        Raises:
            UserError: there is no such part.
        """
        given_names = {name for given in pictures for name in given}
        if unknown := given_names - set(PICTURES):
            raise UserError(
                f"There is no part {sorted(unknown)[0]!r} of the body. Choose from: {', '.join(IMAGE_PARTS)}."
            )
        names = [name for name in PICTURES if name in given_names]  # nothing is computed for what nobody shows
        words, seen = self.text(texts)
        people, each = len(texts), self.image.patches
        features = torch.zeros(people, len(names), each, self.image.channels)
        shown = torch.zeros(people, len(names)).bool()
        places = [(row, i) for row, given in enumerate(pictures) for i, name in enumerate(names) if name in given]
        for size in {tuple(pictures[row][names[i]].shape) for row, i in places}:
            alike = [(row, i) for row, i in places if tuple(pictures[row][names[i]].shape) == size]
            rows, columns = (list(numbers) for numbers in zip(*alike))
            features[rows, columns] = self.image(torch.stack([pictures[r][names[i]] for r, i in alike])).cpu()
            shown[rows, columns] = True
        modality = torch.tensor([MODALITIES.index(name) for name in names], dtype=torch.long)
        return ConditionTokens(
            words.cpu().float(),
            seen.cpu(),
            features.flatten(1, 2),
            shown.repeat_interleave(each, dim=1),
            modality.repeat_interleave(each).expand(people, -1).contiguous(),
        )
