"""A compiled transformer gives the same numbers and keeps its names."""

from collections.abc import Callable

import pytest
import torch

from lca_method.networks import LCA

pytestmark = pytest.mark.slow


def test_compiling_the_transformer_changes_no_number(model: LCA, random_references: Callable) -> None:
    shape = torch.zeros(1, len(model.point_body.shape_names))
    names = list(model.state_dict())
    references = [random_references((1,), views) for views in (2, 3)]

    torch.manual_seed(0)
    for parameter in model.encoder.parameters():  # modulations begin with zero weights: no gradient behind them
        torch.nn.init.normal_(parameter, std=0.1)
    direction = torch.randn(1, len(model.token_code), model.config.transformer.width)

    def run() -> list[torch.Tensor]:
        model.zero_grad()
        tokens = [model.encode(seen, shape).tokens for seen in references]
        sum((token * direction).sum() for token in tokens).backward()  # type: ignore[union-attr]
        gradient = model.encoder.layers[0].global_vector[1].weight.grad  # type: ignore[index]
        assert float(gradient.abs().max()) > 0
        return [*(token.detach() for token in tokens), gradient.clone()]

    plain = run()
    model.encoder.compile(dynamic=True)
    for found, wanted in zip(run(), plain, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-3)
    assert list(model.state_dict()) == names
