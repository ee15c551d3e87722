"""Which tokens an edit keeps."""

import torch

from genlca_method.sampling.decoder import LCADecoder
from genlca_method.tokens.parts import PARTS, anchor_parts
from lca_shared.body import get_body_model
from lca_shared.body.anchors import SurfacePoints
from lca_shared.errors import UserError
from lca_shared.tensors import Bool, Tensor


def parts_of(decoder: LCADecoder) -> dict[str, Bool[Tensor, "anchors"]]:
    """Anchors of each of ``tokens.parts.PARTS``, on the CPU."""
    network = decoder.lca
    points = SurfacePoints(network.token_faces.cpu(), network.token_barycentric.cpu())
    return anchor_parts(get_body_model(decoder.config["body"]), points)


def part_names(given: str, option: str) -> tuple[str, ...]:
    """Names of parts, written with commas between them.

    Raises:
        UserError: there is no such part.
    """
    names = tuple(name.strip() for name in given.split(",") if name.strip())
    if unknown := [name for name in names if name not in PARTS]:
        raise UserError(f"{option} {given}: there is no part {unknown[0]!r}. Choose from: {', '.join(PARTS)}.")
    return names


def kept_anchors(
    parts: dict[str, Bool[Tensor, "anchors"]],
    valid: Bool[Tensor, "anchors"],
    keep: tuple[str, ...] = (),
    change: tuple[str, ...] = (),
    complete: bool = False,
) -> Bool[Tensor, "anchors"]:
    """Anchors whose tokens stay exactly as they are.

    Args:
        parts: of :func:`parts_of`.
        valid: anchors that a picture showed.
        keep: parts to keep; the others change.
        change: parts to change; the others are kept. With neither, everything changes.
        complete: change what no picture showed, and of the rest only what ``change`` names.

    Raises:
        UserError: both ``keep`` and ``change``, or ``keep`` and ``complete``, or nothing is left to change.
    """
    if keep and (change or complete):
        raise UserError("Give --keep alone: with --change or --complete it is clear what is kept.")
    kept = torch.zeros_like(valid)
    for name in keep:
        kept |= parts[name]
    if change or complete:
        kept = torch.ones_like(valid)
        for name in change:
            kept &= ~parts[name]
        if complete:
            kept &= valid
    if bool(kept.all()):
        raise UserError("Nothing is left to change." if not complete else "Pictures showed all of this avatar.")
    return kept
