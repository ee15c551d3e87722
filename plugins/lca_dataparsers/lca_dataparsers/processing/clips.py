"""From a source to the clips that become subjects: its shots, and in each the people who are wanted."""

from dataclasses import dataclass, replace
from typing import Literal

from lca_dataparsers.processing.decode import Source
from lca_dataparsers.processing.estimators import PersonEstimator
from lca_dataparsers.processing.people import find_people
from lca_dataparsers.processing.shots import find_shots

SHORTEST_SHOT = 5
"""Frames: shorter shots of a video that has several are flashes and left-overs of cuts."""
SHORT_SHOT = "short shot"

People = Literal["largest", "one", "each"]


@dataclass(frozen=True)
class Clip:
    """One subject to be."""

    name: str
    source: Source
    reason: str = ""
    """Why nothing is made of it; empty if something is."""


def clips_of(
    name: str,
    source: Source,
    estimator: PersonEstimator,
    *,
    cut: bool,
    people: People,
    least_frames: int,
    long_side: int,
) -> list[Clip]:
    """The clips of a source. One that has one shot and one wanted person keeps its name; others are numbered:
    ``NAME_s00`` are shots, ``NAME_p00`` people.

    Args:
        name: of the source.
        source: photos stay as they are.
        estimator: finds people, where each is wanted.
        cut: whether videos are cut into shots.
        people: who is wanted of several.
        least_frames: shots with fewer are left out; people seen for a shorter time too.
        long_side: of the stored pictures, pixels.

    Raises:
        UserError: the source cannot be read.
    """
    if source.kind != "video":
        return [Clip(name, source)]
    shots = find_shots(source) if cut else []
    least = max(least_frames, SHORTEST_SHOT if len(shots) > 1 else 1)
    parts = [Clip(name, source)]
    if len(shots) > 1:
        parts = [
            Clip(f"{name}_s{number:02d}", replace(source, span=span), SHORT_SHOT if span.frames < least else "")
            for number, span in enumerate(shots)
        ]
    if people != "each":
        return parts
    return [person for part in parts for person in _people_of(part, estimator, least, long_side)]


def _people_of(clip: Clip, estimator: PersonEstimator, least_frames: int, long_side: int) -> list[Clip]:
    if clip.reason:
        return [clip]
    rate = clip.source.rate or 30.0
    tracks = find_people(clip.source, estimator, long_side=long_side, least_seconds=(least_frames - 1) / rate)
    if not tracks:
        return [clip]  # detection says, and counts, what is wrong with the pictures
    names = [clip.name] if len(tracks) == 1 else [f"{clip.name}_p{number:02d}" for number in range(len(tracks))]
    return [Clip(person, replace(clip.source, track=track)) for person, track in zip(names, tracks)]
