"""Losses on learned expression codes, by name; the picture's own losses are what makes a code tell anything."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lca_method.losses.code_agreement import code_agreement
from lca_method.losses.code_contrast import code_contrast
from lca_method.losses.code_identity import code_identity
from lca_method.losses.code_range import code_range
from lca_method.losses.code_texture import code_texture
from lca_shared.tensors import Float, Tensor


@dataclass(frozen=True)
class CodeViews:
    """A step's expression codes, before the bottleneck's noise. Frames whose face was not seen count for nothing."""

    codes: Float[Tensor, "*b targets code"]
    """Of the target frames."""
    seen: Float[Tensor, "*b targets"]
    """1 = the face was seen."""
    adapted: Float[Tensor, "*b targets code"]
    """The adapter's, from the coefficients of the same frames."""
    template: Float[Tensor, "*b targets coefficients"] | None = None
    """What the template's expressions read from the codes; None = they do not move by the code."""
    texture: Float[Tensor, "*b targets points 3"] | None = None
    """What the faces show at the template's points, moved by ``template``; None = not asked for."""
    texture_seen: Float[Tensor, "*b targets points"] | None = None
    """How well each of those points is seen."""
    again: Float[Tensor, "*b targets code"] | None = None
    """Of the same frames, changed at random another time; None = not asked for."""
    swapped: Float[Tensor, "*b targets code"] | None = None
    """Codes of other frames (other people's, if there are several), with which each frame was driven a second time."""
    recoded: Float[Tensor, "*b targets code"] | None = None
    """What the encoder reads from the faces rendered with ``swapped``."""
    swap_seen: Float[Tensor, "*b targets"] | None = None
    """1 = both frames of a swap show a face."""


def _agreement(views: CodeViews) -> Tensor:
    return _needed(views.again, lambda again: code_agreement(views.codes, again, views.seen))


def _contrast(views: CodeViews) -> Tensor:
    return _needed(views.again, lambda again: code_contrast(views.codes, again, views.seen))


def _cycle(views: CodeViews) -> Tensor:
    swapped, seen = views.swapped, views.swap_seen
    if swapped is None or seen is None:
        raise ValueError("no avatar was driven with another frame's code")
    return _needed(views.recoded, lambda recoded: code_agreement(swapped.detach(), recoded, seen))


def _identity(views: CodeViews) -> Tensor:
    return code_identity(views.codes, views.seen)


def _range(views: CodeViews) -> Tensor:
    return _needed(views.template, lambda template: code_range(template, views.seen))


def _texture(views: CodeViews) -> Tensor:
    return _needed(views.texture, lambda texture: _needed(views.texture_seen, partial(code_texture, texture)))


def _adapter(views: CodeViews) -> Tensor:
    return code_agreement(views.codes.detach(), views.adapted, views.seen)


def _needed(value: Tensor | None, function: Callable[[Tensor], Tensor]) -> Tensor:
    if value is None:
        raise ValueError("the step did not compute what this loss compares")
    return function(value)


CODE_LOSSES: dict[str, Callable[[CodeViews], Tensor]] = {
    "agreement": _agreement,
    "contrast": _contrast,
    "cycle": _cycle,
    "identity": _identity,
    "range": _range,
    "texture": _texture,
    "adapter": _adapter,
}
"""``agreement``: two changed copies of one frame have one code. ``contrast``: they are more alike than the codes of the
same person's other frames. ``cycle``: a face rendered with another frame's code has that code. ``identity``: codes do
not tell people apart. ``range``: the template's expressions stay between neutral and full.
``texture``: moved by them, it finds the same at its points in all frames. ``adapter``: coefficients give the encoder's
code."""
