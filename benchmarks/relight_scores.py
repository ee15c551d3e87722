"""Figures of relit pictures."""

from collections import defaultdict
from typing import Any

import torch

from lca_shared.lighting.tone import to_linear, to_srgb
from lca_shared.metrics import masked_psnr
from lca_shared.tensors import Float, Tensor

_GAINS = torch.logspace(-4, 2.5, 120, base=2)


def best_constant_color(
    colors: Float[Tensor, "3 h w"],
    alpha: Float[Tensor, "1 h w"],
    image: Float[Tensor, "3 h w"],
    mask: Float[Tensor, "1 h w"],
) -> Float[Tensor, "3 h w"]:
    """A picture over black times, in linear light, the constant colour with the least squared error in sRGB.

    Args:
        colors: sRGB, multiplied by alpha.
        alpha: of the picture.
        image: the truth, sRGB.
        mask: pixels that count.
    """
    light = to_linear((colors / alpha.clamp(min=1e-3)).clamp(0, 1))
    scaled = []
    for channel in range(3):
        tried = to_srgb((light[channel] * _GAINS[:, None, None]).clamp(max=1)) * alpha
        errors = ((tried - image[channel]).square() * mask).sum(dim=(1, 2))
        scaled.append(tried[int(errors.argmin())])
    return torch.stack(scaled)


def person_score(shown: Float[Tensor, "3 h w"], image: Float[Tensor, "3 h w"], mask: Float[Tensor, "1 h w"]) -> float:
    """PSNR on person pixels, dB."""
    return float(masked_psnr(shown[None], image[None], mask[None])[0])


def means(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Means by ``kind`` as text, with standard errors over people where rows name a ``person``.

    A standard error is that of the mean of people's means: pictures of one person are alike.
    """
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        kinds[row["kind"]].append(row)
    return {kind: _text(of_kind) for kind, of_kind in kinds.items()}


def _text(rows: list[dict[str, Any]]) -> str:
    parts = []
    for name in dict.fromkeys(name for row in rows for name in row if name not in ("kind", "person")):
        people: dict[Any, list[float]] = defaultdict(list)
        for number, row in enumerate(rows):
            if name in row:
                people[row.get("person", number)].append(row[name])
        values = [value for of_one in people.values() for value in of_one]
        text = f"{name} {sum(values) / len(values):.3f}"
        if len(people) > 1 and "person" in rows[0]:
            own = torch.tensor([sum(of_one) / len(of_one) for of_one in people.values()])
            text += f" +- {float(own.std() / len(own) ** 0.5):.2f}"
        parts.append(text)
    return ", ".join(parts) + f" ({len(rows)})"
