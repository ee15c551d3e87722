"""A person between the encoder and the heads."""

from collections.abc import Callable
from dataclasses import fields

import torch

from lca_method.batch import ReferenceViews
from lca_method.networks import LCA
from lca_method.networks.token_code import TokenCode


def test_decoding_what_was_read_is_encoding(model: LCA, random_references: Callable[..., ReferenceViews]) -> None:
    references, shape = random_references((2,), 3), 0.3 * torch.randn(2, 37)
    whole = model.encode(references, shape, step=5)
    read = model.read(references, shape)
    parts = model.decode(read, shape, step=5)
    assert read.color_logits is not None and read.start is None
    for field in fields(whole.canonical):
        torch.testing.assert_close(getattr(parts.canonical, field.name), getattr(whole.canonical, field.name))
    torch.testing.assert_close(parts.token_half, whole.token_half)


def test_a_person_is_all_in_the_token_code(model: LCA, random_references: Callable[..., ReferenceViews]) -> None:
    """Pictures of others change nothing once tokens are there, and other tokens are another person."""
    shape = torch.zeros(1, 37)
    first, second = (model.read(random_references((1,), 2, seed), shape) for seed in (0, 1))
    assert not torch.allclose(model.decode(first, shape).canonical.colors, model.decode(second, shape).canonical.colors)
    again = model.decode(TokenCode(first.tokens, first.color_logits), shape)
    torch.testing.assert_close(again.canonical.colors, model.decode(first, shape).canonical.colors)
