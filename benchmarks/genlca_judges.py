"""What the judges of ``genlca eval`` say of people in other benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from genlca_method.evaluation.attributes import words
from genlca_method.evaluation.judges import Judge, agreement, clues
from genlca_method.evaluation.looks import VIEWS, Look, anchor_regions, look
from genlca_method.evaluation.running import first_samples, real_people
from genlca_method.sampling.pipeline import GenLCAPipeline
from genlca_method.tokens.shards import TokenShards
from lca_method.avatar.avatar import Avatar
from lca_shared.tensors import Int, Tensor

SIZE = 96


@dataclass(frozen=True)
class Judges:
    """One of each attribute and view, learned from avatars of training people's own tokens."""

    learned: dict[tuple[str, str], Judge]
    regions: Int[Tensor, "anchors"]

    @staticmethod
    def of(made: GenLCAPipeline, shards: TokenShards, people: int, attributes: Sequence[str]) -> "Judges":
        """Args: for the decoder; tokens; how many people to learn from; what to read (``attributes.SEEN_AT``)."""
        regions = anchor_regions(made.decoder)
        learnt_from = real_people(made, shards, first_samples(shards, ("train",), people), regions, SIZE)
        learned = {}
        for attribute in attributes:
            with_it = [one for one in learnt_from if attribute in words(one.info.attributes)]
            said = [words(one.info.attributes)[attribute] for one in with_it]
            for index, view in enumerate(VIEWS):
                colors = torch.stack([one.look.colors[index] for one in with_it])
                learned[attribute, view] = Judge.learned(clues(colors, attribute), said)
        return Judges(learned, regions)

    def look(self, avatar: Avatar) -> Look:
        """As the judges see people."""
        return look(avatar, self.regions, SIZE)

    def read(self, looks: Sequence[Look], attribute: str, view: str) -> list[str]:
        """A word for each."""
        colors = torch.stack([one.colors[VIEWS.index(view)] for one in looks])
        return self.learned[attribute, view](clues(colors, attribute))

    def right(self, looks: Sequence[Look], truth: Sequence[str], attribute: str, view: str) -> dict[str, float]:
        """How often that is the truth (``judges.agreement``)."""
        return agreement(self.read(looks, attribute, view), truth)


def mean_right(judges: Judges, looks: Sequence[Look], truths: Sequence[dict[str, str]]) -> float:
    """Mean accuracy of all that the judges read, those of people who have the attribute."""
    shares = []
    for attribute, view in judges.learned:
        rows = [row for row, truth in enumerate(truths) if attribute in truth]
        said = [truths[row][attribute] for row in rows]
        shares.append(judges.right([looks[row] for row in rows], said, attribute, view)["accuracy"])
    return sum(shares) / len(shares)
