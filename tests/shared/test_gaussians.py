import torch
from figures import capsule_figure


def test_index_select_and_convert() -> None:
    gaussians = capsule_figure(10, 32)
    assert gaussians.count == 10 and gaussians.batch_shape == ()
    chosen = gaussians.select(torch.tensor([3, 1]))
    torch.testing.assert_close(chosen.means, gaussians.means[[3, 1]])
    batch = gaussians.to(dtype=torch.float64)
    assert batch.opacities.dtype == torch.float64
    assert gaussians.with_colors(torch.zeros(10, 5)).colors.shape == (10, 5)
