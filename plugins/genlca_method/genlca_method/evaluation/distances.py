"""Distances between sets of pictures, by features of an image encoder."""

import torch

from lca_shared.tensors import Float, Tensor


def fid(real: Float[Tensor, "n features"], made: Float[Tensor, "m features"]) -> float:
    """Fréchet distance between normal distributions fitted to both sets (Heusel et al. 2017). With fewer pictures than
    features it is far from that of many pictures: compare only sets of the same sizes."""
    first, second = real.double(), made.double()
    apart = (first.mean(dim=0) - second.mean(dim=0)).square().sum()
    roots = [_covariance_factor(x) for x in (first, second)]
    shared = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()  # trace of the root of the covariances' product
    return float(apart + sum(root.square().sum() for root in roots) - 2 * shared)


def _covariance_factor(values: Float[Tensor, "n features"]) -> Float[Tensor, "rows features"]:
    """R with ``R^T R`` the covariance; as few rows as pictures or features, whichever are fewer."""
    centred = (values - values.mean(dim=0)) / (len(values) - 1) ** 0.5
    return centred if len(values) <= values.shape[1] else torch.linalg.qr(centred).R


def kid(real: Float[Tensor, "n features"], made: Float[Tensor, "m features"]) -> float:
    """Squared maximum mean discrepancy with the cubic kernel, unbiased (Binkowski et al. 2018): 0 on average for two
    sets of one kind, of whatever sizes; may be negative."""
    first, second = real.double(), made.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(x: Tensor) -> Tensor:
        values = kernel(x, x)
        return (values.sum() - values.trace()) / (len(x) * (len(x) - 1))

    return float(within(first) + within(second) - 2 * kernel(first, second).mean())


def spread(features: Float[Tensor, "n features"]) -> float:
    """Mean distance between two of a set."""
    return float(torch.pdist(features.double()).mean())
