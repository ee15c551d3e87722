"""Colours by name."""

import torch

from lca_shared.errors import UserError
from lca_shared.tensors import Float, Tensor

NAMES = {"white": "#ffffff", "black": "#000000", "grey": "#808080", "green": "#00b140"}


def named_color(text: str) -> Float[Tensor, "3"] | None:
    """sRGB 0..1 of ``white``, ``black``, ``grey``, ``green`` or ``#rrggbb``; None for ``none``.

    Raises:
        UserError: it is none of these.
    """
    if text == "none":
        return None
    code = NAMES.get(text, text)
    try:
        if len(code) != 7 or code[0] != "#":
            raise ValueError
        return torch.tensor([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    except ValueError as error:
        known = ", ".join(NAMES)
        raise UserError(f"{text!r} is not a colour: give {known}, none, or #rrggbb.") from error
